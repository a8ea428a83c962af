// Log formats, such as `%ci %[req.hdr(host)]`, which rules use for the texts that they write as well.

import { readSample } from "./sample.ts";
import type { WordReading } from "./usage.ts";

/** The variables of HAProxy 2.6, section 8.2.6 of its manual. */
const variableText = `
B CC CS H HM HP HPO HQ HU HV ID ST T TR Ta Tc Td Th Ti Tl Tq Tr Ts Tt Tu Tw U ac b bc bi bp bq ci cp f fc fi
fp ft hr hrl hs hsl lc ms o pid r rc rt s sc si sp sq sslc sslv t tr trg trl ts tsc
`;
const variables: ReadonlySet<string> = new Set(variableText.split(/\s+/).filter((name) => name !== ""));

/** Why a text is not a log format; null if it is one. */
export function logFormatMisfit(text: string, reading: WordReading): string | null {
  let rest = text;
  for (;;) {
    const percent = rest.indexOf("%");
    if (percent < 0) return null;
    rest = rest.slice(percent + 1);
    if (rest.startsWith("%")) {
      rest = rest.slice(1);
      continue;
    }
    const flags = /^\{[^}]*\}/.exec(rest)?.[0] ?? "";
    if (flags === "" && rest.startsWith("{")) return "a } is missing after %{";
    rest = rest.slice(flags.length);
    if (rest.startsWith("[")) {
      const read = readSample(rest.slice(1).trimStart(), false, reading);
      if ("why" in read) return read.why;
      if (!read.rest.trimStart().startsWith("]")) return `a ] is missing after %[ in "${text}"`;
      rest = read.rest.trimStart().slice(1);
      continue;
    }
    const [name = ""] = /^[A-Za-z]+/.exec(rest) ?? [];
    if (name === "" && flags === "") continue;
    if (!variables.has(name)) return `no log format variable "%${name}"`;
    rest = rest.slice(name.length);
  }
}
