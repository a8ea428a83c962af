// The expected response of an HTTP check: HAProxy's `http-check expect`.

import { readPattern } from "./check-pattern.ts";
import type { Expect } from "./server.ts";

const statusRange = /^(\d{3})(?:-(\d{3}))?$/;

/** Longest pattern, text or list of statuses, characters. */
const maxPatternLength = 200;

/** Why an expected response is refused; null if it is accepted. */
export function refuseExpect({ kind, pattern }: Expect): string | null {
  if (pattern === "" || pattern.length > maxPatternLength) {
    return `cannot read the expected pattern: use 1 to ${maxPatternLength} characters`;
  }
  if (kind === "status" && !pattern.split(",").every((part) => statusRange.test(part))) {
    return `cannot read expected status "${pattern}": write it as 200, 200-399 or 200,204`;
  }
  if (kind === "status" || kind === "string") return null;
  const reading = readPattern(pattern);
  return reading.ok ? null : unusable(pattern, reading.why);
}

function unusable(pattern: string, why: string): string {
  return `cannot use the pattern "${pattern}": ${why}`;
}

/** What a check compares with a response. */
export type Expectation =
  | { readonly of: "status"; readonly isMet: (status: number) => boolean }
  | {
      readonly of: "body";
      readonly not: boolean;
      /** Cost of one comparison per character of the body, in instructions. */
      readonly size: number;
      /** True if the body has the text or matches the pattern. `not` reverses the verdict. */
      readonly matches: (body: string) => boolean;
    }
  /** A stored pattern that this version does not accept. No response meets it. */
  | { readonly of: "nothing"; readonly why: string };

/** Compiles an expected response; null expects 2xx or 3xx. */
export function readExpectation(expect: Expect | null): Expectation {
  if (expect === null) return { of: "status", isMet: (status) => status >= 200 && status < 400 };
  const { kind, pattern, not } = expect;
  if (kind === "status") return { of: "status", isMet: (status) => isInStatusList(pattern, status) !== not };
  if (kind === "string") return { of: "body", not, size: 1, matches: (body) => body.includes(pattern) };
  const reading = readPattern(pattern);
  if (!reading.ok) return { of: "nothing", why: unusable(pattern, reading.why) };
  const { size, matches } = reading.pattern;
  if (kind === "rstring") return { of: "body", not, size, matches };
  return { of: "status", isMet: (status) => matches(String(status)) !== not };
}

function isInStatusList(list: string, status: number): boolean {
  return list.split(",").some((part) => {
    const [, from, to] = statusRange.exec(part) ?? [];
    return status >= Number(from) && status <= Number(to ?? from);
  });
}
