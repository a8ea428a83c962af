// The trial of a spec: until a task of it has proven that it stays up, an update holds back.
//
// A spec is proven while one of its tasks runs, is not unhealthy, and has run for the policy's monitor period.
// Until then an update moves no more slots than its parallelism at a time, counting those whose new task runs,
// and with start-first the old task of such a slot keeps running beside the new one. Later slots turn as soon
// as the new task of the slot before runs.
//
// With parallelism 0 there is no trial: the operator asked for all slots at once.

import { isNodeDown, type MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isWanted, type Task } from "../model/task.ts";
import { bestTask, type TaskToReplace } from "./replacement.ts";
import type { SlotView } from "./slot-view.ts";
import { updatePolicyOf } from "./update-policy.ts";
import { hasRunInUpdate, isUnhealthy, ranSinceMs, wouldStartUpdate } from "./update-slot.ts";

/** Whether a service's current spec is on trial, and until when if no task ends or becomes unhealthy. */
export type Trial = { readonly isOver: true } | { readonly isOver: false; readonly endsAtMs: number | null };

/**
 * The trial of a service's current spec.
 *
 * @param tasks the service's tasks
 * @see docs/decisions/0096-trial-of-a-spec.md
 */
export function trialOf(
  service: Service,
  tasks: readonly Task[],
  { nodes, nowMs }: { readonly nodes: ReadonlyMap<string, MeshNode>; readonly nowMs: number },
): Trial {
  const { parallelism, trialMs } = updatePolicyOf(service);
  if (parallelism === 0) return { isOver: true };
  let endsAtMs: number | null = null;
  for (const task of tasks) {
    const startedAtMs = isWanted(task) && task.runHash === service.runHash ? ranSinceMs(task) : null;
    const node = nodes.get(task.nodeId ?? "");
    if (startedAtMs === null || isUnhealthy(task)) continue;
    if (node === undefined || isNodeDown(node)) continue;
    endsAtMs = Math.min(endsAtMs ?? Number.POSITIVE_INFINITY, startedAtMs + trialMs);
  }
  return endsAtMs !== null && endsAtMs <= nowMs ? { isOver: true } : { isOver: false, endsAtMs };
}

/**
 * True if a slot still counts as being updated although its new task ran: the spec is not proven. That task
 * runs, or was lost with its node and is being replaced. One that ended by itself leaves the decision to the
 * failure action. A task that never ran does not count: no node may fit it for a long time.
 */
export function isOnTrial(view: SlotView, trial: Trial, service: Service): boolean {
  if (trial.isOver || wouldStartUpdate(view, service)) return false;
  return view.keeper?.state === "running" || hasRunInUpdate(view, service);
}

/** The view in which the old task of a slot on trial is outgoing, so that it keeps running. */
export function holdOldTask(
  view: SlotView,
  trial: Trial,
  service: Service,
  nodes: ReadonlyMap<string, MeshNode>,
): SlotView {
  if (trial.isOver || view.keeper?.state !== "running") return view;
  if (updatePolicyOf(service).order === "stop-first") return view;
  const old = view.othersToReplace.filter(
    ({ task, reason }) => reason === "update" && task.state === "running",
  );
  const held = bestTask(
    old.map(({ task }) => task),
    nodes,
  );
  const isHeld = (other: TaskToReplace) => other.task === held;
  return {
    ...view,
    outgoing: old.find(isHeld) ?? null,
    othersToReplace: view.othersToReplace.filter((other) => !isHeld(other)),
  };
}

/** True if only the trial keeps the slot's old task running. */
export function hasHeldTask({ keeper, outgoing }: SlotView): boolean {
  return keeper?.state === "running" && outgoing !== null;
}
