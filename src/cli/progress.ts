// Convergence of a service as `docker service create` shows it: an overall line and one line per slot. Pure;
// the writer is progress-writer.ts.

import { taskStates } from "../domain/model/task.ts";
import type { EngineNode, EngineService, EngineTask } from "./engine.ts";

/** One slot, or one node of a global service. */
type SlotProgress = {
  /** `1/2`, or the node's name. */
  readonly label: string;
  /** State of the task; empty if the slot has no task. */
  readonly state: string;
  /** Error of the task; empty without an error. */
  readonly err: string;
};

/** How many tasks of a service run, and the state of each slot. */
export type ServiceProgress = {
  /** `overall progress`, `rolling back update`, or the name of the service. */
  readonly title: string;
  readonly running: number;
  readonly desired: number;
  readonly slots: readonly SlotProgress[];
};

/** With more slots than this, only slots with errors have a line. */
const maxSlotLines = 20;
const maxErrorLines = 5;

const barWidth = 50;
const stateWidth = 9;

// The task states up to running, in the order of the progress bar.
const progressStates = [
  "new",
  "allocated",
  "pending",
  "assigned",
  "accepted",
  "preparing",
  "ready",
  "starting",
  "running",
];

/** True if every desired task runs. */
export function isComplete(progress: ServiceProgress): boolean {
  return progress.desired === progress.running;
}

/**
 * Computes the progress of a service. A task counts if its desired state is running and its node is not down.
 *
 * @param tasks tasks of the service with its current spec (filter `_up-to-date`)
 */
export function serviceProgress(
  service: EngineService,
  tasks: readonly EngineTask[],
  nodes: readonly EngineNode[],
): ServiceProgress {
  if (service.Spec.Mode?.ReplicatedJob || service.Spec.Mode?.GlobalJob) return jobProgress(service, tasks);
  const hostnames = new Map(
    nodes
      .filter((node) => node.Status?.State !== "down")
      .map((node) => [node.ID, node.Description?.Hostname ?? node.ID]),
  );
  const countedTasks = tasks.filter(
    (task) =>
      stateRank(task.DesiredState) <= taskStates.running && (!task.NodeID || hostnames.has(task.NodeID)),
  );
  const title = service.UpdateStatus?.State?.startsWith("rollback_")
    ? "rolling back update"
    : "overall progress";
  const replicated = service.Spec.Mode?.Replicated;
  const slots = replicated
    ? replicatedSlots(countedTasks, replicated.Replicas ?? 1)
    : globalSlots(countedTasks, hostnames);
  const running = slots.filter((slot) => slot.state === "running").length;
  // A global service without tasks has just been created and is not complete.
  const desired = replicated ? slots.length : Math.max(1, slots.length);
  return { title, running, desired, slots };
}

/**
 * The progress lines in Docker's layout.
 *
 * @param columns width that lines are cut to; null for output that is not a terminal, without bars and cuts
 */
export function progressLines(progress: ServiceProgress, columns: number | null): string[] {
  const slots = progress.slots.length <= maxSlotLines ? progress.slots : slotsWithErrors(progress.slots);
  const labelWidth = Math.max(0, ...slots.map((slot) => slot.label.length));
  const lines = [
    `${progress.title}: ${progress.running} out of ${progress.desired} tasks`,
    ...slots.map((slot) => slotLine(slot, labelWidth, columns !== null)),
  ];
  return columns === null ? lines : lines.map((line) => line.slice(0, Math.max(1, columns - 1)));
}

/** The progress of a job's current iteration, to which the tasks belong. */
function jobProgress({ Spec: { Mode } }: EngineService, tasks: readonly EngineTask[]): ServiceProgress {
  // The first slot of a replicated job is 0, which is not written.
  const keyOf = ({ Slot, NodeID }: EngineTask) => (Mode?.ReplicatedJob ? (Slot ?? 0) : (NodeID ?? ""));
  const slots = new Map(tasks.map((task) => [keyOf(task), false]));
  for (const task of tasks) if (task.Status.State === "complete") slots.set(keyOf(task), true);
  const completed = [...slots.values()].filter(Boolean).length;
  const desired = Mode?.ReplicatedJob?.TotalCompletions ?? Math.max(1, slots.size);
  const failed = tasks.flatMap((task) => (task.Status.Err ? [slotProgress(String(keyOf(task)), task)] : []));
  return { title: "job progress", running: completed, desired, slots: failed.slice(0, maxErrorLines) };
}

function replicatedSlots(tasks: readonly EngineTask[], replicas: number): SlotProgress[] {
  const bySlot = new Map<number, EngineTask>();
  for (const task of tasks) {
    const other = bySlot.get(task.Slot ?? 0);
    if (other === undefined || isPreferred(task, other)) bySlot.set(task.Slot ?? 0, task);
  }
  const ordered = [...bySlot].sort(([a], [b]) => a - b).map(([, task]) => task);
  // After scaling down, slots 1 and 3 of 2 may remain. Then they are numbered by position.
  const hasOwnNumbers = [...bySlot.keys()].every((slot) => slot <= replicas);
  return Array.from({ length: replicas }, (_, index) =>
    slotProgress(`${index + 1}/${replicas}`, hasOwnNumbers ? bySlot.get(index + 1) : ordered[index]),
  );
}

function globalSlots(tasks: readonly EngineTask[], hostnames: ReadonlyMap<string, string>): SlotProgress[] {
  const byNode = new Map<string, EngineTask>();
  for (const task of tasks) {
    const other = byNode.get(task.NodeID ?? "");
    if (other === undefined || isPreferred(task, other)) byNode.set(task.NodeID ?? "", task);
  }
  return [...byNode]
    .map(([nodeId, task]) => slotProgress(hostnames.get(nodeId) ?? nodeId, task))
    .sort((a, b) => a.label.localeCompare(b.label));
}

function slotProgress(label: string, task: EngineTask | undefined): SlotProgress {
  return { label, state: task?.Status.State ?? "", err: task?.Status.Err ?? "" };
}

/** Which of two tasks in a slot to show: the one desired to run, then the one in the earlier state. */
function isPreferred(task: EngineTask, other: EngineTask): boolean {
  const desired = stateRank(task.DesiredState) - stateRank(other.DesiredState);
  return desired < 0 || (desired === 0 && stateRank(task.Status.State) < stateRank(other.Status.State));
}

function stateRank(state: string): number {
  return taskStates[state as keyof typeof taskStates] ?? taskStates.orphaned;
}

function slotsWithErrors(slots: readonly SlotProgress[]): readonly SlotProgress[] {
  return slots.filter((slot) => slot.err !== "").slice(0, maxErrorLines);
}

function slotLine(slot: SlotProgress, labelWidth: number, bars: boolean): string {
  const label = `${slot.label}:`.padEnd(labelWidth + 1);
  if (slot.err !== "") return `${label} ${slot.err}`;
  const step = progressStates.indexOf(slot.state) + 1;
  if (!bars || step === 0) return `${label} ${slot.state}`.trimEnd();
  const filled = Math.floor((step / progressStates.length) * barWidth);
  const bar = `${"=".repeat(filled)}>`.padEnd(barWidth + 1);
  return `${label} ${slot.state.padEnd(stateWidth)} [${bar}]`;
}
