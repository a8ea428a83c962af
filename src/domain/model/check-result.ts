// The result of one check of a static server, as HAProxy reports it.

/** HAProxy's values of `check_status`. */
export const checkStatuses = [
  "INI",
  "SOCKERR",
  "L4OK",
  "L4TOUT",
  "L4CON",
  "L6OK",
  "L6TOUT",
  "L6RSP",
  "L7OK",
  "L7OKC",
  "L7TOUT",
  "L7RSP",
  "L7STS",
] as const;
export type CheckStatus = (typeof checkStatuses)[number];

export type CheckResult = {
  readonly word: CheckStatus;
  /** The HTTP status; null if there was no response. */
  readonly code: number | null;
  readonly durationMs: number;
  /** What the operator must know besides the word; absent if nothing. */
  readonly detail?: string;
};

/** `L7OKC` passes too: the server responds but asks for no new clients (`disable-on-404`). */
const passingStatuses: ReadonlySet<CheckStatus> = new Set(["L4OK", "L6OK", "L7OK", "L7OKC"]);

export function isPassing({ word }: CheckResult): boolean {
  return passingStatuses.has(word);
}

/** The result as the stats page shows it: `L7OK/200 in 3ms`, `L4TOUT in 2001ms`, `L7RSP/200 in 3ms (…)`. */
export function checkText({ word, code, durationMs, detail }: CheckResult): string {
  const details = detail === undefined ? "" : ` (${detail})`;
  return `${word}${code === null ? "" : `/${code}`} in ${durationMs}ms${details}`;
}
