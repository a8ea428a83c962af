// `timeout client` of the frontends of a service, which becomes a label of the service.

import { maxDurationMs } from "../domain/model/measure.ts";
import type { Diagnostics } from "./diagnostics.ts";
import type { Directive } from "./sections.ts";
import { parseTimeMs } from "./time.ts";

/**
 * The label for the longest `timeout client` of these frontends: how long the body of a request may pause.
 *
 * @param frontends the lines of each
 */
export function clientTimeoutLabels(
  frontends: readonly (readonly Directive[])[],
): Readonly<Record<string, string>> {
  const timesMs = frontends.flatMap((lines) => {
    const line = timeoutOf(lines);
    return line === undefined ? [] : [parseTimeMs(line.words[2] ?? "")];
  });
  if (timesMs.length === 0) return {};
  // A time of zero means any time.
  const longestMs = timesMs.includes(0) ? 0 : Math.min(Math.max(...timesMs), maxDurationMs);
  return { "waggle.body-timeout": `${longestMs}ms` };
}

/**
 * Adds the outcome of the line to a frontend that is imported.
 *
 * @param others the backends for which another frontend has a longer time
 */
export function reportClientTimeout(
  lines: readonly Directive[],
  others: readonly string[],
  diagnostics: Diagnostics,
): void {
  const line = timeoutOf(lines);
  if (line === undefined) return;
  diagnostics.add(line, "taken", "while a client sends a body; nothing ends a response that has begun");
  if (others.length > 0)
    diagnostics.add(
      line,
      "could not",
      `for ${others.join(", ")} the longer time of another frontend applies`,
    );
}

function timeoutOf(lines: readonly Directive[]): Directive | undefined {
  return lines.findLast(({ words }) => words[0] === "timeout" && words[1] === "client");
}
