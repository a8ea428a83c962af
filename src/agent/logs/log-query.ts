// Which lines of a task's output to read.

import type { LogStream } from "../../gateway/logs/log-line.ts";

export type LogQuery = {
  readonly streams: readonly LogStream[];
  /** At most so many of the last lines; null: all. */
  readonly tail: number | null;
  /** Lines of this time or later, a time of `LogLine`; null: from the start. */
  readonly since: string | null;
  /** Lines after this time only; null: all. */
  readonly after: string | null;
  /** Waits for further lines until the task has ended. */
  readonly follow: boolean;
  /** Ends the reading. */
  readonly signal: AbortSignal;
};

/** True if a line of this time is asked for. */
export function isWanted(time: string, { since, after }: Pick<LogQuery, "since" | "after">): boolean {
  return (since === null || time >= since) && (after === null || time > after);
}
