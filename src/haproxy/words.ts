// The words of a line of haproxy.cfg, quoted and escaped as HAProxy's manual has it (section 2.2 and 2.3).
//
// A backslash takes away the meaning of a space, a quote, a # or itself, and writes \t, \r, \n and \xHH. In double quotes
// backslashes still count and variables are put in; in single quotes nothing has a meaning. A # begins a comment.

/** A line that cannot be read; `message` says what was read and what would work. */
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

/** @throws ConfigError where a quote does not end, an escape is none, or a variable is not set */
export function splitWords(text: string, line: number, env: ConfigVariables): readonly string[] {
  const words: string[] = [];
  let word: string | null = null;
  let at = 0;
  while (at < text.length) {
    const one = text.charAt(at);
    if (one === "#") break;
    if (/\s/.test(one)) {
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

/** Words as a line that reads back to them. */
export function printWords(words: readonly string[]): string {
  return words.map(printWord).join(" ");
}

function printWord(word: string): string {
  if (word === "") return "''";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be escaped
  return word.replace(/[\s"'\\#\u0000-\u001f\u007f]/gu, (one) => {
    const letter = Object.entries(escapeLetters).find(([, meant]) => meant === one)?.[0];
    if (letter !== undefined) return `\\${letter}`;
    const code = one.charCodeAt(0);
    return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, "0")}` : `\\${one}`;
  });
}

type WordPiece = readonly [text: string, next: number];

function readPiece(text: string, at: number, line: number, env: ConfigVariables): WordPiece {
  const one = text.charAt(at);
  if (one === "'") return readStrongQuoted(text, at, line);
  if (one === '"') return readWeakQuoted(text, at, line, env);
  if (one === "\\") return readEscape(text, at, line);
  return [one, at + 1];
}

function readStrongQuoted(text: string, at: number, line: number): WordPiece {
  const end = text.indexOf("'", at + 1);
  if (end < 0)
    throw new ConfigError(line, `the quote that begins at ${text.slice(at, at + 20)} does not end`);
  return [text.slice(at + 1, end), end + 1];
}

function readWeakQuoted(text: string, at: number, line: number, env: ConfigVariables): WordPiece {
  let inside = "";
  let next = at + 1;
  while (next < text.length) {
    const one = text.charAt(next);
    if (one === '"') return [inside, next + 1];
    const [piece, after] =
      one === "\\"
        ? readEscape(text, next, line)
        : one === "$"
          ? readVariable(text, next, line, env)
          : [one, next + 1];
    inside += piece;
    next = after;
  }
  throw new ConfigError(line, `the quote that begins at ${text.slice(at, at + 20)} does not end`);
}

function readEscape(text: string, at: number, line: number): WordPiece {
  const one = text.charAt(at + 1);
  if (one === "") throw new ConfigError(line, "a backslash at the end of a line has nothing to escape");
  if (one === "x") {
    const [digits] = /^[0-9a-fA-F]{2}/.exec(text.slice(at + 2)) ?? [];
    if (digits === undefined)
      throw new ConfigError(line, "\\x wants two hexadecimal digits after it, as in \\x2f");
    return [String.fromCharCode(Number.parseInt(digits, 16)), at + 4];
  }
  return [escapeLetters[one] ?? one, at + 2];
}

/** `$NAME`, `${NAME}` or `${NAME-otherwise}`. */
function readVariable(text: string, at: number, line: number, env: ConfigVariables): WordPiece {
  const [whole, braced, otherwise, bare] =
    /^\$(?:\{([A-Za-z_]\w*)(?:-([^}]*))?\}|([A-Za-z_]\w*))/.exec(text.slice(at)) ?? [];
  if (whole === undefined) return ["$", at + 1];
  const name = braced ?? bare ?? "";
  const value = env[name] ?? otherwise;
  if (value === undefined) {
    throw new ConfigError(line, `the variable ${name} is not set here: set it, or write its value`);
  }
  return [value, at + whole.length];
}
