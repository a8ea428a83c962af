// The tokens of an action of a template.

/** A number that is written with a fraction or an exponent. Go distinguishes it from whole numbers: `2.0`. */
export class FloatLiteral {
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }
}

export type Literal = string | number | boolean | null | FloatLiteral;

export type Token =
  | { readonly kind: "pipe" }
  | { readonly kind: "open" }
  /** `)`, with the fields that follow it: `(index .A 0).Name`. */
  | { readonly kind: "close"; readonly path: readonly string[] }
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "literal"; readonly value: Literal }
  /** Fields of the current value (null) or of a variable. */
  | { readonly kind: "field"; readonly variable: string | null; readonly path: readonly string[] };

const pattern =
  /\s+|(?<pipe>\|)|(?<open>\()|(?<close>\)(?:\.\w+)*)|(?<quoted>"(?:[^"\\\n]|\\.)*")|(?<raw>`[^`]*`)|(?<number>[-+]?\d\w*(?:\.\w*)?(?:(?<=[eE])[-+]\d+)?(?![\w.]))|(?<field>(?:\$\w*)?(?:\.\w+)+|\$\w*|\.(?!\w))|(?<word>[A-Za-z_]\w*)/gy;

const constants: Readonly<Record<string, boolean | null>> = { true: true, false: false, nil: null };

/** The tokens of an action; null if it has another character. */
export function tokensOf(text: string): readonly Token[] | null {
  const tokens: Token[] = [];
  pattern.lastIndex = 0;
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text);
    if (match === null) return null;
    const token = tokenOf(match.groups ?? {});
    if (token === "unreadable") return null;
    if (token !== null) tokens.push(token);
  }
  return tokens;
}

/** Null for a space. */
function tokenOf(groups: Readonly<Record<string, string | undefined>>): Token | null | "unreadable" {
  const { pipe, open, close, quoted, raw, number, field, word } = groups;
  if (pipe !== undefined) return { kind: "pipe" };
  if (open !== undefined) return { kind: "open" };
  if (close !== undefined) return { kind: "close", path: pathOf(close.slice(1)) };
  if (quoted !== undefined) {
    const value = unquoted(quoted);
    return value === null ? "unreadable" : { kind: "literal", value };
  }
  if (raw !== undefined) return { kind: "literal", value: raw.slice(1, -1) };
  if (number !== undefined) {
    const value = numberOf(number);
    return value === null ? "unreadable" : { kind: "literal", value };
  }
  if (field !== undefined) {
    const [, variable = null, path = ""] = /^(\$\w*)?(.*)$/s.exec(field) ?? [];
    return { kind: "field", variable, path: pathOf(path) };
  }
  if (word === undefined) return null;
  return Object.hasOwn(constants, word)
    ? { kind: "literal", value: constants[word] ?? null }
    : { kind: "word", word };
}

/** A number in the syntax of Go; null for another text, and for a whole number that is not exact. */
function numberOf(text: string): number | FloatLiteral | null {
  const [, sign = "", digits = ""] =
    /^([-+]?)(.*)$/.exec(text.replaceAll(/(?<=[\dxXoObB])_(?=\w)/g, "")) ?? [];
  const factor = sign === "-" ? -1 : 1;
  if (/^0[0-7]+$/.test(digits)) return factor * Number.parseInt(digits, 8);
  if (/^(?:0|[1-9]\d*|0[xX][\da-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(digits)) {
    const number = factor * Number(digits);
    return Number.isSafeInteger(number) ? number : null;
  }
  if (/^\d+(?:\.\d*)?(?:[eE][-+]?\d+)?$/.test(digits) && /[.eE]/.test(digits))
    return new FloatLiteral(factor * Number(digits));
  return null;
}

/** `.A.B` as its names. */
function pathOf(text: string): readonly string[] {
  return text.split(".").filter((name) => name !== "");
}

/** A string of Go with the escapes that JSON has as well; null if it has others. */
function unquoted(text: string): string | null {
  try {
    return JSON.parse(text) as string;
  } catch {
    return null;
  }
}
