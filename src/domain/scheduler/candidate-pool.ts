// A pool: the nodes with equal attributes that one service can choose, the best one first. It takes nodes from the
// ranks only as far as they are asked for.
//
// While tasks are placed, nodes only get fuller. So a node keeps its place or moves back, and one that has no room is
// not looked at again.

import type { NodeInfo } from "./node-info.ts";
import { byRank, type RankedNode } from "./node-ranks.ts";
import { insertInOrder } from "./ordered-list.ts";

/** A node that a service can choose. */
export type NodeCandidate = {
  readonly info: NodeInfo;
  readonly pool: CandidatePool;
  /** True if tasks of the service fail there. */
  readonly isFailing: boolean;
  /** Wanted tasks of the service on it. */
  serviceTasks: number;
};

/** The nodes that share the values of the first placement preferences, of one pool or several. */
export type SpreadGroup = { serviceTasks: number };

/** A candidate, and what decided its place when it got it. */
type QueuedCandidate = RankedNode & { readonly candidate: NodeCandidate; readonly serviceTasks: number };

export class CandidatePool {
  /** One for each placement preference, the most important first. */
  readonly groups: readonly SpreadGroup[];
  readonly #ranked: readonly RankedNode[];
  /** How many of the ranked nodes were taken. */
  #taken = 0;
  /** The best one last. */
  readonly #queue: QueuedCandidate[] = [];
  #isSorted = false;

  /** @param ranked must not change while the pool is used */
  constructor(ranked: readonly RankedNode[], groups: readonly SpreadGroup[]) {
    this.#ranked = ranked;
    this.groups = groups;
  }

  /** Adds a candidate, which then counts as it is and not as it is ranked. */
  add(candidate: NodeCandidate): void {
    const { info, serviceTasks } = candidate;
    const queued = { candidate, node: info.node, serviceTasks, tasks: info.tasks };
    if (this.#isSorted) insertInOrder(this.#queue, queued, worstFirst);
    else this.#queue.push(queued);
  }

  /**
   * The best candidate that has room; null without one.
   *
   * @param take adds a ranked node, unless it was added before or may not be chosen
   */
  best(
    take: (nodeId: string) => unknown,
    hasRoom: (candidate: NodeCandidate) => boolean,
  ): NodeCandidate | null {
    if (!this.#isSorted) this.#queue.sort(worstFirst);
    this.#isSorted = true;
    for (;;) {
      const next = this.#ranked[this.#taken];
      const first = this.#queue.at(-1);
      if (next !== undefined && (first === undefined || isBefore(next, first))) {
        this.#taken += 1;
        take(next.node.id);
      } else if (first === undefined) return null;
      else if (!isCurrent(first)) {
        this.#queue.pop();
        this.add(first.candidate);
      } else if (hasRoom(first.candidate)) return first.candidate;
      else this.#queue.pop();
    }
  }
}

function worstFirst(a: QueuedCandidate, b: QueuedCandidate): number {
  return b.serviceTasks - a.serviceTasks || byRank(b, a);
}

/** A ranked node that was not taken has none of the service's tasks. */
function isBefore(ranked: RankedNode, first: QueuedCandidate): boolean {
  return first.serviceTasks > 0 || byRank(ranked, first) < 0;
}

function isCurrent({ candidate, serviceTasks, tasks }: QueuedCandidate): boolean {
  return serviceTasks === candidate.serviceTasks && tasks === candidate.info.tasks;
}
