// What a command printed, without what differs between two runs of it on the same system: ids, times, versions,
// padding, and the node that a task is on.

import type { Output } from "../lab.ts";

/** The output of a command as it is compared: exit code, standard output and error, a line each. */
export function normalize({ code, out, err }: Output): string {
  const parts = [`exit ${code}`, ...linesOf(out), ...linesOf(err).map((line) => `! ${line}`)];
  return parts.join("\n");
}

function linesOf(text: string): readonly string[] {
  const lines = text.split("\n").map((line) => normalizeLine(line).trimEnd());
  return lines.filter((line, index) => line !== "" || index < lines.length - 1);
}

function normalizeLine(line: string): string {
  return replacements.reduce((text, [pattern, by]) => text.replace(pattern, by), line);
}

const replacements: readonly (readonly [RegExp, string])[] = [
  [/\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( \+0000 (utc|UTC)|Z)?/g, "TIME"],
  [/\b[0-9a-f]{64}\b/g, "ID"],
  [/\b(?=[a-z0-9]*\d)[a-z0-9]{25}\b/g, "ID"],
  [/\b(?=[a-z0-9]*\d)[a-z0-9]{12}\b/g, "ID"],
  // Some ids have no digit.
  [/^[a-z]{12}(?= {2}|$)/, "ID"],
  [/(?<=^[a-z-]{1,40}\.\d\.)[a-z]{12}(?=@)/, "ID"],
  [/\b(About an?|less than a|\d+) (second|minute|hour)s?( ago)?/gi, "TIME ago"],
  [/"Index":\s*\d+/g, '"Index": N'],
  // The width of a column depends on what is in it.
  [/ {2,}/g, "  "],
  [/(?<=^ID {2}[a-z-]{1,40}\.\d {2}[a-z:]{1,40} {2})node\d\b/, "NODE"],
  [/(?<=^[a-z-]{1,40}\.\d\.ID@)node\d\b/, "NODE"],
];
