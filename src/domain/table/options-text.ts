// The options of a service in the routing table's text, one per line: `  option maxconn 20`.

import { isAuthority } from "../model/host-name.ts";
import { isToken } from "../model/http-token.ts";
import { type AttemptOptions, definedOptions, maxReplayBytes, maxRetries } from "./attempt-options.ts";
import { type LineReader, lineShape, quoteWord } from "./lines.ts";
import { byPrecedence, type PathRule, printPathRule, readPathRule } from "./path-rule.ts";
import type { Canary, CanaryRule, TableOptions, TablePaths } from "./table.ts";
import type { TcpOptions } from "./tcp-options.ts";

const optionShape = lineShape("  option NAME VALUE…");

/** Adds a line for each option that is set, in this order. */
export function printOptions(lines: string[], options: TableOptions): void {
  const { sticky, via, hostHeader, maxconn, queue, queueTimeoutMs, slowStartMs, marker, canary, paths } =
    options;
  printTcpOptions(lines, options);
  if (sticky !== undefined) lines.push(`  option sticky ${sticky}`);
  if (via !== undefined) lines.push(`  option via ${via}`);
  if (hostHeader !== undefined) lines.push(`  option host-header ${hostHeader}`);
  if (maxconn !== undefined) lines.push(`  option maxconn ${maxconn}`);
  if (queue !== undefined) lines.push(`  option queue ${queue}`);
  if (queueTimeoutMs !== undefined) lines.push(`  option queue-timeout ${queueTimeoutMs}ms`);
  if (slowStartMs !== undefined) lines.push(`  option slowstart ${slowStartMs}ms`);
  if (marker !== undefined) lines.push(`  option marker ${marker}`);
  printAttemptOptions(lines, options);
  if (canary !== undefined) printCanary(lines, canary);
  for (const service of paths?.at ?? []) lines.push(`  option at ${quoteWord(service)}`);
  for (const rule of paths?.rules ?? []) lines.push(`  option path ${quoteWord(printPathRule(rule))}`);
}

function printTcpOptions(lines: string[], { mode, sendProxy, idleTimeoutMs }: TcpOptions): void {
  if (mode !== undefined) lines.push(`  option mode ${mode}`);
  if (sendProxy !== undefined) lines.push(`  option send-proxy ${sendProxy}`);
  if (idleTimeoutMs !== undefined) lines.push(`  option idle-timeout ${idleTimeoutMs}ms`);
}

function printAttemptOptions(lines: string[], options: AttemptOptions): void {
  const { headTimeoutMs, silenceMs, hedge, retries, replayBytes, bodyTimeoutMs } = options;
  if (headTimeoutMs !== undefined) lines.push(`  option head-timeout ${headTimeoutMs}ms`);
  if (silenceMs !== undefined) lines.push(`  option silence ${silenceMs}ms`);
  if (hedge !== undefined) lines.push(`  option hedge ${hedge}`);
  if (retries !== undefined) lines.push(`  option retries ${retries}`);
  if (replayBytes !== undefined) lines.push(`  option replay ${replayBytes}`);
  if (bodyTimeoutMs !== undefined) lines.push(`  option body-timeout ${bodyTimeoutMs}ms`);
}

function printCanary(lines: string[], { service, percent, header, cookie }: Canary): void {
  lines.push(`  option canary ${quoteWord(service)} ${percent}%`);
  if (header !== undefined) lines.push(`  option canary-header ${canaryRuleWord(header)}`);
  if (cookie !== undefined) lines.push(`  option canary-cookie ${canaryRuleWord(cookie)}`);
}

function canaryRuleWord({ name, value }: CanaryRule): string {
  return quoteWord(value === undefined ? name : `${name}=${value}`);
}

/** Reads the options from the current line on; null without options. */
export function readOptions(reader: LineReader): TableOptions | null {
  if (!reader.line.startsWith("  option ")) return null;
  const tcp = readTcpOptions(reader);
  const sticky = readOption(reader, "sticky", (value) => readToken(reader, value));
  const via = readOption(reader, "via", (value) => readBoolean(reader, value));
  const hostHeader = readOption(reader, "host-header", (value) => readAuthority(reader, value));
  const maxconn = readOption(reader, "maxconn", (value) => readNumberBetween(reader, value, 1));
  const queue = readOption(reader, "queue", (value) =>
    value === "unlimited" ? value : readNumberBetween(reader, value, 0),
  );
  const queueTimeoutMs = readOption(reader, "queue-timeout", (value) => readMilliseconds(reader, value));
  const slowStartMs = readOption(reader, "slowstart", (value) => readMilliseconds(reader, value));
  const marker = readOption(reader, "marker", (value) => readHeaderName(reader, value));
  const attempts = readAttemptOptions(reader);
  const canary = readCanary(reader);
  const paths = readPaths(reader);
  if (reader.line.startsWith("  option ")) {
    throw reader.errorAt("a known option, each once and in order");
  }
  return {
    ...tcp,
    ...(sticky !== undefined && { sticky }),
    ...(via !== undefined && { via }),
    ...(hostHeader !== undefined && { hostHeader }),
    ...(maxconn !== undefined && { maxconn }),
    ...(queue !== undefined && { queue }),
    ...(queueTimeoutMs !== undefined && { queueTimeoutMs }),
    ...(slowStartMs !== undefined && { slowStartMs }),
    ...(marker !== undefined && { marker }),
    ...attempts,
    ...(canary !== undefined && { canary }),
    ...(paths !== undefined && { paths }),
  };
}

function readTcpOptions(reader: LineReader): TcpOptions {
  const mode = readOption(reader, "mode", (value) => {
    if (value !== "tcp") throw reader.errorAt("tcp; http has no line");
    return value as "tcp";
  });
  const sendProxy = readOption(reader, "send-proxy", (value) => {
    if (value !== "v1" && value !== "v2") throw reader.errorAt("v1 or v2");
    return value;
  });
  const idleTimeoutMs = readOption(reader, "idle-timeout", (value) => readMilliseconds(reader, value, 0));
  return {
    ...(mode !== undefined && { mode }),
    ...(sendProxy !== undefined && { sendProxy }),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
  };
}

function readAttemptOptions(reader: LineReader): AttemptOptions {
  return definedOptions({
    headTimeoutMs: readOption(reader, "head-timeout", (value) => readMilliseconds(reader, value)),
    silenceMs: readOption(reader, "silence", (value) => readMilliseconds(reader, value, 0)),
    hedge: readOption(reader, "hedge", (value) => readBoolean(reader, value)),
    retries: readOption(reader, "retries", (value) => readNumberBetween(reader, value, 0, maxRetries)),
    replayBytes: readOption(reader, "replay", (value) => readNumberBetween(reader, value, 0, maxReplayBytes)),
    bodyTimeoutMs: readOption(reader, "body-timeout", (value) => readMilliseconds(reader, value, 0)),
  });
}

function readPaths(reader: LineReader): TablePaths | undefined {
  const at = readRepeatedOption<string>(reader, "at", (service, previous) => {
    if (previous !== undefined && service <= previous) {
      throw reader.errorAt("services in ascending order, each once");
    }
    return service;
  });
  const rules = readRepeatedOption<PathRule>(reader, "path", (text, previous) => {
    const rule = readPathRule(text);
    if (rule === null || printPathRule(rule) !== text || (rule.host === null && at.length === 0)) {
      throw reader.errorAt("/PATH or =/PATH, after a host name unless an option at precedes");
    }
    if (previous !== undefined && byPrecedence(previous, rule) >= 0) {
      throw reader.errorAt("paths in order of precedence, the longest first, each once");
    }
    return rule;
  });
  if (at.length > 0 && rules.length === 0) throw reader.errorAt('"  option path" and its value');
  return rules.length === 0 ? undefined : { at, rules };
}

function readCanary(reader: LineReader): Canary | undefined {
  const share = readOption(reader, "canary", (service, percent) => {
    if (percent?.endsWith("%") !== true) throw reader.errorAt("a share from 0% to 100%");
    return { service, percent: readNumberBetween(reader, percent.slice(0, -1), 0, 100) };
  });
  if (share === undefined) return undefined;
  const header = readOption(reader, "canary-header", (value) => readCanaryRule(reader, value));
  const cookie = readOption(reader, "canary-cookie", (value) => readCanaryRule(reader, value));
  return { ...share, ...(header !== undefined && { header }), ...(cookie !== undefined && { cookie }) };
}

/** Reads an option and goes to the next line; undefined if the current line is another one. */
function readOption<T>(
  reader: LineReader,
  name: string,
  read: (value: string, secondValue: string | undefined) => T,
): T | undefined {
  if (!reader.line.startsWith(`  option ${name} `)) return undefined;
  const words = reader.words(optionShape);
  if (words.length !== (name === "canary" ? 4 : 3)) throw reader.errorAt(`"  option ${name}" and its value`);
  const value = read(words[2] as string, words[3]);
  reader.next();
  return value;
}

/** Reads an option that may have several lines. @param read gets the value of the line before, too */
function readRepeatedOption<T>(
  reader: LineReader,
  name: string,
  read: (value: string, previous: T | undefined) => T,
): readonly T[] {
  const values: T[] = [];
  for (;;) {
    const value = readOption(reader, name, (text) => read(text, values.at(-1)));
    if (value === undefined) return values;
    values.push(value);
  }
}

function readCanaryRule(reader: LineReader, text: string): CanaryRule {
  const equals = text.indexOf("=");
  const name = readToken(reader, equals < 0 ? text : text.slice(0, equals));
  return equals < 0 ? { name } : { name, value: text.slice(equals + 1) };
}

function readToken(reader: LineReader, text: string): string {
  if (!isToken(text)) throw reader.errorAt("a header or cookie name");
  return text;
}

function readAuthority(reader: LineReader, text: string): string {
  if (!isAuthority(text)) throw reader.errorAt("a host name with or without a port");
  return text;
}

function readHeaderName(reader: LineReader, text: string): string {
  if (readToken(reader, text) !== text.toLowerCase()) throw reader.errorAt("a header name in lower case");
  return text;
}

function readMilliseconds(reader: LineReader, text: string, min: 0 | 1 = 1): number {
  if (!text.endsWith("ms")) throw reader.errorAt("a duration in milliseconds: 5000ms");
  return readNumberBetween(reader, text.slice(0, -2), min);
}

function readBoolean(reader: LineReader, text: string): boolean {
  if (text !== "true" && text !== "false") throw reader.errorAt("true or false");
  return text === "true";
}

function readNumberBetween(
  reader: LineReader,
  text: string,
  min: number,
  max = Number.MAX_SAFE_INTEGER,
): number {
  const value = reader.integer(text, "a number");
  if (value < min || value > max) throw reader.errorAt(`a number from ${min} to ${max}`);
  return value;
}
