// Ranks: the nodes that can take tasks, with the fewest tasks first. They are kept in groups of equal attributes, so
// that constraints and placement preferences are the same for a whole group. They follow each change of a node and of
// its tasks: a placement looks at the first nodes of some groups, however many nodes there are.

import { compareStrings } from "../model/compare.ts";
import { attributeValue, type Constraint, nodeMatches } from "../model/constraint.ts";
import { canTakeTasks, type MeshNode } from "../model/node.ts";
import type { NodeTasks } from "./node-info.ts";
import { insertInOrder, removeInOrder } from "./ordered-list.ts";

/** A node and the number of its wanted tasks, of all services. */
export type RankedNode = { readonly node: MeshNode; readonly tasks: number };

/** Sets of attributes by which the nodes are grouped at the same time: as many as services ask for, as a rule few. */
const maxGroupings = 16;
/** Groups of all groupings. Of an attribute that no two nodes share there is one for each node, 250 bytes. */
const maxGroups = 40_000;
/** Sets of constraints of which a grouping knows the groups that meet them. */
const maxKnownConstraints = 1_000;

export class NodeRanks {
  readonly #nodes = new Map<string, RankedNode>();
  /** By attributes. Made when a service first asks for it. */
  readonly #groupings = new Map<string, NodeGrouping>();

  constructor(nodes: Iterable<MeshNode>, wantedOn: NodeTasks["wantedOn"]) {
    for (const node of nodes)
      if (canTakeTasks(node)) this.#nodes.set(node.id, { node, tasks: wantedOn(node.id) });
  }

  /** Undefined for a node that cannot take tasks. */
  get(nodeId: string): RankedNode | undefined {
    return this.#nodes.get(nodeId);
  }

  /** The nodes in groups by attributes such as `node.role` and `node.labels.zone`. */
  by(attributes: readonly string[]): NodeGrouping {
    const key = JSON.stringify(attributes);
    const known = this.#groupings.get(key);
    if (known !== undefined) return known;
    const grouping = new NodeGrouping(attributes, this.#nodes.values());
    let groups = grouping.groups.size;
    for (const other of this.#groupings.values()) groups += other.groups.size;
    if (this.#groupings.size >= maxGroupings || groups > maxGroups) this.#groupings.clear();
    this.#groupings.set(key, grouping);
    return grouping;
  }

  /** Follows a node that joined or changed. @param tasks how many of its tasks are wanted */
  put(node: MeshNode, tasks: number): void {
    this.#replace(node.id, canTakeTasks(node) ? { node, tasks } : undefined);
  }

  remove(nodeId: string): void {
    this.#replace(nodeId, undefined);
  }

  /** Follows the number of a node's wanted tasks. */
  setTasks(nodeId: string, tasks: number): void {
    const before = this.#nodes.get(nodeId);
    if (before !== undefined && before.tasks !== tasks) this.#replace(nodeId, { ...before, tasks });
  }

  #replace(nodeId: string, after: RankedNode | undefined): void {
    const before = this.#nodes.get(nodeId);
    if (after === undefined) this.#nodes.delete(nodeId);
    else this.#nodes.set(nodeId, after);
    for (const grouping of this.#groupings.values()) grouping.replace(before, after);
  }
}

/** The nodes in groups of equal attributes, each group by rank. */
export class NodeGrouping {
  readonly #attributes: readonly string[];
  readonly #groups = new Map<string, RankedNode[]>();
  /** By constraints, the keys of the groups that meet them. */
  readonly #meeting = new Map<
    string,
    { readonly constraints: readonly Constraint[]; readonly keys: Set<string> }
  >();

  constructor(attributes: readonly string[], nodes: Iterable<RankedNode>) {
    this.#attributes = attributes;
    for (const ranked of nodes) {
      const key = this.keyOf(ranked.node);
      const group = this.#groups.get(key);
      if (group === undefined) this.#groups.set(key, [ranked]);
      else group.push(ranked);
    }
    for (const group of this.#groups.values()) group.sort(byRank);
  }

  /** The groups by key; none is empty. */
  get groups(): ReadonlyMap<string, readonly RankedNode[]> {
    return this.#groups;
  }

  /** The key of a node's group. */
  keyOf(node: MeshNode): string {
    if (this.#attributes.length === 0) return "";
    return JSON.stringify(this.#attributes.map((name) => attributeValue(name, node)));
  }

  /** The keys of the groups that meet constraints. @param constraints on the attributes of this grouping only */
  meeting(constraints: readonly Constraint[]): Iterable<string> {
    if (constraints.length === 0) return this.#groups.keys();
    const text = JSON.stringify(constraints);
    const known = this.#meeting.get(text);
    if (known !== undefined) return known.keys;
    const keys = new Set<string>();
    for (const [key, [first]] of this.#groups) {
      if (first !== undefined && nodeMatches(constraints, first.node)) keys.add(key);
    }
    if (this.#meeting.size >= maxKnownConstraints) this.#meeting.clear();
    this.#meeting.set(text, { constraints, keys });
    return keys;
  }

  replace(before: RankedNode | undefined, after: RankedNode | undefined): void {
    const keyBefore = before && this.keyOf(before.node);
    const keyAfter = after && this.keyOf(after.node);
    const group = keyBefore === keyAfter ? this.#groups.get(keyBefore ?? "") : undefined;
    if (before !== undefined && after !== undefined && group !== undefined) {
      removeInOrder(group, before, byRank);
      insertInOrder(group, after, byRank);
      return;
    }
    if (before !== undefined && keyBefore !== undefined) this.#remove(keyBefore, before);
    if (after !== undefined && keyAfter !== undefined) this.#add(keyAfter, after);
  }

  #add(key: string, ranked: RankedNode): void {
    const group = this.#groups.get(key);
    if (group !== undefined) {
      insertInOrder(group, ranked, byRank);
      return;
    }
    this.#groups.set(key, [ranked]);
    for (const { constraints, keys } of this.#meeting.values())
      if (nodeMatches(constraints, ranked.node)) keys.add(key);
  }

  #remove(key: string, ranked: RankedNode): void {
    const group = this.#groups.get(key) ?? [];
    removeInOrder(group, ranked, byRank);
    if (group.length > 0) return;
    this.#groups.delete(key);
    for (const { keys } of this.#meeting.values()) keys.delete(key);
  }
}

/** Fewest tasks first, then by host name and id. */
export function byRank(a: RankedNode, b: RankedNode): number {
  return a.tasks - b.tasks || byHostname(a.node, b.node);
}

export function byHostname(a: MeshNode, b: MeshNode): number {
  return compareStrings(a.hostname, b.hostname) || compareStrings(a.id, b.id);
}
