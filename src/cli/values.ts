// Parses single values of the command line: counts, sizes, KEY=VALUE pairs, quoted words.

import { dialedHost, whyNeverDialed } from "../domain/model/dialed-host.ts";
import { usageError } from "./errors.ts";

/** A whole number of at most 15 digits, which JSON represents exactly. */
export function readCountArgument(text: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  throw usageError("must be a whole number, 0 or more");
}

/** A port to listen on; 0 lets the operating system choose. */
export function readListenPort(text: string): number {
  const port = readCountArgument(text);
  if (port > 65_535) throw usageError("must be a port, 0 to 65535");
  return port;
}

/** An address to listen at: `::1`, also in brackets, or a host name of this machine. */
export function readListenAddress(text: string): string {
  const bare = /^\[([^\]]*)\]$/.exec(text)?.[1] ?? text;
  const address = dialedHost(bare);
  if (address === null)
    throw usageError("must be an address such as 127.0.0.1, ::1 or 0.0.0.0; --port sets the port");
  if (address.includes(":") && whyNeverDialed(address)?.includes("link-local"))
    throw usageError("must be an address that needs no zone, such as ::1 or ::");
  return address;
}

/** A number of CPUs (`0.5`), in billionths of a CPU. */
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

/** `KEY=VALUE`, or `KEY` for an empty value. */
export function readLabel(text: string): readonly [key: string, value: string] {
  const [key, value] = splitPair(text);
  if (key === "") throw usageError("must be KEY=VALUE");
  return [key, value ?? ""];
}

/** `KEY=VALUE`, or `KEY` for its value in the environment. */
export function readEnv(text: string, env: Readonly<Record<string, string | undefined>>): string {
  const [key, value] = splitPair(text);
  if (key === "" || /\s/.test(key)) throw usageError("must be KEY=VALUE");
  if (value !== null) return text;
  const inherited = env[key];
  if (inherited === undefined) throw usageError(`${key} is not set in the environment; write ${key}=VALUE`);
  return `${key}=${inherited}`;
}

/** The key of `KEY=VALUE`. */
export function pairKey(pair: string): string {
  return splitPair(pair)[0];
}

/** Words with the quoting of a shell: `serve --name "my web"`. */
export function readWords(text: string): string[] {
  const pattern = /\s*((?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+)|\s+$/gy;
  const words: string[] = [];
  while (pattern.lastIndex < text.length) {
    const start = pattern.lastIndex;
    const match = pattern.exec(text);
    if (match === null) throw usageError(`unclosed quote at "${text.slice(start).trim()}"`);
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
  const index = text.indexOf("=");
  return index < 0 ? [text, null] : [text.slice(0, index), text.slice(index + 1)];
}
