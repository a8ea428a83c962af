// The tokens of an action of a template.

export type Token =
  | { readonly kind: "pipe" }
  | { readonly kind: "open" }
  /** `)`, with the fields that follow it: `(index .A 0).Name`. */
  | { readonly kind: "close"; readonly path: readonly string[] }
  | { readonly kind: "word"; readonly word: string }
  | { readonly kind: "literal"; readonly value: string | number | boolean | null }
  /** Fields of the current value (null) or of a variable. */
  | { readonly kind: "field"; readonly variable: string | null; readonly path: readonly string[] };

const pattern =
  /\s+|(?<pipe>\|)|(?<open>\()|(?<close>\)(?:\.\w+)*)|(?<quoted>"(?:[^"\\\n]|\\.)*")|(?<raw>`[^`]*`)|(?<number>-?\d+(?:\.\d+)?(?![\w.]))|(?<field>(?:\$\w*)?(?:\.\w+)+|\$\w*|\.(?!\w))|(?<word>[A-Za-z_]\w*)/gy;

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
  if (number !== undefined) return { kind: "literal", value: Number(number) };
  if (field !== undefined) {
    const [, variable = null, path = ""] = /^(\$\w*)?(.*)$/s.exec(field) ?? [];
    return { kind: "field", variable, path: pathOf(path) };
  }
  if (word === undefined) return null;
  return Object.hasOwn(constants, word)
    ? { kind: "literal", value: constants[word] ?? null }
    : { kind: "word", word };
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
