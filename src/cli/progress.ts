// A service's way to being up, as `docker service create` shows it: an overall line and one line a slot.
//
// Pure: state in, lines out. progress-writer.ts puts the lines on a terminal.

import { taskStates } from "../domain/model/task.ts";
import type { EngineNode, EngineService, EngineTask } from "./engine.ts";

/** One slot (or, of a global service, one node). */
export type SlotProgress = {
  /** `1/2`, or the node's name. */
  readonly label: string;
  /** A task state; empty while the slot has no task. */
  readonly state: string;
  /** Why it does not get on; empty when it does. */
  readonly err: string;
};

/** How far a service is. */
export type ServiceProgress = {
  /** `overall progress`, `rolling back update`; where several services start at once, with the name. */
  readonly title: string;
  readonly running: number;
  readonly wanted: number;
  readonly slots: readonly SlotProgress[];
};

/** Above this many slots only those in trouble have a line of their own. */
const maxSlotLines = 20;
const maxTroubleLines = 5;

const barWidth = 50;
const stateWidth = 9;

// The states a slot passes on its way, in the order of the bar.
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

/** True when every task that is wanted runs. */
export function isComplete(progress: ServiceProgress): boolean {
  return progress.wanted === progress.running;
}

/**
 * Reads how far a service is. A task counts as running while its node is heard and nobody wants it gone.
 *
 * @param tasks of the service, made from its present spec (filter `_up-to-date`)
 */
export function serviceProgress(
  service: EngineService,
  tasks: readonly EngineTask[],
  nodes: readonly EngineNode[],
): ServiceProgress {
  const heard = new Map(
    nodes
      .filter((node) => node.Status?.State !== "down")
      .map((node) => [node.ID, node.Description?.Hostname ?? node.ID]),
  );
  const wantedTasks = tasks.filter(
    (task) => stateRank(task.DesiredState) <= taskStates.running && (!task.NodeID || heard.has(task.NodeID)),
  );
  const title = service.UpdateStatus?.State?.startsWith("rollback_")
    ? "rolling back update"
    : "overall progress";
  const replicated = service.Spec.Mode?.Replicated;
  const slots = replicated
    ? replicatedSlots(wantedTasks, replicated.Replicas ?? 1)
    : globalSlots(wantedTasks, heard);
  const running = slots.filter((slot) => slot.state === "running").length;
  // Before the mesh has made the tasks of a global service nothing tells how many there will be: that is not done.
  const wanted = replicated ? slots.length : Math.max(1, slots.length);
  return { title, running, wanted, slots };
}

/**
 * The lines to show, in Docker's layout.
 *
 * @param columns width of the terminal, to which lines are cut; null: no terminal, so neither bars nor cuts
 */
export function progressLines(progress: ServiceProgress, columns: number | null): string[] {
  const slots = progress.slots.length <= maxSlotLines ? progress.slots : troubledSlots(progress.slots);
  const labelWidth = Math.max(0, ...slots.map((slot) => slot.label.length));
  const lines = [
    `${progress.title}: ${progress.running} out of ${progress.wanted} tasks`,
    ...slots.map((slot) => slotLine(slot, labelWidth, columns !== null)),
  ];
  return columns === null ? lines : lines.map((line) => line.slice(0, Math.max(1, columns - 1)));
}

function replicatedSlots(tasks: readonly EngineTask[], replicas: number): SlotProgress[] {
  const bySlot = new Map<number, EngineTask>();
  for (const task of tasks) {
    const other = bySlot.get(task.Slot ?? 0);
    if (other === undefined || isPreferred(task, other)) bySlot.set(task.Slot ?? 0, task);
  }
  const ordered = [...bySlot].sort(([a], [b]) => a - b).map(([, task]) => task);
  // After a scale down the slots that stayed may be 1 and 3 of 2: then they are counted instead of named.
  const isNamed = [...bySlot.keys()].every((slot) => slot <= replicas);
  return Array.from({ length: replicas }, (_, index) =>
    slotOf(`${index + 1}/${replicas}`, isNamed ? bySlot.get(index + 1) : ordered[index]),
  );
}

function globalSlots(tasks: readonly EngineTask[], hostnames: ReadonlyMap<string, string>): SlotProgress[] {
  const byNode = new Map<string, EngineTask>();
  for (const task of tasks) {
    const other = byNode.get(task.NodeID ?? "");
    if (other === undefined || isPreferred(task, other)) byNode.set(task.NodeID ?? "", task);
  }
  return [...byNode]
    .map(([nodeId, task]) => slotOf(hostnames.get(nodeId) ?? nodeId, task))
    .sort((a, b) => a.label.localeCompare(b.label));
}

function slotOf(label: string, task: EngineTask | undefined): SlotProgress {
  return { label, state: task?.Status.State ?? "", err: task?.Status.Err ?? "" };
}

/** Of two tasks in one slot the one that tells more: the one that is meant to run, then the one that has further to go. */
function isPreferred(task: EngineTask, other: EngineTask): boolean {
  const desired = stateRank(task.DesiredState) - stateRank(other.DesiredState);
  return desired < 0 || (desired === 0 && stateRank(task.Status.State) < stateRank(other.Status.State));
}

function stateRank(state: string): number {
  return taskStates[state as keyof typeof taskStates] ?? taskStates.orphaned;
}

function troubledSlots(slots: readonly SlotProgress[]): readonly SlotProgress[] {
  return slots.filter((slot) => slot.err !== "").slice(0, maxTroubleLines);
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
