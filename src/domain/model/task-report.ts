// Task reports: how the registry applies an agent's observation of a task.

import { type Endpoint, type HealthReport, isAlive, type Task, type TaskState, taskStates } from "./task.ts";

/** The states an agent may report; the registry sets the others. */
export type ReportedState = Exclude<TaskState, "new" | "allocated" | "pending" | "remove" | "orphaned">;

/** One task as its agent observes it; the shape of TaskReport in protocol/agent.ts. */
export type TaskObservation = {
  readonly id: string;
  readonly state: ReportedState;
  readonly message: string;
  readonly err: string;
  readonly atMs: number;
  readonly endpoints: readonly Endpoint[];
  readonly health: HealthReport | null;
  readonly pid: number | null;
  readonly exitCode: number | null;
  readonly containerId?: string | undefined;
  readonly hostPorts?: readonly { readonly target: number; readonly published: number }[] | undefined;
  readonly openPorts?: readonly number[] | undefined;
};

/**
 * Applies a report to a task. Reports may be repeated or late: the state only goes forward, a dead task does
 * not change any more, and a report of an earlier state is ignored as a whole. Within one state, endpoints,
 * health and texts follow the report.
 *
 * @param receivedAtMs the registry's time, by which the task's run time is measured: the agent's clock may be
 *   wrong
 * @returns the same reference if nothing changes
 * @see docs/spec.md T1-T8
 */
export function applyReport(
  task: Task,
  observed: TaskObservation,
  receivedAtMs: number = observed.atMs,
): Task {
  if (!isAlive(task) || taskStates[observed.state] < taskStates[task.state]) return task;
  const isNewState = observed.state !== task.state;
  const { state, message, err, endpoints, health, pid, exitCode, containerId, hostPorts, openPorts } =
    observed;
  if (!isNewState && sameFacts(task, observed)) return task;
  const stateSinceMs = isNewState ? observed.atMs : task.stateSinceMs;
  const version = task.version + 1;
  return {
    ...task,
    state,
    message,
    err,
    endpoints,
    health,
    pid,
    exitCode,
    ...(containerId !== undefined && { containerId }),
    ...(hostPorts !== undefined && { hostPorts }),
    ...(openPorts !== undefined && { openPorts }),
    stateSinceMs,
    version,
    ...(isNewState && state === "running" && { ranSinceMs: receivedAtMs }),
    ...(isNewState && !isAlive(observed) && { endedAtMs: receivedAtMs }),
  };
}

function sameFacts(task: Task, observed: TaskObservation): boolean {
  return (
    task.message === observed.message &&
    task.err === observed.err &&
    task.pid === observed.pid &&
    task.exitCode === observed.exitCode &&
    (observed.containerId === undefined || task.containerId === observed.containerId) &&
    (observed.openPorts === undefined || String(task.openPorts) === String(observed.openPorts)) &&
    sameEndpoints(task.endpoints, observed.endpoints) &&
    sameHealth(task.health, observed.health)
  );
}

function sameEndpoints(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ target, origin }, index) => b[index]?.target === target && b[index].origin === origin)
  );
}

function sameHealth(a: HealthReport | null, b: HealthReport | null): boolean {
  if (a === null || b === null) return a === b;
  return (
    a.verdict === b.verdict &&
    a.streak.ok === b.streak.ok &&
    a.streak.length === b.streak.length &&
    a.sinceMs === b.sinceMs &&
    a.lastCheck === b.lastCheck &&
    a.rise === b.rise &&
    a.fall === b.fall
  );
}
