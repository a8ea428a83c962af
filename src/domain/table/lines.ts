// The lines of a printed routing table: how words stand in them, and how they are read one after the other.

import { MeshError } from "../model/error.ts";
import { isHostName } from "../model/host-name.ts";

/** A word as it stands in the text. */
export function quoteWord(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be quoted
  return /^[^\s"\u0000-\u001f\u007f]+$/.test(text) && text !== "-" ? text : JSON.stringify(text);
}

/** What a line looks like. */
export type LineShape = {
  readonly text: string;
  readonly indent: number;
  readonly head: string;
  /** How many words it has; at least so many where it ends in `…`. */
  readonly words: number;
  readonly isOpenEnded: boolean;
};

export function lineShape(text: string): LineShape {
  const indent = text.length - text.trimStart().length;
  const words = text
    .trimStart()
    .split(" ")
    .filter((one) => one !== "…");
  return { text, indent, head: words[0] ?? "", words: words.length, isOpenEnded: text.includes("…") };
}

/** The lines of a text, one after the other, and the refusal of the present one. */
export class LineReader {
  readonly #lines: readonly string[];
  readonly #quotes: boolean;
  #at = 0;
  /** The present line; empty at the end. */
  line: string;

  constructor(text: string) {
    this.#lines = text.split("\n");
    this.#quotes = text.includes('"');
    this.line = this.#lines[0] ?? "";
  }

  /** True when nothing but the end of the last line is left. */
  get isAtEnd(): boolean {
    return this.line === "" && this.#at === this.#lines.length - 1;
  }

  next(): void {
    this.#at += 1;
    this.line = this.#lines[this.#at] ?? "";
  }

  /** The words of the line, which has to be of this shape. */
  words({ text, indent, head, words: wanted, isOpenEnded }: LineShape): readonly string[] {
    const body = indent > 0 ? this.line.slice(indent) : this.line;
    const words = this.#quotes && body.includes('"') ? quotedWords(body) : bareWords(body);
    if (
      words === null ||
      words[0] !== head ||
      words.length < wanted ||
      (words.length > wanted && !isOpenEnded)
    ) {
      throw this.errorAt(`"${text}"`);
    }
    return words;
  }

  integer(text: string | undefined, what: string): number {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0 || String(value) !== text) {
      throw this.errorAt(`${what}, a whole number from 0`);
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

  /** Refuses the line unless these are host names in order. */
  requireHostNames(hosts: readonly string[]): void {
    for (const [at, host] of hosts.entries()) {
      if (!isHostName(host)) throw this.errorAt(`a host name in lower case, not ${JSON.stringify(host)}`);
      if (host <= (hosts[at - 1] ?? "")) throw this.errorAt("host names in order, each once");
    }
  }

  /** Refuses the line unless its thing comes after the one before it. */
  requireAscending(
    before: { name: string; id: string } | undefined,
    now: { name: string; id: string },
  ): void {
    if (before === undefined || before.name < now.name) return;
    if (before.name === now.name && before.id < now.id) return;
    throw this.errorAt("names in order, and ids where names are alike");
  }

  /** The error of a line, the present one unless told; `expected` ends the sentence. */
  errorAt(expected: string, at = this.#at + 1): MeshError {
    const line = this.#lines[at - 1];
    const read =
      line === undefined ? "the end" : JSON.stringify(line.length > 120 ? `${line.slice(0, 120)}…` : line);
    return new MeshError("table/invalid", `routing table, line ${at}: read ${read}, expected ${expected}`, {
      blame: "mesh",
      retry: "safe",
    });
  }
}

/** The words of a line without quotes; null when two spaces meet or one ends it. */
function bareWords(body: string): readonly string[] | null {
  const words = body.split(" ");
  return words.includes("") ? null : words;
}

/** The words of a line some of which stand in quotes; null when it cannot be read. */
function quotedWords(body: string): readonly string[] | null {
  const words: string[] = [];
  const pattern = /("(?:[^"\\]|\\.)*"|[^\s"]+)(?: (?=.)|$)/y;
  while (pattern.lastIndex < body.length) {
    const found = pattern.exec(body)?.[1];
    if (found === undefined) return null;
    try {
      words.push(found.startsWith('"') ? String(JSON.parse(found)) : found);
    } catch {
      return null;
    }
    if (pattern.lastIndex === 0) return null;
  }
  return words;
}
