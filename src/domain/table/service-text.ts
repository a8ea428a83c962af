// One service in the routing table's text: its ports, host names, options, servers and tasks.

import type { PublishMode } from "../model/service.ts";
import { type LineReader, type LineShape, lineShape, quoteWord } from "./lines.ts";
import { printOptions, readOptions } from "./options-text.ts";
import { policyWords, readPolicy } from "./policy.ts";
import type { DownServer, Share, TableServer, TableService, TableTask } from "./table.ts";

/** Gives the word by which tasks name a node, by its id. */
type NodeWord = (nodeId: string) => string;

/** A service without its servers and tasks. */
export type ServiceHead = Omit<TableService, keyof ServiceMembers>;

/** The servers and tasks of a service, each list ascending by id. */
export type ServiceMembers = {
  readonly servers: readonly TableServer[];
  readonly downServers: readonly DownServer[];
  readonly tasks: readonly TableTask[];
};

const serviceShape = lineShape("service NAME ID POLICY");
const hostShape = lineShape("  host NAME");
const serverShape = lineShape("  server ID NAME weight WEIGHT … ORIGIN");
const downShape = lineShape("  down ID NAME WHY");
const taskShape = lineShape("  task ID slot SLOT on NODE weight WEIGHT TARGET…");

/** The lines of a service; `nodeWord` gives the word by which tasks name a node. */
export function printService(service: TableService, nodeWord: NodeWord): string {
  return [printServiceHead(service), ...printMembers(service, nodeWord)].join("\n");
}

/** The lines of a service before those of its servers and tasks. */
export function printServiceHead({ name, id, policy, ports, hosts, options }: TableService): string {
  const lines = [`service ${quoteWord(name)} ${quoteWord(id)} ${policy}`];
  for (const { target, published, mode } of ports) lines.push(`  publish ${published}:${target}/${mode}`);
  for (const host of hosts) lines.push(`  host ${quoteWord(host)}`);
  if (options !== undefined) printOptions(lines, options);
  return lines.join("\n");
}

/** One line for each server and task of a service. */
export function printMembers(
  { servers = [], downServers = [], tasks = [] }: Partial<ServiceMembers>,
  nodeWord: NodeWord,
): readonly string[] {
  return [
    ...servers.map(printServer),
    ...downServers.map(({ id, name, why }) => `  down ${quoteWord(id)} ${quoteWord(name)} ${quoteWord(why)}`),
    ...tasks.map((task) => printTask(task, nodeWord(task.nodeId))),
  ];
}

function printServer(server: TableServer): string {
  const { id, name, origin } = server;
  return `  server ${quoteWord(id)} ${quoteWord(name)} ${shareWords(server)} ${quoteWord(origin)}`;
}

function printTask(task: TableTask, node: string): string {
  let line = `  task ${quoteWord(task.id)} slot ${task.slot} on ${node} ${shareWords(task)}`;
  for (const [target, origin] of task.endpoints) {
    line += origin === null ? ` ${target}` : ` ${quoteWord(`${target}=${origin}`)}`;
  }
  return line;
}

function shareWords({ weight, backup, standby, drain, maxconn, sinceMs }: Share): string {
  let words = `weight ${weight}`;
  if (backup === true) words += " backup";
  if (standby === true) words += " standby";
  if (drain === true) words += " drain";
  if (maxconn !== undefined) words += ` maxconn ${maxconn}`;
  if (sinceMs !== undefined) words += ` since ${sinceMs}`;
  return words;
}

/** Reads a service from its first line on; `nodeIds` are by the word that names a node. */
export function readService(reader: LineReader, nodeIds: ReadonlyMap<string, string>): TableService {
  const head = readServiceHead(reader, serviceShape);
  return serviceOf(head, readMembers(reader, nodeIds));
}

/** Reads the lines of a service before those of its servers and tasks. @param shape of the first line */
export function readServiceHead(reader: LineReader, shape: LineShape): ServiceHead {
  const [, name, id, policyWord] = reader.words(shape) as [string, string, string, string];
  const policy = readPolicy(policyWord);
  if (policy !== policyWord || policy === null) throw reader.errorAt(`policy ${policyWords}`);
  reader.next();
  const ports: TableService["ports"][number][] = [];
  for (; reader.line.startsWith("  publish "); reader.next())
    ports.push(readPort(reader, ports.at(-1)?.published ?? 0));
  const hosts: string[] = [];
  for (; reader.line.startsWith("  host "); reader.next()) {
    hosts.push(reader.words(hostShape)[1] as string);
    reader.requireHostNames(hosts.slice(-2));
  }
  const options = readOptions(reader);
  return { id, name, policy, ports, hosts, ...(options !== null && { options }) };
}

/** Reads the lines of a service's servers and tasks. */
export function readMembers(reader: LineReader, nodeIds: ReadonlyMap<string, string>): ServiceMembers {
  const servers = readServers(reader);
  const downServers = readDownServers(reader);
  const tasks: TableTask[] = [];
  for (; reader.line.startsWith("  task "); reader.next()) {
    const task = readTask(reader, nodeIds);
    if (task.id <= (tasks.at(-1)?.id ?? ""))
      throw reader.errorAt("tasks in ascending order of ids, each once");
    tasks.push(task);
  }
  return { servers, downServers, tasks };
}

/** A service of its parts. */
export function serviceOf(head: ServiceHead, { servers, downServers, tasks }: ServiceMembers): TableService {
  return {
    ...head,
    ...(servers.length > 0 && { servers }),
    ...(downServers.length > 0 && { downServers }),
    tasks,
  };
}

function readPort(reader: LineReader, previous: number): TableService["ports"][number] {
  const [, published, target, mode] = /^ {2}publish (\d+):(\d+)\/(ingress|host)$/.exec(reader.line) ?? [];
  if (mode === undefined) throw reader.errorAt('"  publish PUBLISHED:TARGET/ingress|host"');
  const port = { target: reader.port(target), published: reader.port(published), mode: mode as PublishMode };
  if (port.published <= previous) throw reader.errorAt("published ports in ascending order, each once");
  return port;
}

function readServers(reader: LineReader): readonly TableServer[] {
  const servers: TableServer[] = [];
  for (; reader.line.startsWith("  server "); reader.next()) {
    const words = reader.words(serverShape);
    const [, id, name] = words as [string, string, string];
    if (id <= (servers.at(-1)?.id ?? ""))
      throw reader.errorAt("servers in ascending order of ids, each once");
    const origin = words[words.length - 1] as string;
    const { share, next } = readShare(reader, words, 3, serverShape.text);
    if (next !== words.length - 1) throw reader.errorAt(`"${serverShape.text}"`);
    servers.push({ id, name, ...share, origin });
  }
  return servers;
}

function readDownServers(reader: LineReader): readonly DownServer[] {
  const servers: DownServer[] = [];
  for (; reader.line.startsWith("  down "); reader.next()) {
    const [, id, name, why] = reader.words(downShape) as [string, string, string, string];
    if (id <= (servers.at(-1)?.id ?? ""))
      throw reader.errorAt("servers in ascending order of ids, each once");
    servers.push({ id, name, why });
  }
  return servers;
}

function readTask(reader: LineReader, nodeIds: ReadonlyMap<string, string>): TableTask {
  const words = reader.words(taskShape);
  if (words[2] !== "slot" || words[4] !== "on") throw reader.errorAt(`"${taskShape.text}"`);
  const nodeId = nodeIds.get(words[5] as string);
  if (nodeId === undefined) throw reader.errorAt(`a node of this table, not "${words[5]}"`);
  const id = words[1] as string;
  const slot = reader.integer(words[3], "a slot");
  // The fast path: nearly every task has one endpoint and no flags, and a table has thousands of tasks.
  if (words.length === 9 && words[6] === "weight") {
    const weight = reader.integer(words[7], "a weight");
    return { id, slot, nodeId, weight, endpoints: readEndpoints(reader, words, 8) };
  }
  const { share, next } = readShare(reader, words, 6, taskShape.text);
  return { id, slot, nodeId, ...share, endpoints: readEndpoints(reader, words, next) };
}

function readEndpoints(reader: LineReader, words: readonly string[], from: number): TableTask["endpoints"] {
  if (from >= words.length) throw reader.errorAt(`"${taskShape.text}"`);
  const endpoints: (readonly [number, string | null])[] = [];
  for (let index = from, previous = 0; index < words.length; index += 1) {
    const text = words[index] as string;
    const equals = text.indexOf("=");
    const target = reader.port(equals < 0 ? text : text.slice(0, equals));
    if (target <= previous) throw reader.errorAt("target ports in ascending order, each once");
    endpoints.push([target, equals < 0 ? null : text.slice(equals + 1)]);
    previous = target;
  }
  return endpoints;
}

/**
 * Reads `weight N` and the optional words after it, in a fixed order. The last word of a line is never one of
 * them.
 */
function readShare(
  reader: LineReader,
  words: readonly string[],
  from: number,
  expected: string,
): { readonly share: Share; readonly next: number } {
  if (words[from] !== "weight") throw reader.errorAt(`"${expected}"`);
  const last = words.length - 1;
  let next = from + 2;
  const weight = reader.integer(words[from + 1], "a weight");
  const flag = (name: string) => next < last && words[next] === name && ++next > 0;
  const number = (name: string, min: number) => {
    if (next + 1 >= last || words[next] !== name) return undefined;
    const value = reader.integer(words[next + 1], `${name} N`);
    if (value < min) throw reader.errorAt(`${name} from ${min}`);
    next += 2;
    return value;
  };
  const backup = flag("backup");
  const standby = flag("standby");
  const drain = flag("drain");
  const maxconn = number("maxconn", 1);
  const sinceMs = number("since", 0);
  const share: Share = {
    weight,
    ...(backup && { backup }),
    ...(standby && { standby }),
    ...(drain && { drain }),
    ...(maxconn !== undefined && { maxconn }),
    ...(sinceMs !== undefined && { sinceMs }),
  };
  return { share, next };
}
