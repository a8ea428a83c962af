// Departures: tasks on their way out. A running task that is to stop leaves the routing table in the transaction that
// decides it; its agent may stop it once no router sends it requests any more.
//
// That is so when every live router routes by a version in which the task was gone, or none is left that does not.
// A router that never says so is waited for no longer than the bound, counted from that transaction: it is in the
// task's row, so that a registry which lost its memory keeps to it.

import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { type Draft, taskSubject } from "./draft.ts";
import type { Routers } from "./routers.ts";

/** How long a task that left the table is kept up for routers that do not say that they know, milliseconds. */
const releaseBoundMs = 5_000;

/**
 * Notes which running tasks this transaction took out of the table for good.
 *
 * @param tableVersion the version they are not in
 */
export function recordDepartures(draft: Draft, tableVersion: number): void {
  const { before, nowMs } = draft;
  if (before.tasks === draft.world.tasks) return;
  for (const task of draft.world.tasks.values()) {
    const old = before.tasks.get(task.id);
    if (old === task || old?.desired !== "running" || task.desired === "running") continue;
    if (task.state !== "running" || task.departure !== undefined) continue;
    draft.put("tasks", { ...task, departure: { tableVersion, atMs: nowMs, released: false } });
  }
}

/** Releases the departing tasks that no router sends requests to any more, and sets when to look at the others. */
export function releaseTasks(draft: Draft, routers: Routers): void {
  const { nowMs } = draft;
  let nextMs: number | null = null;
  for (const { task, departure } of departing(draft.world)) {
    const boundMs = departure.atMs + releaseBoundMs;
    const readyMs = Math.min(routers.upToDateAtMs(departure.tableVersion, nowMs), boundMs);
    if (readyMs > nowMs) {
      nextMs = Math.min(nextMs ?? readyMs, readyMs);
      continue;
    }
    if (routers.upToDateAtMs(departure.tableVersion, nowMs) > nowMs) {
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

/** Whether an agent still has to wait before it stops this task. */
export function isAwaitingRelease({ desired, departure }: Task): boolean {
  return desired !== "running" && departure !== undefined && !departure.released;
}

/** Whether any task of a world waits for its release. */
export function hasDepartures(world: World): boolean {
  return !departing(world).next().done;
}

type Departing = { readonly task: Task; readonly departure: NonNullable<Task["departure"]> };

function* departing({ tasks }: World): Generator<Departing> {
  for (const task of tasks.values()) {
    const { departure } = task;
    if (departure !== undefined && !departure.released && isAlive(task)) yield { task, departure };
  }
}

function lateReleaseReason(
  { tableVersion }: Departing["departure"],
  routers: Routers,
  nowMs: number,
): string {
  const behind = routers.countBehind(tableVersion, nowMs);
  const who =
    behind === 0
      ? "the registry started again and does not know every router yet"
      : `${behind} ${behind === 1 ? "router still routes" : "routers still route"} by a table older than version ${tableVersion}`;
  return `released by the bound of ${releaseBoundMs / 1_000} s: ${who}`;
}
