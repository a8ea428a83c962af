// The result of one check of a static server, in HAProxy's words.

/** HAProxy's names of check results. */
export const checkWords = [
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
export type CheckWord = (typeof checkWords)[number];

export type CheckResult = {
  readonly word: CheckWord;
  /** The HTTP status, where there was one. */
  readonly code: number | null;
  readonly durationMs: number;
};

/** Checks that pass. `L7OKC`: it answers, and asks for no new requests. */
const passing: ReadonlySet<CheckWord> = new Set(["L4OK", "L6OK", "L7OK", "L7OKC"]);

export function passes({ word }: CheckResult): boolean {
  return passing.has(word);
}

/** As the stats page shows it: `L7OK/200 in 3ms`, `L4TOUT in 2001ms`. */
export function checkText({ word, code, durationMs }: CheckResult): string {
  return `${word}${code === null ? "" : `/${code}`} in ${durationMs}ms`;
}
