// Departures: running tasks that must stop. A task leaves the routing table in the transaction that decides
// so. It is released, so that its agent may stop it, once no router sends it requests.
//
// That is when every live router routes by a table version without the task. The registry waits for a router
// with an older version until `releaseBoundMs` after that transaction. The time of the transaction is in the
// task's row, so a registry that lost its memory keeps the bound.

import type { Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { type Draft, taskSubject } from "./draft.ts";
import type { Routers } from "./routers.ts";
import type { WorldIndex } from "./world-index.ts";

/** Longest time from leaving the table to the release, milliseconds. */
const releaseBoundMs = 5_000;

/**
 * Records a departure for each running task that this transaction decided to stop.
 *
 * @param tableVersion the first version without them
 */
export function recordDepartures(draft: Draft, tableVersion: number): void {
  const { nowMs } = draft;
  for (const [id, old] of draft.touched("tasks")) {
    const task = draft.world.tasks.get(id);
    if (old?.desired !== "running" || task === undefined || task.desired === "running") continue;
    if (task.state !== "running" || task.departure !== undefined) continue;
    draft.put("tasks", { ...task, departure: { tableVersion, atMs: nowMs, released: false } });
  }
}

/**
 * Releases the departing tasks that may stop, and sets the deadline for the others.
 *
 * @see docs/decisions/0009-leaving-without-loss.md
 */
export function releaseTasks(draft: Draft, routers: Routers): void {
  const { nowMs } = draft;
  let nextMs: number | null = null;
  for (const { task, departure } of departuresOf(draft.index, draft.world)) {
    const upToDateAtMs = routers.upToDateAtMs(departure.tableVersion, nowMs);
    const releaseAtMs = Math.min(upToDateAtMs, departure.atMs + releaseBoundMs);
    if (releaseAtMs > nowMs) {
      nextMs = Math.min(nextMs ?? releaseAtMs, releaseAtMs);
      continue;
    }
    if (upToDateAtMs > nowMs) {
      draft.recordEvent(
        "registry",
        "task.released",
        taskSubject(draft.world, task),
        lateReleaseReason(departure, routers, nowMs),
      );
    }
    draft.put("tasks", {
      ...task,
      departure: { ...departure, released: true },
      version: task.version + 1,
    });
  }
  draft.store.setDeadline("release", nextMs);
}

/** True if the agent must wait before it stops this task. */
export function isAwaitingRelease({ desired, departure }: Task): boolean {
  return desired !== "running" && departure !== undefined && !departure.released;
}

type Departing = { readonly task: Task; readonly departure: NonNullable<Task["departure"]> };

/** When the first of them may be released, epoch milliseconds. */
export function earliestReleaseMs(departures: readonly Departing[], routers: Routers, nowMs: number): number {
  let [version, atMs] = [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY];
  for (const { departure } of departures) {
    version = Math.min(version, departure.tableVersion);
    atMs = Math.min(atMs, departure.atMs);
  }
  // Routers that route by a table without later departures route by one without earlier ones, too.
  return Math.min(routers.upToDateAtMs(version, nowMs), atMs + releaseBoundMs);
}

/** The tasks that wait for their release. */
export function departuresOf(index: WorldIndex, world: World): readonly Departing[] {
  return [...index.departing].flatMap((id) => {
    const task = world.tasks.get(id);
    return task?.departure === undefined ? [] : [{ task, departure: task.departure }];
  });
}

function lateReleaseReason(
  { tableVersion }: Departing["departure"],
  routers: Routers,
  nowMs: number,
): string {
  const behind = routers.countBehind(tableVersion, nowMs);
  const reason =
    behind === 0
      ? "the registry started again and does not know every router yet"
      : `${behind} ${behind === 1 ? "router still routes" : "routers still route"} by a table older than version ${tableVersion}`;
  return `released after the limit of ${releaseBoundMs / 1_000} s: ${reason}`;
}
