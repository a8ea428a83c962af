// The options of a service in a printed routing table, a line each: `  option maxconn 20`.

import { byPrecedence, type PathRule, printPathRule, readPathRule } from "./path-rule.ts";
import { isToken } from "./policy.ts";
import type { Canary, CanaryRule, TableOptions, TablePaths } from "./table.ts";
import { type LineReader, shape, word } from "./table-lines.ts";

const optionShape = shape("  option NAME VALUE…");

/** Adds a line for each option that is set, always in this order. */
export function printOptions(lines: string[], options: TableOptions): void {
  const { sticky, maxconn, queue, queueTimeoutMs, slowStartMs, marker, canary, paths } = options;
  if (sticky !== undefined) lines.push(`  option sticky ${sticky}`);
  if (maxconn !== undefined) lines.push(`  option maxconn ${maxconn}`);
  if (queue !== undefined) lines.push(`  option queue ${queue}`);
  if (queueTimeoutMs !== undefined) lines.push(`  option queue-timeout ${queueTimeoutMs}ms`);
  if (slowStartMs !== undefined) lines.push(`  option slowstart ${slowStartMs}ms`);
  if (marker !== undefined) lines.push(`  option marker ${marker}`);
  if (canary !== undefined) printCanary(lines, canary);
  for (const service of paths?.at ?? []) lines.push(`  option at ${word(service)}`);
  for (const one of paths?.rules ?? []) lines.push(`  option path ${word(printPathRule(one))}`);
}

function printCanary(lines: string[], { service, percent, header, cookie }: Canary): void {
  lines.push(`  option canary ${word(service)} ${percent}%`);
  if (header !== undefined) lines.push(`  option canary-header ${ruleWord(header)}`);
  if (cookie !== undefined) lines.push(`  option canary-cookie ${ruleWord(cookie)}`);
}

function ruleWord({ name, value }: CanaryRule): string {
  return word(value === undefined ? name : `${name}=${value}`);
}

/** The options at the present line; null when there is none. */
export function readOptions(reader: LineReader): TableOptions | null {
  if (!reader.line.startsWith("  option ")) return null;
  const sticky = take(reader, "sticky", (value) => aToken(reader, value));
  const maxconn = take(reader, "maxconn", (value) => count(reader, value, 1));
  const queue = take(reader, "queue", (value) => count(reader, value, 0));
  const queueTimeoutMs = take(reader, "queue-timeout", (value) => milliseconds(reader, value));
  const slowStartMs = take(reader, "slowstart", (value) => milliseconds(reader, value));
  const marker = take(reader, "marker", (value) => aHeader(reader, value));
  const canary = readCanary(reader);
  const paths = readPaths(reader);
  if (reader.line.startsWith("  option ")) {
    throw reader.refuse("an option this format has, each once and in its order");
  }
  return {
    ...(sticky !== undefined && { sticky }),
    ...(maxconn !== undefined && { maxconn }),
    ...(queue !== undefined && { queue }),
    ...(queueTimeoutMs !== undefined && { queueTimeoutMs }),
    ...(slowStartMs !== undefined && { slowStartMs }),
    ...(marker !== undefined && { marker }),
    ...(canary !== undefined && { canary }),
    ...(paths !== undefined && { paths }),
  };
}

function readPaths(reader: LineReader): TablePaths | undefined {
  const at = takeAll<string>(reader, "at", (service, before) => {
    if (before !== undefined && service <= before) throw reader.refuse("services in order, each once");
    return service;
  });
  const rules = takeAll<PathRule>(reader, "path", (text, before) => {
    const rule = readPathRule(text);
    if (rule === null || printPathRule(rule) !== text || (rule.host === null && at.length === 0)) {
      throw reader.refuse("/PATH or =/PATH, with a host name before it where no service stands above");
    }
    if (before !== undefined && byPrecedence(before, rule) >= 0) {
      throw reader.refuse("paths in order, the longest first, each once");
    }
    return rule;
  });
  if (at.length > 0 && rules.length === 0) throw reader.refuse('"  option path" and its value');
  return rules.length === 0 ? undefined : { at, rules };
}

function readCanary(reader: LineReader): Canary | undefined {
  const share = take(reader, "canary", (service, percent) => {
    if (percent?.endsWith("%") !== true) throw reader.refuse("a share of 0% to 100%");
    return { service, percent: count(reader, percent.slice(0, -1), 0, 100) };
  });
  if (share === undefined) return undefined;
  const header = take(reader, "canary-header", (value) => rule(reader, value));
  const cookie = take(reader, "canary-cookie", (value) => rule(reader, value));
  return { ...share, ...(header !== undefined && { header }), ...(cookie !== undefined && { cookie }) };
}

/** What the present line says of an option, and on to the next line; undefined when it is about something else. */
function take<T>(
  reader: LineReader,
  name: string,
  read: (value: string, more: string | undefined) => T,
): T | undefined {
  if (!reader.line.startsWith(`  option ${name} `)) return undefined;
  const words = reader.words(optionShape);
  if (words.length !== (name === "canary" ? 4 : 3)) throw reader.refuse(`"  option ${name}" and its value`);
  const value = read(words[2] as string, words[3]);
  reader.next();
  return value;
}

/** The same of an option that may stand in several lines. @param read gets what the line before said */
function takeAll<T>(
  reader: LineReader,
  name: string,
  read: (value: string, before: T | undefined) => T,
): readonly T[] {
  const all: T[] = [];
  for (;;) {
    const one = take(reader, name, (value) => read(value, all.at(-1)));
    if (one === undefined) return all;
    all.push(one);
  }
}

function rule(reader: LineReader, text: string): CanaryRule {
  const equals = text.indexOf("=");
  const name = aToken(reader, equals < 0 ? text : text.slice(0, equals));
  return equals < 0 ? { name } : { name, value: text.slice(equals + 1) };
}

function aToken(reader: LineReader, text: string): string {
  if (!isToken(text)) throw reader.refuse("the name of a header or a cookie");
  return text;
}

function aHeader(reader: LineReader, text: string): string {
  if (aToken(reader, text) !== text.toLowerCase()) throw reader.refuse("the name of a header in lower case");
  return text;
}

function milliseconds(reader: LineReader, text: string): number {
  if (!text.endsWith("ms")) throw reader.refuse("a time in milliseconds: 5000ms");
  return count(reader, text.slice(0, -2), 1);
}

function count(reader: LineReader, text: string, least: number, most = Number.MAX_SAFE_INTEGER): number {
  const value = reader.integer(text, "a number");
  if (value < least || value > most) throw reader.refuse(`a number from ${least} to ${most}`);
  return value;
}
