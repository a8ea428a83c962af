// Picks the target of a request: a task or static server of a pool.

import type { DataPlane } from "../plane.ts";
import { policyFunction } from "./policies/policies.ts";
import type { RouteHints } from "./route-hints.ts";
import { maxconnOf, type Target, type TargetPool, weightOf } from "./target-pool.ts";

/** The parts of a request that its pick depends on. */
export type PickQuery = {
  /** Names the cursor of round robin: a node and one of its routes. */
  readonly cursor: string;
  /** Ids of the targets tried for this request; null before the first. */
  readonly tried: ReadonlySet<string> | null;
  /** False for a request that must not be sent twice: it is never the trial of an ejected target. */
  readonly isRepeatable: boolean;
  readonly hints: RouteHints | null;
};

/** The state that a pick depends on. Connections of mode tcp have one of their own. */
export type PickState = Pick<
  DataPlane,
  "outliers" | "cursors" | "openRequests" | "smoothWeights" | "random" | "nowMs"
>;

/**
 * Picks the target of a request by the service's policy.
 *
 * Tried targets are left out. Ejected targets come after all others, unless panic mode applies. Backups come
 * after the pool's other targets. A client with a sticky cookie gets the target it names, unless that is
 * ejected.
 *
 * @returns null if every target was tried or is at its maximum of open requests
 * @see docs/spec.md X6-X9
 */
export function pickTarget(plane: PickState, pool: TargetPool, query: PickQuery): Target | null {
  const { outliers, cursors } = plane;
  const { cursor, tried, hints } = query;
  // Most requests are decided here.
  if (pool.isSimple && pool.backups === null && !outliers.hasAny && !hints?.stickyTarget) {
    const skip = tried === null ? undefined : (id: string) => tried.has(id);
    return pool.targets[cursors.next(cursor, pool.ids, skip)] ?? null;
  }
  const pick = new TargetPick(plane, query);
  const target = pick.sticky(pool) ?? pick.byPolicy(pool);
  if (target === "full" || target === null) return null;
  if (outliers.hasAny) outliers.sent(target.taskId, pick.nowMs);
  return target;
}

/** One pick: the data plane, the query and the time. */
class TargetPick {
  readonly nowMs: number;
  readonly #plane: PickState;
  readonly #query: PickQuery;

  constructor(plane: PickState, query: PickQuery) {
    this.#plane = plane;
    this.#query = query;
    this.nowMs = plane.nowMs();
  }

  /** The target of the sticky cookie; `full` if the client must wait for it; null if another may serve. */
  sticky(pool: TargetPool): Target | "full" | null {
    const { hints, tried } = this.#query;
    const target = hints?.stickyTarget ?? null;
    if (target === null || tried?.has(target.taskId)) return null;
    if (this.#plane.outliers.isEjected(target.taskId, this.nowMs)) return null;
    return this.#isFull(pool, target) ? "full" : target;
  }

  /** Picks healthy targets first, then healthy backups, then ejected ones. Null to wait for a full target. */
  byPolicy(pool: TargetPool): Target | null {
    for (const tier of pool.backups === null ? [pool] : [pool, pool.backups]) {
      const ejected = this.#ejectedIn(tier, pool.backups !== null && tier === pool);
      const target = this.#pickIn(tier, ejected);
      if (target !== null || this.#hasFull(tier, ejected)) return target;
    }
    if (!this.#plane.outliers.hasAny) return null;
    return this.#pickIn(pool, null) ?? (pool.backups === null ? null : this.#pickIn(pool.backups, null));
  }

  #ejectedIn({ ids }: TargetPool, hasBackups: boolean): ReadonlySet<string> | null {
    const { outliers } = this.#plane;
    if (!outliers.hasAny) return null;
    return outliers.ejectedAmong(ids, this.nowMs, this.#query.isRepeatable, hasBackups);
  }

  /** The policy's pick among the targets of one tier that are neither tried, nor ejected, nor full. */
  #pickIn(pool: TargetPool, ejected: ReadonlySet<string> | null): Target | null {
    const { cursors, openRequests, smoothWeights, random } = this.#plane;
    const { ids, targets, rules, hasEqualWeights, slowUntilMs } = pool;
    const { hints } = this.#query;
    const cursor = targets[0]?.share.backup === true ? `backup ${this.#query.cursor}` : this.#query.cursor;
    const isExcluded = (id: string) => this.#isExcluded(id, ejected);
    if (pool.isSimple) return targets[cursors.next(cursor, ids, isExcluded)] ?? null;
    const index = policyFunction(rules.policy)({
      targets,
      hasEqualWeights,
      isWarm: this.nowMs >= slowUntilMs,
      isAvailable: (at) => !isExcluded(ids[at] as string) && !this.#isFull(pool, targets[at] as Target),
      weight: (at) => weightOf(targets[at] as Target, rules, this.nowMs),
      open: (at) => openRequests.of(ids[at] as string, this.nowMs),
      key: hints?.key ?? null,
      nextInTurn: (isAvailable) => cursors.next(cursor, ids, (_id, at) => !isAvailable(at)),
      smoothWeights: smoothWeights.of(cursor),
      random,
    });
    return targets[index] ?? null;
  }

  /** True if a tier without a pick has untried healthy targets: those are full. */
  #hasFull(pool: TargetPool, ejected: ReadonlySet<string> | null): boolean {
    return pool.hasMaxconn && pool.ids.some((id) => !this.#isExcluded(id, ejected));
  }

  #isExcluded(id: string, ejected: ReadonlySet<string> | null): boolean {
    return this.#query.tried?.has(id) === true || ejected?.has(id) === true;
  }

  #isFull(pool: TargetPool, target: Target): boolean {
    if (!pool.hasMaxconn) return false;
    return this.#plane.openRequests.isFull(target.taskId, maxconnOf(target, pool.rules), this.nowMs);
  }
}
