// Picking the task a request goes to.

import type { DataPlane } from "../plane.ts";
import { pickOf } from "./policies/policies.ts";
import type { RouteHints } from "./route-hints.ts";
import { maxconnOf, type Target, type TargetPool, weightOf } from "./target-pool.ts";

/**
 * The task that the service's policy picks: not one that was tried for this request, one that failed a moment ago only
 * when the others were tried, or more than half of them failed too, and a backup only when no other is left. A client
 * that stays with a task gets it as long as it is there and does not fail.
 *
 * @param round names whose turn it is: a node and one of its routes
 * @param careful for a request that cannot be sent again
 * @returns null when every task was tried, or those that were not have as many open requests as they may
 * @see docs/spec.md X6-X9
 */
export function pickTarget(
  plane: DataPlane,
  round: string,
  ring: TargetPool,
  tried: ReadonlySet<string> | null,
  careful: boolean,
  wish: RouteHints | null = null,
): Target | null {
  const { outliers } = plane;
  // The usual request asks no further than this.
  if (ring.isSimple && ring.backups === null && !outliers.any && (wish === null || wish.kept === null)) {
    return ring.targets[plane.cursors.next(round, ring.ids, triedOnes(tried))] ?? null;
  }
  const picking = { plane, round, tried, careful, wish, nowMs: plane.nowMs() };
  const kept = keptTarget(picking);
  const target = kept === null ? best(picking, ring) : isFull(picking, ring, kept) ? null : kept;
  if (target !== null && outliers.any) outliers.sent(target.taskId, picking.nowMs);
  return target;
}

function triedOnes(tried: ReadonlySet<string> | null): ((id: string) => boolean) | undefined {
  return tried === null ? undefined : (id) => tried.has(id);
}

type Picking = {
  readonly plane: DataPlane;
  readonly round: string;
  readonly tried: ReadonlySet<string> | null;
  readonly careful: boolean;
  readonly wish: RouteHints | null;
  readonly nowMs: number;
};

/** The task that the client stays with, unless it failed it or failed others a moment ago. */
function keptTarget({ plane, tried, wish, nowMs }: Picking): Target | null {
  const kept = wish?.kept ?? null;
  if (kept === null || tried?.has(kept.taskId)) return null;
  return plane.outliers.any && plane.outliers.isEjected(kept.taskId, nowMs) ? null : kept;
}

/** First those that are well, then backups that are, then whoever is left. One that is only full is waited for. */
function best(picking: Picking, ring: TargetPool): Target | null {
  for (const one of ring.backups === null ? [ring] : [ring, ring.backups]) {
    const out = passedOver(picking, one, ring.backups !== null && one === ring);
    const well = among(picking, one, out);
    if (well !== null || isCrowded(picking, one, out)) return well;
  }
  if (!picking.plane.outliers.any) return null;
  return among(picking, ring, null) ?? (ring.backups === null ? null : among(picking, ring.backups, null));
}

function passedOver(
  { plane, nowMs, careful }: Picking,
  { ids }: TargetPool,
  hasBackups: boolean,
): ReadonlySet<string> | null {
  return plane.outliers.any ? plane.outliers.ejectedAmong(ids, nowMs, careful, hasBackups) : null;
}

/** The one that the policy picks among those neither tried, nor passed over, nor full. */
function among(picking: Picking, ring: TargetPool, out: ReadonlySet<string> | null): Target | null {
  const { plane, tried, nowMs } = picking;
  const { ids, targets, rules, hasEqualWeights, slowUntilMs } = ring;
  const isGone = (id: string) => tried?.has(id) === true || out?.has(id) === true;
  const round = targets[0]?.share.backup === true ? `backup ${picking.round}` : picking.round;
  if (ring.isSimple) return targets[plane.cursors.next(round, ids, isGone)] ?? null;
  const index = pickOf(rules.policy)({
    targets,
    hasEqualWeights,
    isWarm: nowMs >= slowUntilMs,
    isAvailable: (at) => !isGone(ids[at] as string) && !isFull(picking, ring, targets[at] as Target),
    weight: (at) => weightOf(targets[at] as Target, rules, nowMs),
    open: (at) => plane.open.of(ids[at] as string, nowMs),
    key: picking.wish?.key ?? null,
    nextInTurn: (may) => plane.cursors.next(round, ids, (_id, at) => !may(at)),
    smoothWeights: plane.smoothWeights.of(round),
    random: plane.random,
  });
  return targets[index] ?? null;
}

function isFull({ plane, nowMs }: Picking, ring: TargetPool, target: Target): boolean {
  return ring.hasMaxconn && plane.open.isFull(target.taskId, maxconnOf(target, ring.rules), nowMs);
}

/** Whether some that could be asked are only full. */
function isCrowded({ tried }: Picking, ring: TargetPool, out: ReadonlySet<string> | null): boolean {
  return ring.hasMaxconn && ring.ids.some((id) => tried?.has(id) !== true && out?.has(id) !== true);
}
