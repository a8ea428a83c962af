// Suspects: tasks that routers report as not responding. One router may only have lost its own network. When
// two agree, or there is only one, the task's agent probes it now. Kept in memory only: a suspicion is stale
// within seconds.

import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { type Draft, taskSubject } from "./draft.ts";
import { requestGatewayCheck } from "./gateway-checks.ts";

/** How long a router's report counts, and how long a suspect task is not probed again, milliseconds. */
const suspicionMs = 5_000;
/** Tasks that one report may name. A router that suspects more has lost its own network. */
const maxSuspectReports = 64;

export class SuspectReports {
  /** By task and router, when the router last reported it, epoch milliseconds. */
  readonly #reportedAtMs = new Map<string, Map<string, number>>();
  /** By task, when it became suspect, epoch milliseconds. */
  readonly #suspectSinceMs = new Map<string, number>();
  #lastClockMs = Number.NEGATIVE_INFINITY;

  /**
   * Records one router's report. Tasks that are unknown or dead are skipped.
   *
   * @param liveRouters ids of the routers that route now
   * @returns the tasks of the report that become suspect with it
   */
  report(
    { tasks }: World,
    routerId: string,
    taskIds: readonly string[],
    liveRouters: readonly string[],
    nowMs: number,
  ): readonly Task[] {
    this.#removeExpired(nowMs);
    const isOnlyRouter = liveRouters.every((id) => id === routerId);
    const alive = taskIds.flatMap((id) => tasks.get(id) ?? []).filter(isAlive);
    return alive.slice(0, maxSuspectReports).filter(({ id }) => {
      const reportedAtMs = this.#reportedAtMs.get(id) ?? new Map<string, number>();
      reportedAtMs.set(routerId, nowMs);
      this.#reportedAtMs.set(id, reportedAtMs);
      if (this.#suspectSinceMs.has(id) || (reportedAtMs.size < 2 && !isOnlyRouter)) return false;
      this.#suspectSinceMs.set(id, nowMs);
      return true;
    });
  }

  /** Reports from before the clock was set back do not count: it is unknown how old they are. */
  #removeExpired(nowMs: number): void {
    if (nowMs < this.#lastClockMs) {
      this.#reportedAtMs.clear();
      this.#suspectSinceMs.clear();
    }
    this.#lastClockMs = nowMs;
    for (const [taskId, reportedAtMs] of this.#reportedAtMs) {
      for (const [routerId, atMs] of reportedAtMs) {
        if (atMs + suspicionMs <= nowMs) reportedAtMs.delete(routerId);
      }
      if (reportedAtMs.size === 0) this.#reportedAtMs.delete(taskId);
    }
    for (const [taskId, atMs] of this.#suspectSinceMs) {
      if (atMs + suspicionMs <= nowMs) this.#suspectSinceMs.delete(taskId);
    }
  }
}

/** Has the agents of suspect tasks probe them and their gateways checked, and records an event for each task. */
export function recordSuspects(draft: Draft, suspects: readonly Task[]): void {
  for (const [nodeId, tasks] of Map.groupBy(suspects, (task) => task.nodeId)) {
    const node = draft.world.nodes.get(nodeId ?? "");
    if (nodeId === null || node === undefined) continue;
    draft.probes.push({ nodeId, taskIds: tasks.map(({ id }) => id) });
    if (node.transport?.kind !== "tunnel") requestGatewayCheck(draft, node);
    for (const task of tasks) {
      const subject = taskSubject(draft.world, task);
      draft.recordEvent("registry", "task.suspect", subject, "routers get no response from it");
    }
  }
}
