// A task: one run of a service on one node. It never moves, and its state only goes forward.

import type { CheckCount, RiseFall } from "./check-counter.ts";
import type { NetworkAddress } from "./network.ts";
import type { AdminState } from "./server.ts";
import type { RunSpec } from "./service.ts";

/** SwarmKit's states and their values, ascending. The observed state never goes back. */
export const taskStates = {
  new: 0,
  allocated: 32,
  pending: 64,
  assigned: 192,
  accepted: 256,
  preparing: 320,
  ready: 384,
  starting: 448,
  running: 512,
  complete: 576,
  shutdown: 640,
  failed: 704,
  rejected: 768,
  remove: 800,
  orphaned: 832,
} as const;
export type TaskState = keyof typeof taskStates;

/** The registry's state for a task; only goes forward. `remove`: stop the task, then delete it. */
type DesiredState = "running" | "shutdown" | "remove";

/**
 * Where a task listens for one of its target ports, on its own machine: `{ target: 80, origin:
 * "http://127.0.0.1:41233" }`. The mesh never dials the origin; the node's gateway does.
 */
export type Endpoint = { readonly target: number; readonly origin: string };

/** A task's health as its agent last reported it. */
export type HealthReport = CheckCount &
  RiseFall & {
    /** Epoch milliseconds since which the verdict holds. */
    readonly sinceMs: number;
    /** The last check as HAProxy writes it: `L4OK in 0ms`, `L7STS/503 in 2ms`, `L4CON in 0ms`. */
    readonly lastCheck: string;
  };

/** Tasks of a slot that failed in a row, each within minutes of its start. */
export type FailureStreak = {
  readonly count: number;
  /** When the first of them ended; epoch milliseconds of the registry's clock. */
  readonly sinceMs: number;
};

/** A task as the registry stores it. */
export type Task = {
  readonly id: string;
  readonly serviceId: string;
  /** 1..N for a replicated service; 0 for a global one, whose slots are nodes. */
  readonly slot: number;
  /** Null until the task is placed; then it never changes. */
  readonly nodeId: string | null;
  /** The node of a global service's task, set before it is placed; absent for a replicated service. */
  readonly forNode?: string;
  readonly run: RunSpec;
  /** The Engine API's TaskTemplate from which the task was created, unchanged. */
  readonly document: unknown;
  readonly runHash: string;
  /** The iteration of the job that it belongs to; absent for a task that is not a job's. */
  readonly jobIteration?: number;
  /** The desired state; written by the registry only. */
  readonly desired: DesiredState;
  /** The observed state; written by the node's agent once the task is assigned. */
  readonly state: TaskState;
  /** SwarmKit's message for the state: `pending task scheduling`, `started`. */
  readonly message: string;
  /** Why the task is pending or dead, for people; empty without an error. */
  readonly err: string;
  readonly stateSinceMs: number;
  readonly createdAtMs: number;
  /** The restart delay ends here, and the task may be placed; epoch milliseconds. */
  readonly notBeforeMs: number;
  /** The failures that led to it. Absent: the slot's last task of the same spec did not fail. */
  readonly failures?: FailureStreak;
  readonly version: number;
  readonly endpoints: readonly Endpoint[];
  readonly health: HealthReport | null;
  readonly pid: number | null;
  readonly exitCode: number | null;
  /** The id of its container. Absent: it is a process, or its container is not made yet. */
  readonly containerId?: string;
  /** Host-mode ports as the node's runtime published them; absent: none. */
  readonly hostPorts?: readonly { readonly target: number; readonly published: number }[];
  /** Ports at which its container accepts TCP connections, ascending; absent: it is on no network. */
  readonly openPorts?: readonly number[];
  /** Its address on each network of its service. Absent: it has none yet, or is from an earlier release. */
  readonly addresses?: readonly NetworkAddress[];
  /** It belongs to a discovered service, so the mesh neither starts nor stops it. Absent: the mesh runs it. */
  readonly discovered?: true;
  /** Absent: ready. */
  readonly admin?: AdminState;
  /** When the registry first received the report that the task runs, by the registry's clock. */
  readonly ranSinceMs?: number;
  /** When the registry first received the report that the task is dead, by the registry's clock. */
  readonly endedAtMs?: number;
  /** Set when a running task should stop: the first table without it, and whether its agent may stop it. */
  readonly departure?: {
    readonly tableVersion: number;
    readonly atMs: number;
    readonly released: boolean;
  };
};

/** True while the task runs or may still start. */
export function isAlive(task: Pick<Task, "state">): boolean {
  return taskStates[task.state] <= taskStates.running;
}

/** True while the registry wants the task to run and it may still run. */
export function isWanted(task: Pick<Task, "state" | "desired">): boolean {
  return task.desired === "running" && isAlive(task);
}

/**
 * The desired state as Docker shows it: a job's task should complete, and a dead task that has no successor
 * should stay shut down.
 */
export function shownDesiredState(task: Pick<Task, "state" | "desired" | "jobIteration">): string {
  if (task.desired !== "running") return task.desired;
  const isJobTask = task.jobIteration !== undefined;
  if (isAlive(task)) return isJobTask ? "complete" : "running";
  return isJobTask && task.state === "complete" ? "complete" : "shutdown";
}

/** A task's slot in its service: its number, or the node of a global service, also before the task is placed there. */
export function slotOf({ slot, nodeId, forNode }: Pick<Task, "slot" | "nodeId" | "forNode">): string {
  return slot > 0 ? String(slot) : (nodeId ?? forNode ?? "");
}

/** `my-web.1`, or `my-web.<node id>` for a task of a global service. */
export function taskName(serviceName: string, task: Pick<Task, "slot" | "nodeId" | "forNode">): string {
  return `${serviceName}.${slotOf(task) || 0}`;
}
