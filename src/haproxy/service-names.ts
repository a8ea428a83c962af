// Names of services for the sections of haproxy.cfg, whose names may have more characters and be longer.

import { isServiceName } from "../domain/labels/label.ts";

const maxNameLength = 63;

/**
 * A service name for each section name. A name that a service cannot have becomes one that it can:
 * `www.example.com:80` becomes `www-example-com-80`, and gets a number if another section has that name.
 */
export function serviceNames(sections: readonly string[]): ReadonlyMap<string, string> {
  const taken = new Set(sections.filter(canBeService));
  const names = new Map<string, string>();
  for (const section of sections) {
    const name = canBeService(section) ? section : freeName(section, taken);
    taken.add(name);
    names.set(section, name);
  }
  return names;
}

/** The letters, digits, `-` and `_` of a service name, of which it neither begins nor ends with the latter. */
function canBeService(name: string): boolean {
  return isServiceName(name) && /[a-zA-Z0-9]$/.test(name);
}

function freeName(section: string, taken: ReadonlySet<string>): string {
  const plain = trimmed(section.replace(/[^a-zA-Z0-9_-]+/g, "-")) || "section";
  for (let number = 1; ; number += 1) {
    const suffix = number === 1 ? "" : `-${number}`;
    const name = `${trimmed(plain.slice(0, maxNameLength - suffix.length))}${suffix}`;
    if (!taken.has(name)) return name;
  }
}

/** The text from its first to its last letter or digit. */
export function trimmed(text: string): string {
  const from = text.search(/[a-zA-Z0-9]/);
  let end = text.length;
  while (end > from && !/[a-zA-Z0-9]/.test(text.charAt(end - 1))) end -= 1;
  return from < 0 ? "" : text.slice(from, end);
}
