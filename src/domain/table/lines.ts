// The lines of a routing table as text: quoting of words, and a strict reader that goes from line to line.

import { MeshError } from "../model/error.ts";
import { isHostName } from "../model/host-name.ts";

/** Prints a word, in quotes if it needs them. */
export function quoteWord(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters must be quoted
  return /^[^\s"\u0000-\u001f\u007f]+$/.test(text) && text !== "-" ? text : JSON.stringify(text);
}

/** The form of a line: its indent, first word and number of words. */
export type LineShape = {
  readonly text: string;
  readonly indent: number;
  readonly head: string;
  /** The number of words; a minimum if `isOpenEnded`. */
  readonly words: number;
  /** True if the form has a `…`. */
  readonly isOpenEnded: boolean;
};

/** Reads a form such as `node NAME ID HOST…`, which is also the text of its error messages. */
export function lineShape(text: string): LineShape {
  const indent = text.length - text.trimStart().length;
  const words = text
    .trimStart()
    .split(" ")
    .filter((word) => word !== "…");
  return { text, indent, head: words[0] ?? "", words: words.length, isOpenEnded: text.includes("…") };
}

/** Reads a text line by line and makes the error that names the current line. */
export class LineReader {
  readonly #lines: readonly string[];
  readonly #quotes: boolean;
  readonly #subject: string;
  #index = 0;
  /** The current line; empty at the end. */
  line: string;

  /** @param subject what the text is, for error messages */
  constructor(text: string, subject = "routing table") {
    this.#subject = subject;
    this.#lines = text.split("\n");
    this.#quotes = text.includes('"');
    this.line = this.#lines[0] ?? "";
  }

  /** True if only the end of the last line is left. */
  get isAtEnd(): boolean {
    return this.line === "" && this.#index === this.#lines.length - 1;
  }

  next(): void {
    this.#index += 1;
    this.line = this.#lines[this.#index] ?? "";
  }

  /** The words of the current line. @throws MeshError if the line is not of this form */
  words({ text, indent, head, words: expected, isOpenEnded }: LineShape): readonly string[] {
    const body = indent > 0 ? this.line.slice(indent) : this.line;
    const words = this.#quotes && body.includes('"') ? quotedWords(body) : bareWords(body);
    if (
      words === null ||
      words[0] !== head ||
      words.length < expected ||
      (words.length > expected && !isOpenEnded)
    ) {
      throw this.errorAt(`"${text}"`);
    }
    return words;
  }

  integer(text: string | undefined, name: string): number {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0 || String(value) !== text) {
      throw this.errorAt(`${name}, a whole number from 0`);
    }
    return value;
  }

  port(text: string | undefined): number {
    const value = Number(text);
    if (!(value >= 1 && value <= 65_535) || String(value) !== text || !Number.isInteger(value)) {
      throw this.errorAt("a port from 1 to 65535");
    }
    return value;
  }

  /** Requires host names in ascending order. */
  requireHostNames(hosts: readonly string[]): void {
    for (const [at, host] of hosts.entries()) {
      if (!isHostName(host)) throw this.errorAt(`a host name in lower case, not ${JSON.stringify(host)}`);
      if (host <= (hosts[at - 1] ?? "")) throw this.errorAt("host names in ascending order, each once");
    }
  }

  /** Requires the current node or service to come after the previous one, by name and then id. */
  requireAscending(
    previous: { name: string; id: string } | undefined,
    current: { name: string; id: string },
  ): void {
    if (previous === undefined || previous.name < current.name) return;
    if (previous.name === current.name && previous.id < current.id) return;
    throw this.errorAt("names in ascending order, and ids for equal names");
  }

  /** The error of a line, by default the current one; `expected` ends its message. */
  errorAt(expected: string, lineNumber = this.#index + 1): MeshError {
    const line = this.#lines[lineNumber - 1];
    const read =
      line === undefined ? "the end" : JSON.stringify(line.length > 120 ? `${line.slice(0, 120)}…` : line);
    return new MeshError(
      "table/invalid",
      `${this.#subject}, line ${lineNumber}: read ${read}, expected ${expected}`,
      {
        blame: "mesh",
        retry: "safe",
      },
    );
  }
}

/** The words of a line without quotes; null if a space is doubled or ends the line. */
function bareWords(body: string): readonly string[] | null {
  const words = body.split(" ");
  return words.includes("") ? null : words;
}

/** The words of a line with quotes; null if it cannot be read. */
function quotedWords(body: string): readonly string[] | null {
  const words: string[] = [];
  const pattern = /"(?:[^"\\]|\\.)*"|[^\s"]+/y;
  while (pattern.lastIndex < body.length) {
    const word = pattern.exec(body)?.[0];
    if (word === undefined) return null;
    try {
      words.push(word.startsWith('"') ? String(JSON.parse(word)) : word);
    } catch {
      return null;
    }
    if (pattern.lastIndex === body.length) return words;
    // Exactly one space separates two words, and none ends the line.
    if (body[pattern.lastIndex] !== " " || pattern.lastIndex + 1 === body.length) return null;
    pattern.lastIndex += 1;
  }
  return words;
}
