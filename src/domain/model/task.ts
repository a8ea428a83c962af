// A task: one run of a service on one node. It never moves and its state only goes forward; its slot outlives it.

import type { CheckCount, RiseFall } from "./check-counter.ts";
import type { AdminState } from "./server.ts";
import type { RunSpec } from "./service.ts";

/** In order; the observed state never goes back. The values are SwarmKit's. */
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

/** What the registry wants of a task. `remove`: stop, then forget (scale down, service removed). Only goes forward. */
export type DesiredState = "running" | "shutdown" | "remove";

/** Where a target port of a task is reached, for example `{ target: 80, origin: "http://127.0.0.2:41233" }`. */
export type Endpoint = { readonly target: number; readonly origin: string };

/** What an agent last said of a task's health; shown as HAProxy shows it (`UP 2/3`, `L7OK/200 in 3ms`). */
export type HealthReport = CheckCount &
  RiseFall & {
    /** Epoch milliseconds since which the verdict holds. */
    readonly sinceMs: number;
    /** The last check as HAProxy writes it: `L4OK in 0ms`, `L7STS/503 in 2ms`, `L4CON in 0ms`. */
    readonly lastCheck: string;
  };

/** A task of the mesh. */
export type Task = {
  readonly id: string;
  readonly serviceId: string;
  /** 1..N for a replicated service; 0 for a global one, whose tasks are keyed by node. */
  readonly slot: number;
  /** Null until placed; then it never changes. */
  readonly nodeId: string | null;
  /** The one node a global service's task is meant for, from the start; absent for a replicated service's. */
  readonly forNode?: string;
  readonly run: RunSpec;
  /** The Engine API's TaskTemplate this task was made from, verbatim. */
  readonly document: unknown;
  readonly runHash: string;
  /** Written by the registry only. */
  readonly desired: DesiredState;
  /** Written by the node's agent once assigned. */
  readonly state: TaskState;
  /** What the state means, in SwarmKit's words: `pending task scheduling`, `started`. */
  readonly message: string;
  /** Why it is stuck or dead, for a person; empty when all is well. */
  readonly err: string;
  readonly stateSinceMs: number;
  readonly createdAtMs: number;
  /** Not placed before this (restart backoff); epoch milliseconds. */
  readonly notBeforeMs: number;
  readonly version: number;
  readonly endpoints: readonly Endpoint[];
  readonly health: HealthReport | null;
  readonly pid: number | null;
  readonly exitCode: number | null;
  /** Whether it gets new requests, as the operator wants it; absent: ready. */
  readonly admin?: AdminState;
  /** When the registry first heard that it runs, and that it is dead, by the registry's clock. Absent: not yet. */
  readonly ranSinceMs?: number;
  readonly endedAtMs?: number;
  /** Set when a running task is told to stop: which table it was out of first, and whether its agent may stop it. */
  readonly departure?: {
    readonly tableVersion: number;
    readonly atMs: number;
    readonly released: boolean;
  };
};

/** True while the task may still run or come to run. */
export function isAlive(task: Pick<Task, "state">): boolean {
  return taskStates[task.state] <= taskStates.running;
}

/** True while the registry wants the task to run and it may still run. */
export function isWanted(task: Pick<Task, "state" | "desired">): boolean {
  return task.desired === "running" && isAlive(task);
}

/** `my-web.1`, or `my-web.<node id>` for a task of a global service. */
export function taskName(serviceName: string, task: Pick<Task, "slot" | "nodeId" | "forNode">): string {
  return `${serviceName}.${task.slot > 0 ? task.slot : (task.nodeId ?? task.forNode ?? 0)}`;
}
