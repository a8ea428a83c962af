// The routing table as text: what `waggle table` shows, what edges fetch, and what a test compares.
//
//   waggle-table 2
//   version 42
//   default my-web
//   node node1 0s1a…z up 127.0.0.2 -
//   node node2 7fq3…k down 127.0.0.3 node2.example.com www2.example.com
//   node node3 k20f…e drain 127.0.0.4 -
//   service my-web 4hd0…2 leastconn
//     publish 8080:80/ingress
//     host www.example.com
//     option maxconn 20
//     server 2c4m…x legacy weight 1 backup http://10.0.0.7:8080
//     task 9xk2…b slot 1 on node1 weight 1 80=http://127.0.0.2:41233
//
// A node is up or down, and where the operator took it out of the balancer, drain or maint (down,drain when it is down
// as well). Options, and words after a weight, are printed only where they are set: docs/labels.md says what they mean.
//
// One line a thing, words set apart by one space; a word that has a space, a quote or a control character in it, is
// empty or is only `-`, stands in double quotes as JSON writes it. Every line ends in a line feed. Tasks name their
// node by its name, or by its id where two nodes share the name. The first line names the format: a reader that does
// not know it keeps its last good table. One that knows 2 reads 1 too, so that edges can be deployed before the registry.
//
// Reading is strict, because a table read wrongly sends requests astray and a table refused does not: each line must be
// the next one there can be, and what printing sorts must be sorted. It is also on the way of a request that finds an
// isolate with no table, so it goes over the text once: 10,000 tasks take a few milliseconds.

import { LineReader, lineShape, quoteWord } from "./lines.ts";
import { printService, readService } from "./service-text.ts";
import type { RoutingTable, TableNode, TableService } from "./table.ts";

const tableFormat: string = "waggle-table 2";
/** It has none of the words that 2 added, and all others alike. */
const previousTableFormat: string = "waggle-table 1";
const versionShape = lineShape("version VERSION");
const defaultShape = lineShape("default SERVICE|-");
const nodeShape = lineShape("node NAME ID up|down|drain|maint ADDRESS HOST…|-");

/** The table as text; `readTable` gives an equal one back. Same table, same bytes. */
export function printTable(table: RoutingTable): string {
  const nodeWord = nodeWords(table.nodes);
  const lines = [tableFormat, `version ${table.version}`];
  lines.push(table.defaultService === null ? "default -" : `default ${quoteWord(table.defaultService)}`);
  for (const node of table.nodes) lines.push(printNode(node));
  for (const service of table.services) {
    printService(lines, service, (nodeId) => nodeWord.get(nodeId) ?? quoteWord(nodeId));
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
  if (reader.line !== tableFormat && reader.line !== previousTableFormat)
    throw reader.errorAt(`"${tableFormat}"`);
  reader.next();
  const version = reader.integer(reader.words(versionShape)[1], "a version");
  reader.next();
  const defaultWord = reader.words(defaultShape)[1] as string;
  const defaultService = reader.line === "default -" ? null : defaultWord;
  reader.next();
  const nodes: TableNode[] = [];
  for (; reader.line.startsWith("node "); reader.next()) {
    const node = readNode(reader);
    reader.requireAscending(nodes.at(-1), node);
    nodes.push(node);
  }
  const services = readServices(reader, nodeIdsByWord(nodes));
  if (defaultService !== null && !services.some(({ name }) => name === defaultService)) {
    throw reader.errorAt("a service of this table, or -", 3);
  }
  return { version, nodes, services, defaultService };
}

/** How tasks name each node: by name where no other node has it for its name or id. Ids win when read. */
function nodeWords(nodes: readonly TableNode[]): ReadonlyMap<string, string> {
  const byWord = nodeIdsByWord(nodes);
  return new Map(nodes.map(({ id, name }) => [id, quoteWord(byWord.get(name) === id ? name : id)]));
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

function printNode(node: TableNode): string {
  const { id, name, address, hosts } = node;
  const entry = hosts.length === 0 ? "-" : hosts.map(quoteWord).join(" ");
  return `node ${quoteWord(name)} ${quoteWord(id)} ${tableNodeState(node)} ${quoteWord(address)} ${entry}`;
}

/** What the balancer makes of a node, in one word. */
export function tableNodeState({ up, admin }: Pick<TableNode, "up" | "admin">): string {
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

function readNode(reader: LineReader): TableNode {
  const words = reader.words(nodeShape);
  const [, name, id, state, address] = words as [string, string, string, string, string];
  const known = tableNodeStates.get(state);
  if (known === undefined) throw reader.errorAt([...tableNodeStates.keys()].join(", "));
  const hosts = words.length === 6 && words[5] === "-" ? [] : words.slice(5);
  reader.requireHostNames(hosts);
  return { id, name, ...known, address, hosts };
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
