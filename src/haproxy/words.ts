// Splits a line of haproxy.cfg into words, as HAProxy's parse_line does (sections 2.2 to 2.4 of its manual).
//
// A backslash escapes a space, a quote, a # or itself, and begins \t, \r, \n and \xHH; before any other
// character it stays. In double quotes, escapes and variables are replaced; in single quotes, nothing is. A #
// outside of quotes begins a comment.

/** A line that cannot be read. The message has the text and what would work. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly line: number;

  constructor(line: number, message: string) {
    super(message);
    this.line = line;
  }
}

/** Environment variables that a configuration may name. */
export type ConfigVariables = Readonly<Record<string, string | undefined>>;

/** A line with words. */
export type LineWords = {
  readonly words: readonly string[];
  /** Names of the variables that are not set; HAProxy inserts nothing for them. */
  readonly unset: readonly string[];
};

const escapeLetters: Readonly<Record<string, string>> = { t: "\t", r: "\r", n: "\n" };
const escapedCharacters = " \\#'\"";
/** HAProxy's own variables begin with a dot; it has no others of these. */
const variableStart = /^\$\{?([A-Za-z_]\w*|\.(?:FILE|LINE|SECTION)(?!\w))/;
const space = /[ \t\v\f\r\n]/;

/** @throws ConfigError for an unclosed quote, an invalid escape or an invalid variable name */
export function splitWords(text: string, line: number, env: ConfigVariables): LineWords {
  return new LineSplitter(text, line, env).split();
}

class LineSplitter {
  readonly #text: string;
  readonly #line: number;
  readonly #env: ConfigVariables;
  readonly #words: string[] = [];
  readonly #unset: string[] = [];
  #at = 0;
  #word: string | null = null;
  /** The quote character that the position is in, and where it begins. */
  #quote: { readonly character: string; readonly at: number } | null = null;

  constructor(text: string, line: number, env: ConfigVariables) {
    this.#text = text;
    this.#line = line;
    this.#env = env;
  }

  split(): LineWords {
    while (this.#at < this.#text.length) {
      const character = this.#text.charAt(this.#at);
      if (character === "#" && this.#quote === null) break;
      this.#readCharacter(character);
    }
    if (this.#quote !== null) {
      const from = this.#quote.at;
      throw new ConfigError(
        this.#line,
        `the quote that begins at ${this.#text.slice(from, from + 20)} does not end`,
      );
    }
    this.#endWord();
    return { words: this.#words, unset: this.#unset };
  }

  #readCharacter(character: string): void {
    const quote = this.#quote?.character;
    if (quote === undefined && space.test(character)) {
      this.#endWord();
      this.#at += 1;
    } else if (character === quote) {
      this.#quote = null;
      this.#at += 1;
    } else if (quote === undefined && (character === '"' || character === "'")) {
      this.#quote = { character, at: this.#at };
      this.#append("", 1);
    } else if (character === "\\" && quote !== "'") this.#readEscape(quote === '"');
    else if (character === "$" && quote === '"') this.#readVariable();
    else this.#append(character, 1);
  }

  #append(text: string, length: number): void {
    this.#word = (this.#word ?? "") + text;
    this.#at += length;
  }

  #endWord(): void {
    if (this.#word !== null) this.#words.push(this.#word);
    this.#word = null;
  }

  #readEscape(isQuoted: boolean): void {
    const character = this.#text.charAt(this.#at + 1);
    if (character === "x") {
      const [digits] = /^[0-9a-fA-F]{2}/.exec(this.#text.slice(this.#at + 2)) ?? [];
      if (digits === undefined)
        throw new ConfigError(this.#line, "\\x needs two hexadecimal digits after it, as in \\x2f");
      this.#append(String.fromCharCode(Number.parseInt(digits, 16)), 4);
      return;
    }
    const letter = escapeLetters[character];
    if (letter !== undefined) this.#append(letter, 2);
    else if (character !== "" && (escapedCharacters.includes(character) || (isQuoted && character === "$")))
      this.#append(character, 2);
    else this.#append("\\", 1);
  }

  /** Reads `$NAME`, `${NAME}`, `${NAME-default}`, or `${NAME[*]}`, whose value becomes several words. */
  #readVariable(): void {
    const rest = this.#text.slice(this.#at);
    const [whole, name = ""] = variableStart.exec(rest) ?? [];
    if (whole === undefined) {
      throw new ConfigError(this.#line, `"${rest.slice(0, 12)}" is not a variable: write \\$ for a $`);
    }
    const isBraced = whole.startsWith("${");
    const after = rest.slice(whole.length);
    const [tail, expansion, defaultValue] = (isBraced ? /^(\[\*\])?(?:-([^}]*))?\}/.exec(after) : [""]) ?? [];
    if (tail === undefined)
      throw new ConfigError(this.#line, `a } is missing after "${rest.slice(0, whole.length)}"`);
    const value = this.#valueOf(name) ?? defaultValue;
    if (value === undefined) this.#unset.push(name);
    this.#appendValue(value ?? "", expansion !== undefined);
    this.#at += whole.length + tail.length;
  }

  #valueOf(name: string): string | undefined {
    if (name === ".LINE") return String(this.#line);
    return Object.hasOwn(this.#env, name) ? this.#env[name] : undefined;
  }

  #appendValue(value: string, isExpanded: boolean): void {
    const [first = "", ...others] = isExpanded ? value.split(/[ \t\v\f\r\n]+/) : [value];
    this.#append(first, 0);
    for (const word of others) {
      this.#endWord();
      this.#append(word, 0);
    }
  }
}

/**
 * Replaces `$NAME` and `${NAME}` in an address, where HAProxy replaces them outside of quotes as well.
 *
 * @returns the address, and the names of the variables that are not set
 */
export function expandAddress(
  text: string,
  env: ConfigVariables,
): { readonly text: string; readonly unset: readonly string[] } {
  const unset: string[] = [];
  const expanded = text.replace(/\$(?:\{(\w*)\}?|(\w*))/g, (_, braced?: string, bare?: string) => {
    const name = braced ?? bare ?? "";
    const value = Object.hasOwn(env, name) ? env[name] : undefined;
    if (value === undefined) unset.push(name);
    return value ?? "";
  });
  return { text: expanded, unset };
}

/** Formats words as a line that `splitWords` reads back. */
export function printWords(words: readonly string[]): string {
  return words.map(printWord).join(" ");
}

function printWord(word: string): string {
  if (word === "") return "''";
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must be escaped
  return word.replace(/[ "'\\#\u0000-\u001f\u007f]/gu, (character) => {
    const letter = Object.entries(escapeLetters).find(([, escaped]) => escaped === character)?.[0];
    if (letter !== undefined) return `\\${letter}`;
    const code = character.charCodeAt(0);
    return code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, "0")}` : `\\${character}`;
  });
}
