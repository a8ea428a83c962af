// The routing table as text: what `waggle table` shows, what edges fetch, and what a test compares.
//
//   waggle-table 1
//   version 42
//   default my-web
//   node node1 0s1a…z up 127.0.0.2 -
//   node node2 7fq3…k down 127.0.0.3 node2.example.com www2.example.com
//   service my-web 4hd0…2 roundrobin
//     publish 8080:80/ingress
//     host www.example.com
//     task 9xk2…b slot 1 on node1 weight 1 80=http://127.0.0.2:41233
//
// One line a thing, words set apart by one space; a word that has a space, a quote or a control character in it, is
// empty or is only `-`, stands in double quotes as JSON writes it. Every line ends in a line feed. Tasks name their
// node by its name, or by its id where two nodes share the name. The first line names the format: a reader that does
// not know it keeps its last good table.
//
// Reading is strict, because a table read wrongly sends requests astray and a table refused does not: each line must be
// the next one there can be, and what printing sorts must be sorted. It is also on the way of a request that finds an
// isolate with no table, so it goes over the text once: 10,000 tasks take a few milliseconds.

import { MeshError } from "./error.ts";
import { isHostName } from "./labels.ts";
import type { PublishMode } from "./service.ts";
import type { RoutingTable, TableNode, TableService, TableTask } from "./table.ts";

const format: string = "waggle-table 1";
const versionShape = shape("version VERSION");
const defaultShape = shape("default SERVICE|-");
const nodeShape = shape("node NAME ID up|down ADDRESS HOST…|-");
const serviceShape = shape("service NAME ID roundrobin");
const hostShape = shape("  host NAME");
const taskShape = shape("  task ID slot SLOT on NODE weight WEIGHT TARGET=ORIGIN…");

/** The table as text; `readTable` gives an equal one back. Same table, same bytes. */
export function printTable(table: RoutingTable): string {
  const nodeWord = nodeWords(table.nodes);
  const lines = [format, `version ${table.version}`];
  lines.push(table.defaultService === null ? "default -" : `default ${word(table.defaultService)}`);
  for (const node of table.nodes) lines.push(printNode(node));
  for (const { name, id, policy, ports, hosts, tasks } of table.services) {
    lines.push(`service ${word(name)} ${word(id)} ${policy}`);
    for (const { target, published, mode } of ports) lines.push(`  publish ${published}:${target}/${mode}`);
    for (const host of hosts) lines.push(`  host ${word(host)}`);
    for (const task of tasks) lines.push(printTask(task, nodeWord.get(task.nodeId) ?? word(task.nodeId)));
  }
  lines.push("");
  return lines.join("\n");
}

/**
 * The table a text says.
 *
 * @throws MeshError `table/invalid` naming the line, what was read and what was expected
 */
export function readTable(text: string): RoutingTable {
  const reader = new LineReader(text);
  if (reader.line !== format) throw reader.refuse(`"${format}"`);
  reader.next();
  const version = reader.integer(reader.words(versionShape)[1], "a version");
  reader.next();
  const defaultWord = reader.words(defaultShape)[1] as string;
  const defaultService = reader.line === "default -" ? null : defaultWord;
  reader.next();
  const nodes: TableNode[] = [];
  for (; reader.line.startsWith("node "); reader.next()) {
    const node = readNode(reader);
    reader.ascends(nodes.at(-1), node);
    nodes.push(node);
  }
  const services = readServices(reader, nodeIdsByWord(nodes));
  if (defaultService !== null && !services.some(({ name }) => name === defaultService)) {
    throw reader.refuse("a service of this table, or -", 3);
  }
  return { version, nodes, services, defaultService };
}

/** How tasks name each node: by name where no other node has it for its name or id. Ids win when read. */
function nodeWords(nodes: readonly TableNode[]): ReadonlyMap<string, string> {
  const byWord = nodeIdsByWord(nodes);
  return new Map(nodes.map(({ id, name }) => [id, word(byWord.get(name) === id ? name : id)]));
}

function nodeIdsByWord(nodes: readonly TableNode[]): ReadonlyMap<string, string> {
  const ids = new Map<string, string>();
  const shared = new Set<string>();
  for (const { id, name } of nodes) {
    if (ids.has(name)) shared.add(name);
    ids.set(name, id);
  }
  for (const name of shared) ids.delete(name);
  for (const { id } of nodes) ids.set(id, id);
  return ids;
}

function printNode({ id, name, up, address, hosts }: TableNode): string {
  const entry = hosts.length === 0 ? "-" : hosts.map(word).join(" ");
  return `node ${word(name)} ${word(id)} ${up ? "up" : "down"} ${word(address)} ${entry}`;
}

function printTask({ id, slot, weight, endpoints }: TableTask, node: string): string {
  let line = `  task ${word(id)} slot ${slot} on ${node} weight ${weight}`;
  for (const [target, origin] of endpoints) line += ` ${word(`${target}=${origin}`)}`;
  return line;
}

/** A word as it stands in the text. */
function word(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what has to be quoted
  return /^[^\s"\u0000-\u001f\u007f]+$/.test(text) && text !== "-" ? text : JSON.stringify(text);
}

function readNode(reader: LineReader): TableNode {
  const words = reader.words(nodeShape);
  const [, name, id, state, address] = words as [string, string, string, string, string];
  if (state !== "up" && state !== "down") throw reader.refuse('"up" or "down"');
  const hosts = words.length === 6 && words[5] === "-" ? [] : words.slice(5);
  reader.hostNames(hosts);
  return { id, name, up: state === "up", address, hosts };
}

function readServices(reader: LineReader, nodeIds: ReadonlyMap<string, string>): readonly TableService[] {
  const services: TableService[] = [];
  while (!reader.ended) {
    if (!reader.line.startsWith("service ")) {
      throw reader.refuse(
        services.length > 0 ? '"  task", "service" or the end' : '"node", "service" or the end',
      );
    }
    const service = readService(reader, nodeIds);
    reader.ascends(services.at(-1), service);
    services.push(service);
  }
  return services;
}

function readService(reader: LineReader, nodeIds: ReadonlyMap<string, string>): TableService {
  const [, name, id, policy] = reader.words(serviceShape) as [string, string, string, string];
  if (policy !== "roundrobin") throw reader.refuse('policy "roundrobin"');
  reader.next();
  const ports: TableService["ports"][number][] = [];
  for (; reader.line.startsWith("  publish "); reader.next())
    ports.push(readPort(reader, ports.at(-1)?.published ?? 0));
  const hosts: string[] = [];
  for (; reader.line.startsWith("  host "); reader.next()) {
    hosts.push(reader.words(hostShape)[1] as string);
    reader.hostNames(hosts.slice(-2));
  }
  const tasks: TableTask[] = [];
  for (; reader.line.startsWith("  task "); reader.next()) {
    const task = readTask(reader, nodeIds);
    if (task.id <= (tasks.at(-1)?.id ?? "")) throw reader.refuse("tasks in order of their ids, each once");
    tasks.push(task);
  }
  return { id, name, policy, ports, hosts, tasks };
}

function readPort(reader: LineReader, after: number): TableService["ports"][number] {
  const [, published, target, mode] = /^ {2}publish (\d+):(\d+)\/(ingress|host)$/.exec(reader.line) ?? [];
  if (mode === undefined) throw reader.refuse('"  publish PUBLISHED:TARGET/ingress|host"');
  const port = { target: reader.port(target), published: reader.port(published), mode: mode as PublishMode };
  if (port.published <= after) throw reader.refuse("published ports in order, each once");
  return port;
}

function readTask(reader: LineReader, nodeIds: ReadonlyMap<string, string>): TableTask {
  const words = reader.words(taskShape);
  if (words[2] !== "slot" || words[4] !== "on" || words[6] !== "weight")
    throw reader.refuse(`"${taskShape.text}"`);
  const nodeId = nodeIds.get(words[5] as string);
  if (nodeId === undefined) throw reader.refuse(`a node of this table, not "${words[5]}"`);
  const endpoints: (readonly [number, string])[] = [];
  for (let at = 8, before = 0; at < words.length; at += 1) {
    const text = words[at] as string;
    const equals = text.indexOf("=");
    const target = reader.port(text.slice(0, Math.max(equals, 0)));
    if (target <= before) throw reader.refuse("target ports in order, each once");
    endpoints.push([target, text.slice(equals + 1)]);
    before = target;
  }
  const slot = reader.integer(words[3], "a slot");
  return { id: words[1] as string, slot, nodeId, weight: reader.integer(words[7], "a weight"), endpoints };
}

/** What a line looks like. */
type Shape = {
  readonly text: string;
  readonly indent: number;
  readonly head: string;
  /** How many words it has; at least so many where it ends in `…`. */
  readonly words: number;
  readonly open: boolean;
};

function shape(text: string): Shape {
  const indent = text.length - text.trimStart().length;
  const words = text.trimStart().split(" ");
  return { text, indent, head: words[0] ?? "", words: words.length, open: text.includes("…") };
}

/** The lines of a text, one after the other, and the refusal of the present one. */
class LineReader {
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
  get ended(): boolean {
    return this.line === "" && this.#at === this.#lines.length - 1;
  }

  next(): void {
    this.#at += 1;
    this.line = this.#lines[this.#at] ?? "";
  }

  /** The words of the line, which has to be of this shape. */
  words({ text, indent, head, words: wanted, open }: Shape): readonly string[] {
    const body = indent > 0 ? this.line.slice(indent) : this.line;
    const words = this.#quotes && body.includes('"') ? quotedWords(body) : bareWords(body);
    if (words === null || words[0] !== head || words.length < wanted || (words.length > wanted && !open)) {
      throw this.refuse(`"${text}"`);
    }
    return words;
  }

  integer(text: string | undefined, what: string): number {
    const value = Number(text);
    if (!Number.isSafeInteger(value) || value < 0 || String(value) !== text) {
      throw this.refuse(`${what}, a whole number from 0`);
    }
    return value;
  }

  port(text: string | undefined): number {
    const value = Number(text);
    if (!(value >= 1 && value <= 65_535) || String(value) !== text || !Number.isInteger(value)) {
      throw this.refuse("a port from 1 to 65535");
    }
    return value;
  }

  /** Refuses the line unless these are host names in order. */
  hostNames(hosts: readonly string[]): void {
    for (const [at, host] of hosts.entries()) {
      if (!isHostName(host)) throw this.refuse(`a host name in lower case, not ${JSON.stringify(host)}`);
      if (host <= (hosts[at - 1] ?? "")) throw this.refuse("host names in order, each once");
    }
  }

  /** Refuses the line unless its thing comes after the one before it. */
  ascends(before: { name: string; id: string } | undefined, now: { name: string; id: string }): void {
    if (before === undefined || before.name < now.name) return;
    if (before.name === now.name && before.id < now.id) return;
    throw this.refuse("names in order, and ids where names are alike");
  }

  /** The error of a line, the present one unless told; `expected` ends the sentence. */
  refuse(expected: string, at = this.#at + 1): MeshError {
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
