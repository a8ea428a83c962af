// Patterns of checks, `expect rstring` and `expect rstatus`: regular expressions that match in linear time.

import { RE2JS, RE2JSException, RE2JSSyntaxException } from "re2js";

/**
 * Largest program of a pattern, instructions. The worst match of 16 KiB then takes about half a second of CPU
 * time, a usual one less than a millisecond. Patterns of 200 characters fit unless they count repetitions.
 */
const maxPatternSize = 250;

/** A compiled pattern. */
type CheckPattern = {
  /** Instructions. The time of a match is at most in proportion to this and to the length of the text. */
  readonly size: number;
  /** True if the pattern matches any part of the text. */
  readonly matches: (text: string) => boolean;
};

/**
 * A pattern, or why it is refused: it is no regular expression (`syntax`), or it is one for other engines
 * (`unsupported`), such as the PCRE of most HAProxy packages.
 */
export type PatternReading =
  | { readonly ok: true; readonly pattern: CheckPattern }
  | { readonly ok: false; readonly fault: "syntax" | "unsupported"; readonly why: string };

/**
 * Compiles a pattern in RE2's syntax. JavaScript's own engine backtracks: `(a+)+$` would stop a Worker for
 * longer than its limits allow, and a check that is stored would do so again after each restart.
 *
 * @see docs/decisions/0057-linear-time-patterns.md
 */
export function readPattern(text: string): PatternReading {
  try {
    const program = RE2JS.compile(text);
    const size = program.programSize();
    if (size > maxPatternSize) return tooLarge(`it compiles to ${size} instructions`);
    return { ok: true, pattern: { size, matches: matcherOf(text, program) } };
  } catch (error) {
    if (error instanceof RE2JSSyntaxException) return refusal(text, error);
    if (error instanceof RE2JSException) return tooLarge(error.message);
    throw error;
  }
}

/**
 * As in PCRE, `$` matches before a newline at the end of the text as well; in RE2 only at the end. A pattern
 * with `\z` keeps RE2's meaning.
 */
function matcherOf(text: string, program: RE2JS): CheckPattern["matches"] {
  const endsBeforeNewline = text.includes("$") && !text.includes("\\z");
  return (subject) =>
    program.test(subject) ||
    (endsBeforeNewline && subject.endsWith("\n") && program.test(subject.slice(0, -1)));
}

/** What other engines have and RE2 does not, by its first characters: its name, and what works instead. */
const unsupportedConstructs: readonly (readonly [start: RegExp, name: string, instead: string])[] = [
  [/^\(\?[=!]/, "lookahead", "match the text itself, or expect ! rstring for text that must be absent"],
  [/^\(\?<[=!]/, "lookbehind", "match the text itself, or expect ! rstring for text that must be absent"],
  [/^\\(?:[1-9]|[gk])|^\(\?P/, "reference to a group", "write the group's pattern again"],
  [/^\(\?>/, "atomic group", "write (?:…)"],
  [/^(?:[*+?]|\{[\d,]{1,11}\})\+/, "possessive quantifier", "leave out its last +"],
  [/^\(\?(?:[R&(+\d]|-\d)/, "recursion or condition", "write the alternatives out"],
  [/^\(\?#/, "comment", "leave it out"],
  [/^\(\?'/, "group name", "write (?P<name>…)"],
  [/^\(\?[|]/, "branch reset", "write (?:…)"],
  [/^\(\?[a-zA-Z^-]/, "flag", "use i, m, s and U only"],
  [/^\\h/, "escape", "write [ \\t]"],
  [/^\\H/, "escape", "write [^ \\t]"],
  [/^\\R/, "escape", "write \\r?\\n"],
  [/^\\N/, "escape", "write a dot"],
  [/^\\V/, "escape", "write [^\\n\\v\\f\\r]"],
  [/^\\Z/, "escape", "write $"],
  [/^\\[ceoux]/, "escape", "write the character's code as \\x and two hexadecimal digits"],
  [/^\\[A-Za-z]/, "escape", "leave it out, or write the characters that it stands for"],
];

function refusal(text: string, { error, input }: RE2JSSyntaxException): PatternReading {
  const read = (input ?? text).slice(0, 40);
  if (unclosedErrors.has(error)) return { ok: false, fault: "syntax", why: `${error}: ${read}` };
  if (text.startsWith("(*")) return unsupported(text.slice(0, 40), "control verb", "leave it out");
  const [, from, to] = /^\{(\d{1,5})(?:,(\d{0,5}))?\}$/.exec(read) ?? [];
  if (error === repeatError && from !== undefined && Number(to || from) >= Number(from))
    return tooLarge(`${read} makes more than 1000 repetitions`);
  const [, name, instead] = unsupportedConstructs.find(([start]) => start.test(read)) ?? [];
  if (name === undefined || instead === undefined)
    return { ok: false, fault: "syntax", why: `${error}${input === null ? "" : `: ${read}`}` };
  return unsupported(read, name, instead);
}

/** RE2's errors for parentheses. They come with the whole pattern, whatever construct it begins with. */
const unclosedErrors: ReadonlySet<string> = new Set(["missing closing )", "unexpected )"]);

/** RE2's error for more than 1000 repetitions, nested ones multiplied, and for `{5,2}`. */
const repeatError = "invalid repeat count";

function unsupported(read: string, name: string, instead: string): PatternReading {
  const why = `${name} ${read} is not in RE2's syntax, which matches in linear time: ${instead}`;
  return { ok: false, fault: "unsupported", why };
}

function tooLarge(what: string): PatternReading {
  const why = `the pattern is too large: ${what}, and ${maxPatternSize} instructions is the maximum; use smaller counts, such as {1,20}`;
  return { ok: false, fault: "unsupported", why };
}
