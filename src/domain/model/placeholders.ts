// Placeholders of a task: `{{.Node.Hostname}}` in its environment, host name and mounts, as in Swarm.
//
// Swarm expands Go templates. Here a placeholder is one field or one call of `index` or `join`; conditions,
// pipes and variables are refused.

import { invalidAs } from "./error.ts";

const invalid = invalidAs("service/invalid");

/** What placeholders may name. */
export type PlaceholderValues = {
  readonly service: {
    readonly id: string;
    readonly name: string;
    readonly labels: Readonly<Record<string, string>>;
  };
  readonly node: {
    readonly id: string;
    readonly hostname: string;
    readonly os: string;
    readonly arch: string;
  };
  /** `slot` is the node's id for a task of a global service, as in Swarm. */
  readonly task: { readonly id: string; readonly name: string; readonly slot: string };
};

const fields: Readonly<Record<string, (values: PlaceholderValues) => string>> = {
  ".Service.ID": ({ service }) => service.id,
  ".Service.Name": ({ service }) => service.name,
  ".Node.ID": ({ node }) => node.id,
  ".Node.Hostname": ({ node }) => node.hostname,
  ".Node.Platform.OS": ({ node }) => node.os,
  ".Node.Platform.Architecture": ({ node }) => node.arch,
  ".Task.ID": ({ task }) => task.id,
  ".Task.Name": ({ task }) => task.name,
  ".Task.Slot": ({ task }) => task.slot,
};
const labelsField = ".Service.Labels";

/**
 * Expands every placeholder of a text.
 *
 * @throws MeshError service/invalid that quotes the placeholder and says what can be written
 * @see https://docs.docker.com/reference/cli/docker/service/create/#create-services-using-templates
 */
export function expandPlaceholders(text: string, values: PlaceholderValues): string {
  let expanded = "";
  let rest = text;
  for (;;) {
    const start = rest.indexOf("{{");
    if (start === -1) return expanded + rest;
    const length = placeholderLength(rest.slice(start));
    if (length === null) throw invalid(`cannot expand "${text}": "{{" has no "}}"`);
    const whole = rest.slice(start, start + length);
    const before = rest.slice(0, start);
    const after = rest.slice(start + length);
    // `{{- ` and ` -}}` remove the white space next to them.
    expanded += (/^\{\{-\s/.test(whole) ? before.trimEnd() : before) + expand(whole, values);
    rest = /\s-\}\}$/.test(whole) ? after.trimStart() : after;
  }
}

/** The length of the placeholder at the start of a text, whose strings may have braces; null if it has no end. */
function placeholderLength(text: string): number | null {
  let quote = "";
  for (let at = 2; at < text.length; at++) {
    const character = text[at] ?? "";
    if (quote === '"' && character === "\\") at++;
    else if (quote !== "") quote = character === quote ? "" : quote;
    else if (character === '"' || character === "`") quote = character;
    else if (text.startsWith("}}", at)) return at + 2;
  }
  return null;
}

/** Checks that a text has only placeholders that can be expanded. @throws MeshError service/invalid */
export function checkPlaceholders(text: string): void {
  if (!text.includes("{{")) return;
  const nothing = { id: "", name: "" };
  // Labels of the service may be added later; a missing one rejects the task.
  const labels = new Proxy<Record<string, string>>({}, { get: () => "", has: () => true });
  expandPlaceholders(text, {
    service: { ...nothing, labels },
    node: { id: "", hostname: "", os: "", arch: "" },
    task: { ...nothing, slot: "" },
  });
}

function expand(whole: string, values: PlaceholderValues): string {
  const body = whole
    .slice(2, -2)
    .replace(/^-(?=\s)|(?<=\s)-$/g, "")
    .trim();
  if (body.startsWith("/*")) return "";
  const [first = "", ...args] = body.match(/"(?:[^"\\]|\\.)*"|`[^`]*`|[^\s"`]+/g) ?? [];
  const value = (word: string) => wordValue(word, whole, values);
  if (first === "index" && args.length === 2 && args[0] === labelsField)
    return values.service.labels[value(args[1] ?? "")] ?? "";
  if (first === "join" && args.length > 0) {
    const [separator = "", ...parts] = args.map(value);
    return parts.join(separator);
  }
  if (args.length > 0) throw unreadable(whole);
  return value(first);
}

function wordValue(word: string, whole: string, values: PlaceholderValues): string {
  if (word.startsWith('"')) return unquote(word, whole);
  if (word.startsWith("`")) return word.slice(1, -1);
  if (word.startsWith(`${labelsField}.`)) {
    const key = word.slice(labelsField.length + 1);
    if (key in values.service.labels) return values.service.labels[key] ?? "";
    throw invalid(`cannot expand ${whole}: the service has no label "${key}"`);
  }
  const read = Object.hasOwn(fields, word) ? fields[word] : undefined;
  if (read === undefined) throw unreadable(whole);
  return read(values);
}

function unquote(word: string, whole: string): string {
  try {
    return String(JSON.parse(word));
  } catch {
    throw unreadable(whole);
  }
}

function unreadable(whole: string): Error {
  const known = [...Object.keys(fields), `${labelsField}.NAME`].join(", ");
  return invalid(
    `cannot expand ${whole}: use one of ${known}, or {{index ${labelsField} "NAME"}}, {{join "SEPARATOR" …}}`,
  );
}
