// Applies a change (change-text.ts) to a routing table. What did not change is shared with the table before, so that
// whatever was derived from a service of it stays right.

import { compareStrings } from "../model/compare.ts";
import { MeshError } from "../model/error.ts";
import { changeFormatLine } from "./change-text.ts";
import { LineReader, lineShape } from "./lines.ts";
import { PartsHash, tableHash } from "./parts-hash.ts";
import {
  printMembers,
  printServiceHead,
  readMembers,
  readService,
  readServiceHead,
  type ServiceHead,
  type ServiceMembers,
  serviceOf,
} from "./service-text.ts";
import { byTableOrder, type RoutingTable, type TableNode, type TableService } from "./table.ts";
import { nodeIdsByWord, nodeWords, printNode, readDefault, readKey, readNode, readTable } from "./text.ts";

const changeTitle = "change of the routing table";
const fromShape = lineShape("from VERSION");
const toShape = lineShape("to VERSION HASH");
const goneShape = lineShape("gone node|service ID");
const settingsShape = lineShape("settings NAME ID POLICY");
const membersShape = lineShape("members ID");
const goneMemberShape = lineShape("  gone server|down|task ID");

/** The hash of each table's nodes and services, once it was needed. */
const partsHashes = new WeakMap<RoutingTable, PartsHash>();

/**
 * Reads what a router got: a whole table, or a change of the one that it holds.
 *
 * @throws MeshError as `readTable` and `applyTableChange`
 */
export function readTableUpdate(text: string, held: RoutingTable | null): RoutingTable {
  if (!isTableChange(text)) return readTable(text);
  if (held === null) throw mismatch("there is no table that it changes");
  return applyTableChange(held, text);
}

/** True for a change, false for a whole table, of any format. */
export function isTableChange(text: string): boolean {
  return text.startsWith("waggle-change ");
}

/**
 * True for a change of an earlier version than the one that the router has: another call brought a newer one meanwhile.
 *
 * @throws MeshError `table/invalid` if it cannot be read
 */
export function isOvertaken(text: string, heldVersion: number): boolean {
  return isTableChange(text) && readFrom(new LineReader(text, changeTitle)) < heldVersion;
}

/**
 * The table after a change. Nodes and services that the change does not touch are the same objects.
 *
 * @throws MeshError `table/invalid` if the text cannot be read; `table/conflict` if it changes another table than
 *   `held`, or does not lead to the table that it names. Then the router needs the whole table.
 */
export function applyTableChange(held: RoutingTable, text: string): RoutingTable {
  const reader = new LineReader(text, changeTitle);
  const fromVersion = readFrom(reader);
  if (fromVersion !== held.version) {
    throw mismatch(`it changes version ${fromVersion}, and the table has version ${held.version}`);
  }
  reader.next();
  const [, versionWord, hash] = reader.words(toShape);
  const version = reader.integer(versionWord, "a version");
  reader.next();
  const defaultService = readDefault(reader);
  const signingKey = readKey(reader);
  const parts = partsHashOf(held).copy();
  const nodes = changedNodes(reader, held.nodes, parts);
  const services = changedServices(reader, held, nodes, parts);
  const table: RoutingTable = { version, nodes, services, defaultService, signingKey };
  if (tableHash(table, parts) !== hash)
    throw mismatch(`it does not lead to version ${version} as it names it`);
  partsHashes.set(table, parts);
  return table;
}

/** Reads the first two lines: the format, and the version that is changed. */
function readFrom(reader: LineReader): number {
  if (reader.line !== changeFormatLine) throw reader.errorAt(`"${changeFormatLine}"`);
  reader.next();
  return reader.integer(reader.words(fromShape)[1], "a version");
}

function mismatch(why: string): MeshError {
  return new MeshError("table/conflict", `the change of the routing table cannot be applied: ${why}`, {
    blame: "mesh",
    retry: "safe",
  });
}

/** Once for each whole table; a change brings it up to date. */
function partsHashOf(table: RoutingTable): PartsHash {
  const known = partsHashes.get(table);
  if (known !== undefined) return known;
  const hash = PartsHash.empty();
  for (const node of table.nodes) hash.add("", printNode(node));
  const words = wordsOf(table.nodes);
  for (const service of table.services) addService(hash, service, words);
  partsHashes.set(table, hash);
  return hash;
}

type NodeWords = ReadonlyMap<string, string>;

function addService(hash: PartsHash, service: TableService, words: NodeWords): void {
  hash.add(service.id, printServiceHead(service));
  addMembers(hash, service, words);
}

function addMembers(
  hash: PartsHash,
  service: Pick<TableService, "id"> & Partial<ServiceMembers>,
  words: NodeWords,
): void {
  for (const line of memberLines(service, words)) hash.add(service.id, line);
}

function removeService(hash: PartsHash, service: TableService, words: NodeWords): void {
  hash.remove(service.id, printServiceHead(service));
  for (const line of memberLines(service, words)) hash.remove(service.id, line);
}

function memberLines(members: Partial<ServiceMembers>, words: NodeWords): readonly string[] {
  return printMembers(members, (nodeId) => words.get(nodeId) ?? nodeId);
}

function changedNodes(reader: LineReader, held: readonly TableNode[], hash: PartsHash): readonly TableNode[] {
  const gone = new Set<string>();
  const set = new Map<string, TableNode>();
  for (;;) {
    if (reader.line.startsWith("gone node ")) {
      gone.add(reader.words(goneShape)[2] as string);
      reader.next();
    } else if (reader.line.startsWith("node ")) {
      const node = readNode(reader);
      set.set(node.id, node);
      reader.next();
    } else break;
  }
  for (const node of touchedOf(held, gone, set)) hash.remove("", printNode(node));
  for (const node of set.values()) hash.add("", printNode(node));
  return replaced(held, gone, set, byTableOrder);
}

function changedServices(
  reader: LineReader,
  held: RoutingTable,
  nodes: readonly TableNode[],
  hash: PartsHash,
): readonly TableService[] {
  if (reader.isAtEnd) return held.services;
  const gone = new Set<string>();
  const set = new Map<string, TableService>();
  const heldById = new Map(held.services.map((service) => [service.id, service]));
  const words = { before: wordsOf(held.nodes), after: wordsOf(nodes), ids: idsOf(nodes) };
  while (!reader.isAtEnd) {
    if (reader.line.startsWith("gone service ")) {
      const id = reader.words(goneShape)[2] as string;
      gone.add(id);
      reader.next();
      const before = heldById.get(id);
      if (before !== undefined) removeService(hash, before, words.before);
    } else if (reader.line.startsWith("service ")) {
      const service = readService(reader, words.ids);
      set.set(service.id, service);
      const before = heldById.get(service.id);
      if (before !== undefined) removeService(hash, before, words.before);
      addService(hash, service, words.after);
    } else {
      const service = changedService(reader, heldById, words, hash);
      set.set(service.id, service);
    }
  }
  return replaced(held.services, gone, set, byTableOrder);
}

type ChangeWords = {
  readonly before: NodeWords;
  readonly after: NodeWords;
  readonly ids: ReadonlyMap<string, string>;
};

/** Reads `settings` or `members` of a service that the table has. */
function changedService(
  reader: LineReader,
  heldById: ReadonlyMap<string, TableService>,
  words: ChangeWords,
  hash: PartsHash,
): TableService {
  const isHead = reader.line.startsWith("settings ");
  if (!isHead && !reader.line.startsWith("members ")) {
    throw reader.errorAt('"service", "settings", "members", "gone service" or the end');
  }
  const head = isHead ? readServiceHead(reader, settingsShape) : null;
  const id = head?.id ?? (reader.words(membersShape)[1] as string);
  const before = heldById.get(id);
  if (before === undefined) throw reader.errorAt("a service of the table");
  if (head === null) reader.next();
  else {
    hash.remove(id, printServiceHead(before));
    hash.add(id, printServiceHead({ ...head, tasks: [] }));
  }
  return serviceOf(head ?? headOf(before), changedMembers(reader, before, words, hash));
}

function changedMembers(
  reader: LineReader,
  service: TableService,
  words: ChangeWords,
  hash: PartsHash,
): ServiceMembers {
  const gone = { server: new Set<string>(), down: new Set<string>(), task: new Set<string>() };
  for (; reader.line.startsWith("  gone "); reader.next()) {
    const [, kind, id] = reader.words(goneMemberShape) as [string, string, string];
    if (kind !== "server" && kind !== "down" && kind !== "task")
      throw reader.errorAt(`"${goneMemberShape.text}"`);
    gone[kind].add(id);
  }
  const set = readMembers(reader, words.ids);
  const [servers, downServers, tasks] = [
    changedList(service.servers ?? [], gone.server, set.servers),
    changedList(service.downServers ?? [], gone.down, set.downServers),
    changedList(service.tasks, gone.task, set.tasks),
  ];
  const touched = {
    servers: servers.touched,
    downServers: downServers.touched,
    tasks: tasks.touched,
  };
  for (const line of memberLines(touched, words.before)) hash.remove(service.id, line);
  addMembers(hash, { id: service.id, ...set }, words.after);
  return { servers: servers.items, downServers: downServers.items, tasks: tasks.items };
}

/** `touched`: the items that are gone or replaced. */
function changedList<T extends Identified>(
  held: readonly T[],
  gone: ReadonlySet<string>,
  changed: readonly T[],
) {
  const set = new Map(changed.map((item) => [item.id, item]));
  return { items: replaced(held, gone, set, byId), touched: touchedOf(held, gone, set) };
}

type Identified = { readonly id: string };

/** The items of a list that are gone or replaced. */
function touchedOf<T extends Identified>(
  held: readonly T[],
  gone: ReadonlySet<string>,
  set: ReadonlyMap<string, T>,
): readonly T[] {
  return gone.size + set.size === 0 ? [] : held.filter(({ id }) => gone.has(id) || set.has(id));
}

/** A sorted list without the items that are gone, and with those of `set`. The same list if there are neither. */
function replaced<T extends Identified>(
  held: readonly T[],
  gone: ReadonlySet<string>,
  set: ReadonlyMap<string, T>,
  order: (a: T, b: T) => number,
): readonly T[] {
  if (gone.size + set.size === 0) return held;
  const added = [...set.values()].sort(order);
  const items: T[] = [];
  let next = 0;
  for (const item of held) {
    if (gone.has(item.id) || set.has(item.id)) continue;
    for (; next < added.length && order(added[next] as T, item) < 0; next += 1) items.push(added[next] as T);
    items.push(item);
  }
  return [...items, ...added.slice(next)];
}

function byId(a: Identified, b: Identified): number {
  return compareStrings(a.id, b.id);
}

function headOf({ servers: _, downServers: __, tasks: ___, ...head }: TableService): ServiceHead {
  return head;
}

/** Derived from the nodes of tables, which most changes leave as they are. */
const wordsByNodes = new WeakMap<readonly TableNode[], NodeWords>();
const idsByNodes = new WeakMap<readonly TableNode[], ReadonlyMap<string, string>>();

function wordsOf(nodes: readonly TableNode[]): NodeWords {
  return memo(wordsByNodes, nodes, nodeWords);
}

function idsOf(nodes: readonly TableNode[]): ReadonlyMap<string, string> {
  return memo(idsByNodes, nodes, nodeIdsByWord);
}

function memo<K extends object, V>(known: WeakMap<K, V>, key: K, derive: (key: K) => V): V {
  const value = known.get(key) ?? derive(key);
  known.set(key, value);
  return value;
}
