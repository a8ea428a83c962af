// The nodes as the scheduler may see them: drained if their agent asked to leave, and without balancers, which take no
// tasks.

import { isBalancer, type MeshNode } from "../domain/model/node.ts";

/** Null for a node that the scheduler must not see. */
export function schedulableNode(node: MeshNode): MeshNode | null {
  if (isBalancer(node)) return null;
  return node.leaving ? { ...node, availability: "drain" } : node;
}

/** A view of a world's nodes. It takes the same time however many there are; few of them look different in it. */
export class SchedulableNodes implements ReadonlyMap<string, MeshNode> {
  readonly #nodes: ReadonlyMap<string, MeshNode>;
  /** Of the nodes that look different, by id. */
  readonly #seen = new Map<string, MeshNode | null>();
  readonly size: number;

  /** @param different ids of all nodes that `schedulableNode` changes */
  constructor(nodes: ReadonlyMap<string, MeshNode>, different: Iterable<string>) {
    this.#nodes = nodes;
    let hidden = 0;
    for (const id of different) {
      const node = nodes.get(id);
      if (node === undefined) continue;
      const seen = schedulableNode(node);
      if (seen === null) hidden += 1;
      this.#seen.set(id, seen);
    }
    this.size = nodes.size - hidden;
  }

  get(id: string): MeshNode | undefined {
    const seen = this.#seen.get(id);
    return seen === undefined ? this.#nodes.get(id) : (seen ?? undefined);
  }

  has(id: string): boolean {
    return this.get(id) !== undefined;
  }

  *entries(): MapIterator<[string, MeshNode]> {
    for (const id of this.#nodes.keys()) {
      const node = this.get(id);
      if (node !== undefined) yield [id, node];
    }
  }

  *keys(): MapIterator<string> {
    for (const [id] of this.entries()) yield id;
  }

  *values(): MapIterator<MeshNode> {
    for (const [, node] of this.entries()) yield node;
  }

  [Symbol.iterator](): MapIterator<[string, MeshNode]> {
    return this.entries();
  }

  forEach(work: (node: MeshNode, id: string, map: ReadonlyMap<string, MeshNode>) => void): void {
    for (const [id, node] of this) work(node, id, this);
  }
}
