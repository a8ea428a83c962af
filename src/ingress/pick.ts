// Picking the task a request goes to.

import type { DataPlane } from "../proxy/plane.ts";
import type { Ring, Target } from "../proxy/ring.ts";

/**
 * The next task in turn: not one that was tried for this request, and one that failed a moment ago only when the
 * others were tried, or more than half of them failed too.
 *
 * @param round names whose turn it is: a node and one of its routes
 * @param careful for a request that cannot be sent again
 * @returns null when every task was tried
 * @see docs/spec.md X6-X9
 */
export function pickTarget(
  plane: DataPlane,
  round: string,
  ring: Ring,
  tried: ReadonlySet<string> | null,
  careful: boolean,
): Target | null {
  const target = pickFrom(plane, round, ring, tried, careful);
  if (target !== null || ring.backups === null) return target;
  return pickFrom(plane, `backup ${round}`, ring.backups, tried, careful);
}

function pickFrom(
  plane: DataPlane,
  round: string,
  ring: Ring,
  tried: ReadonlySet<string> | null,
  careful: boolean,
): Target | null {
  const { cursors, outliers } = plane;
  const wasTried = tried === null ? undefined : (id: string) => tried.has(id);
  if (!outliers.any) return targetAt(ring, cursors.next(round, ring.ids, wasTried));
  const nowMs = plane.nowMs();
  const passedOver = outliers.passedOver(ring.ids, nowMs, careful);
  const passes = (id: string) => wasTried?.(id) === true || passedOver?.has(id) === true;
  const well = cursors.next(round, ring.ids, passes);
  const target = targetAt(ring, well >= 0 ? well : cursors.next(round, ring.ids, wasTried));
  if (target !== null) outliers.sent(target.taskId, nowMs);
  return target;
}

function targetAt(ring: Ring, index: number): Target | null {
  return ring.targets[index] ?? null;
}
