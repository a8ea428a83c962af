// How single values on the command line are read: counts, sizes, KEY=VALUE pairs, quoted words.

import { usageError } from "./errors.ts";

/** A whole number, 0 or more, within what JSON and Docker's unsigned counts agree on. */
export function readCountArgument(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw usageError("must be a whole number, 0 or more");
}

/** A port to listen on; 0 lets the system choose. */
export function readListenPort(text: string): number {
  const port = readCountArgument(text);
  if (port > 65_535) throw usageError("must be a port, 0 to 65535");
  return port;
}

/** CPUs as a decimal (`0.5`), in billionths of one. */
export function readNanoCpus(text: string): number {
  if (!/^\d{1,6}(\.\d{1,9})?$/.test(text)) throw usageError("must be a number of CPUs such as 0.5 or 2");
  return Math.round(Number(text) * 1e9);
}

const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 2 ** 10,
  m: 2 ** 20,
  g: 2 ** 30,
  t: 2 ** 40,
};

/** An amount of memory (`512m`, `1.5g`), in bytes. */
export function readBytes(text: string): number {
  const [, amount, unit] = /^(\d{1,9}(?:\.\d{1,3})?) ?([bkmgt]?)(?:i?b)?$/i.exec(text) ?? [];
  if (amount === undefined) throw usageError("must be an amount of memory such as 512m or 1g");
  return Math.round(Number(amount) * (unitBytes[unit?.toLowerCase() ?? ""] ?? 1));
}

/** `KEY=VALUE`, or `KEY` alone for an empty value. */
export function readLabel(text: string): readonly [key: string, value: string] {
  const [key, value] = splitPair(text);
  if (key === "") throw usageError("must be KEY=VALUE");
  return [key, value ?? ""];
}

/** `KEY=VALUE`, or `KEY` alone for the value that it has here. */
export function readEnv(text: string, env: Readonly<Record<string, string | undefined>>): string {
  const [key, value] = splitPair(text);
  if (key === "" || /\s/.test(key)) throw usageError("must be KEY=VALUE");
  if (value !== null) return text;
  const own = env[key];
  if (own === undefined) throw usageError(`${key} is not set in the environment; write ${key}=VALUE`);
  return `${key}=${own}`;
}

/** The part before the first `=`. */
export function pairKey(pair: string): string {
  return splitPair(pair)[0];
}

/** A sequence of words quoted as a shell does: `serve --name "my web"`. */
export function readWords(text: string): string[] {
  const pattern = /\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+)|\s+$/gy;
  const words: string[] = [];
  while (pattern.lastIndex < text.length) {
    const at = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw usageError(`unclosed quote at "${text.slice(at).trim()}"`);
    if (match[1] !== undefined) words.push(unquote(match[1]));
  }
  return words;
}

function unquote(word: string): string {
  const parts = word.match(/"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^"'\\]+/g) ?? [];
  return parts
    .map((part) => {
      if (part.startsWith("'")) return part.slice(1, -1);
      if (part.startsWith('"')) return part.slice(1, -1).replace(/\\(["\\$`])/g, "$1");
      return part.startsWith("\\") ? part.slice(1) : part;
    })
    .join("");
}

function splitPair(text: string): readonly [key: string, value: string | null] {
  const at = text.indexOf("=");
  return at < 0 ? [text, null] : [text.slice(0, at), text.slice(at + 1)];
}
