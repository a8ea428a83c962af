// The routing table as text: `waggle table` prints it, routers fetch it and tests compare it.
//
//   waggle-table 3
//   version 42
//   default my-web
//   key k7f2a9qp
//   node node1 0s1a…z up 10.0.0.5 direct http://10.0.0.5:7946 -
//   node node2 7fq3…k down 192.168.1.3 tunnel - node2.example.com www2.example.com
//   node node3 k20f…e drain node3.example.com direct https://node3.example.com:7946 -
//   service my-web 4hd0…2 leastconn
//     publish 8080:80/ingress
//     host www.example.com
//     option maxconn 20
//     server 2c4m…x legacy weight 1 backup http://10.0.0.7:8080
//     task 9xk2…b slot 1 on node1 weight 1 80 443
//
// The key is the one that routers sign attempts with, `-` without one; its secret is not in the table.
//
// A node is up or down, or shows its admin state, drain or maint (down,drain if it is down as well); then its
// address, and how its gateway is reached: a transport and a base URL, or `- -` before its agent said hello.
// Options and the words after a weight are printed only if they are set; docs/labels.md explains them.
//
// Each object is one line, with one space between words. A word that contains a space, a quote or a control
// character, is empty or is only `-`, is printed as a JSON string. Every line ends in a line feed. Tasks name
// their node by its name, or by its id if two nodes share the name. The first line names the format: a router
// that does not know it keeps its last good table. A reader of format 3 reads format 2 too, so that edges can
// be deployed before the registry: there, nodes have no gateway and tasks have origins, `80=http://10.0.0.5:41233`.
//
// Reading is strict: a misread table would misroute requests, and a refused one does not. Every line must be
// allowed at its position, and everything that printing sorts must be sorted. A request to an isolate without
// a table waits for reading, so it takes one pass: a few milliseconds for 10,000 tasks.

import { isTransport, transports } from "../model/node-gateway.ts";
import { LineReader, lineShape, quoteWord } from "./lines.ts";
import { printService, readService } from "./service-text.ts";
import type { RoutingTable, TableGateway, TableNode, TableService } from "./table.ts";

/** The format that `printTable` prints. */
export const printedTableFormat = 3;
/** Its nodes have no gateway. */
const previousTableFormat = 2;
/** The formats that `readTable` reads, the newest first. */
export const readableTableFormats: readonly number[] = [printedTableFormat, previousTableFormat];
const formatLine = `waggle-table ${printedTableFormat}`;
const previousFormatLine = `waggle-table ${previousTableFormat}`;
const versionShape = lineShape("version VERSION");
const defaultShape = lineShape("default SERVICE|-");
const keyShape = lineShape("key ID|-");
const nodeShape = lineShape("node NAME ID up|down|drain|maint ADDRESS TRANSPORT BASE HOST…|-");
const previousNodeShape = lineShape("node NAME ID up|down|drain|maint ADDRESS HOST…|-");

/**
 * Prints a table; equal tables give equal bytes, and `readTable` reads an equal table back.
 *
 * @see docs/decisions/0002-routing-table-as-text.md
 */
export function printTable(table: RoutingTable): string {
  const words = nodeWords(table.nodes);
  return joinTable({
    ...table,
    nodes: table.nodes.map(printNode),
    services: table.services.map((service) => printTableService(service, words)),
  });
}

/** The text of a table from its printed nodes and services, in their order. */
export function joinTable({
  version,
  defaultService,
  signingKey,
  nodes,
  services,
}: Pick<RoutingTable, "version" | "defaultService" | "signingKey"> & {
  readonly nodes: readonly string[];
  readonly services: readonly string[];
}): string {
  const head = [formatLine, `version ${version}`, ...settingLines({ defaultService, signingKey })];
  return [...head, ...nodes, ...services, ""].join("\n");
}

/** The lines of a service. @param words by node, the word that names it */
export function printTableService(service: TableService, words: ReadonlyMap<string, string>): string {
  return printService(service, (nodeId) => words.get(nodeId) ?? quoteWord(nodeId));
}

/**
 * Reads a table.
 *
 * @throws MeshError `table/invalid` with the line number, the line and what was expected
 * @see docs/decisions/0002-routing-table-as-text.md
 */
export function readTable(text: string): RoutingTable {
  const reader = new LineReader(text);
  const isPrevious = reader.line === previousFormatLine;
  if (reader.line !== formatLine && !isPrevious) throw reader.errorAt(`"${formatLine}"`);
  reader.next();
  const version = reader.integer(reader.words(versionShape)[1], "a version");
  reader.next();
  const defaultService = readDefault(reader);
  const signingKey = isPrevious ? null : readKey(reader);
  const nodes: TableNode[] = [];
  for (; reader.line.startsWith("node "); reader.next()) {
    const node = isPrevious ? readPreviousNode(reader) : readNode(reader);
    reader.requireAscending(nodes.at(-1), node);
    nodes.push(node);
  }
  const services = readServices(reader, nodeIdsByWord(nodes));
  if (defaultService !== null && !services.some(({ name }) => name === defaultService)) {
    throw reader.errorAt("a service of this table, or -", 3);
  }
  return { version, nodes, services, defaultService, signingKey };
}

/** The lines of a table that are about all services. */
export function settingLines({
  defaultService,
  signingKey,
}: Pick<RoutingTable, "defaultService" | "signingKey">): readonly string[] {
  return [
    defaultService === null ? "default -" : `default ${quoteWord(defaultService)}`,
    signingKey === null ? "key -" : `key ${quoteWord(signingKey)}`,
  ];
}

/** Reads the line of the default service. */
export function readDefault(reader: LineReader): string | null {
  const word = reader.words(defaultShape)[1] as string;
  const name = reader.line === "default -" ? null : word;
  reader.next();
  return name;
}

/** Reads the line of the signing key. */
export function readKey(reader: LineReader): string | null {
  const key = reader.line === "key -" ? null : (reader.words(keyShape)[1] as string);
  reader.next();
  return key;
}

/** The word by which tasks name each node: its name if no other node has that name or id, else its id. */
export function nodeWords(nodes: readonly NamedNode[]): ReadonlyMap<string, string> {
  const byWord = nodeIdsByWord(nodes);
  return new Map(nodes.map(({ id, name }) => [id, quoteWord(byWord.get(name) === id ? name : id)]));
}

type NamedNode = Pick<TableNode, "id" | "name">;

/** Ids of nodes by the words that name them. */
export function nodeIdsByWord(nodes: readonly NamedNode[]): ReadonlyMap<string, string> {
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

/** The line of a node. */
export function printNode(node: TableNode): string {
  const { id, name, address, gateway, hosts } = node;
  const way = gateway === undefined ? "- -" : `${gateway.transport} ${gateway.base || "-"}`;
  const entry = hosts.length === 0 ? "-" : hosts.map(quoteWord).join(" ");
  return `node ${quoteWord(name)} ${quoteWord(id)} ${tableNodeState(node)} ${quoteWord(address)} ${way} ${entry}`;
}

/** The state of a node at the edge, in one word. */
function tableNodeState({ up, admin }: Pick<TableNode, "up" | "admin">): string {
  if (admin === undefined) return up ? "up" : "down";
  return up ? admin : `down,${admin}`;
}

const tableNodeStates = new Map<string, Pick<TableNode, "up" | "admin">>(
  (
    [
      { up: true },
      { up: false },
      { up: true, admin: "drain" },
      { up: true, admin: "maint" },
      { up: false, admin: "drain" },
      { up: false, admin: "maint" },
    ] as const
  ).map((state) => [tableNodeState(state), state]),
);

/** Reads the line of a node. */
export function readNode(reader: LineReader): TableNode {
  const words = reader.words(nodeShape);
  const gateway = readGateway(reader, words[5] as string, words[6] as string);
  return nodeOf(reader, words, gateway, 7);
}

function readPreviousNode(reader: LineReader): TableNode {
  return nodeOf(reader, reader.words(previousNodeShape), null, 5);
}

function readGateway(reader: LineReader, transport: string, base: string): TableGateway | null {
  if (transport === "-" && base === "-") return null;
  if (!isTransport(transport)) throw reader.errorAt(`${transports.join(", ")} or -`);
  if ((transport === "tunnel") !== (base === "-")) throw reader.errorAt("a base URL, or - for a tunnel");
  if (base !== "-" && URL.parse(base)?.origin !== base) throw reader.errorAt("a base URL, http://HOST:PORT");
  return { transport, base: base === "-" ? "" : base };
}

/** A node from the words of its line; `at` is the index of the first host name. */
function nodeOf(
  reader: LineReader,
  words: readonly string[],
  gateway: TableGateway | null,
  at: number,
): TableNode {
  const [, name, id, state, address] = words as [string, string, string, string, string];
  const known = tableNodeStates.get(state);
  if (known === undefined) throw reader.errorAt([...tableNodeStates.keys()].join(", "));
  const hosts = words.length === at + 1 && words[at] === "-" ? [] : words.slice(at);
  reader.requireHostNames(hosts);
  return { id, name, ...known, address, ...(gateway !== null && { gateway }), hosts };
}

function readServices(reader: LineReader, nodeIds: ReadonlyMap<string, string>): readonly TableService[] {
  const services: TableService[] = [];
  while (!reader.isAtEnd) {
    if (!reader.line.startsWith("service ")) {
      throw reader.errorAt(
        services.length > 0 ? '"  task", "service" or the end' : '"node", "service" or the end',
      );
    }
    const service = readService(reader, nodeIds);
    reader.requireAscending(services.at(-1), service);
    services.push(service);
  }
  return services;
}
