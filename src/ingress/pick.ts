// Picking the task a request goes to.

import type { DataPlane } from "../proxy/plane.ts";
import type { Ring, Target } from "../proxy/routes.ts";

/**
 * The next task in turn: not one that was tried for this request, and one that failed a moment ago only when all
 * others did too.
 *
 * @param round names whose turn it is: a node and one of its routes
 * @returns null when every task was tried
 * @see docs/spec.md X6-X9
 */
export function pickTarget(
  plane: DataPlane,
  round: string,
  ring: Ring,
  tried: ReadonlySet<string> | null,
): Target | null {
  const { cursors, outliers } = plane;
  const wasTried = tried === null ? undefined : (id: string) => tried.has(id);
  if (!outliers.any) return targetAt(ring, cursors.next(round, ring.ids, wasTried));
  const nowMs = plane.nowMs();
  const healthy = cursors.next(round, ring.ids, (id) => wasTried?.(id) === true || outliers.has(id, nowMs));
  return targetAt(ring, healthy >= 0 ? healthy : cursors.next(round, ring.ids, wasTried));
}

function targetAt(ring: Ring, index: number): Target | null {
  return ring.targets[index] ?? null;
}
