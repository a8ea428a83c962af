// Splits a line of haproxy.cfg into words, as sections 2.2 and 2.3 of HAProxy's manual define it.
//
// A backslash escapes a space, a quote, a # or itself, and begins \t, \r, \n and \xHH. In double quotes,
// escapes and variables are replaced; in single quotes, nothing is. A # begins a comment.

/** A line that cannot be read. The message has the text and what would work. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

const escapeLetters: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };

/** Environment variables that a configuration may name. */
export type ConfigVariables = Readonly<Record<string, string | undefined>>;

/** @throws ConfigError for an unclosed quote, an invalid escape or an unset variable */
export function splitWords(text: string, line: number, env: ConfigVariables): readonly string[] {
  const words: string[] = [];
  let word: string | null = null;
  let at = 0;
  while (at < text.length) {
    const character = text.charAt(at);
    if (character === "#") break;
    if (/\s/.test(character)) {
      if (word !== null) words.push(word);
      word = null;
      at += 1;
      continue;
    }
    const [piece, next] = readPiece(text, at, line, env);
    word = (word ?? "") + piece;
    at = next;
  }
  if (word !== null) words.push(word);
  return words;
}

/** Formats words as a line that `splitWords` reads back. */
export function printWords(words: readonly string[]): string {
  return words.map(printWord).join(" ");
}

function printWord(word: string): string {
  if (word === "") return "''";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must be escaped
  return word.replace(/[\s"'\\#\u0000-\u001f\u007f]/gu, (character) => {
    const letter = Object.entries(escapeLetters).find(([, escaped]) => escaped === character)?.[0];
    if (letter !== undefined) return `\\${letter}`;
    const code = character.charCodeAt(0);
    return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, "0")}` : `\\${character}`;
  });
}

type WordPiece = readonly [text: string, next: number];

function readPiece(text: string, at: number, line: number, env: ConfigVariables): WordPiece {
  const character = text.charAt(at);
  if (character === "'") return readStrongQuoted(text, at, line);
  if (character === '"') return readWeakQuoted(text, at, line, env);
  if (character === "\\") return readEscape(text, at, line);
  return [character, at + 1];
}

function readStrongQuoted(text: string, at: number, line: number): WordPiece {
  const end = text.indexOf("'", at + 1);
  if (end < 0)
    throw new ConfigError(line, `the quote that begins at ${text.slice(at, at + 20)} does not end`);
  return [text.slice(at + 1, end), end + 1];
}

function readWeakQuoted(text: string, at: number, line: number, env: ConfigVariables): WordPiece {
  let content = "";
  let next = at + 1;
  while (next < text.length) {
    const character = text.charAt(next);
    if (character === '"') return [content, next + 1];
    const [piece, after] =
      character === "\\"
        ? readEscape(text, next, line)
        : character === "$"
          ? readVariable(text, next, line, env)
          : [character, next + 1];
    content += piece;
    next = after;
  }
  throw new ConfigError(line, `the quote that begins at ${text.slice(at, at + 20)} does not end`);
}

function readEscape(text: string, at: number, line: number): WordPiece {
  const character = text.charAt(at + 1);
  if (character === "") throw new ConfigError(line, "a backslash at the end of a line has nothing to escape");
  if (character === "x") {
    const [digits] = /^[0-9a-fA-F]{2}/.exec(text.slice(at + 2)) ?? [];
    if (digits === undefined)
      throw new ConfigError(line, "\\x needs two hexadecimal digits after it, as in \\x2f");
    return [String.fromCharCode(Number.parseInt(digits, 16)), at + 4];
  }
  return [escapeLetters[character] ?? character, at + 2];
}

/** Reads `$NAME`, `${NAME}` or `${NAME-default}`. */
function readVariable(text: string, at: number, line: number, env: ConfigVariables): WordPiece {
  const [whole, braced, defaultValue, bare] =
    /^\$(?:\{([A-Za-z_]\w*)(?:-([^}]*))?\}|([A-Za-z_]\w*))/.exec(text.slice(at)) ?? [];
  if (whole === undefined) return ["$", at + 1];
  const name = braced ?? bare ?? "";
  const value = (Object.hasOwn(env, name) ? env[name] : undefined) ?? defaultValue;
  if (value === undefined) {
    throw new ConfigError(line, `the variable ${name} is not set: set it, or write its value`);
  }
  return [value, at + whole.length];
}
