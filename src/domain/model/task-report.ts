// A task report: what an agent has just seen of one of its tasks, and what the registry believes from then on.

import { type Endpoint, type HealthReport, isAlive, type Task, type TaskState, taskStates } from "./task.ts";

/** States an agent may report; the others are the registry's own. */
export type ReportedState = Exclude<TaskState, "new" | "allocated" | "pending" | "remove" | "orphaned">;

/** One task as its agent sees it; the shape of TaskReport in protocol/agent.ts. */
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
};

/**
 * The task as just seen. Reports may be repeated and may come late: the state only goes forward, a dead task stays as
 * it died, and a report of an earlier state says nothing at all. Within one state, and above all while running,
 * endpoints, health and words follow the report.
 *
 * @param heardAtMs the registry's own time, which tells how long a task ran whatever its agent's clock says
 * @returns the same reference when nothing changes
 * @see docs/spec.md T1-T8
 */
export function applyReport(task: Task, seen: TaskObservation, heardAtMs: number = seen.atMs): Task {
  if (!isAlive(task) || taskStates[seen.state] < taskStates[task.state]) return task;
  const moved = seen.state !== task.state;
  const { state, message, err, endpoints, health, pid, exitCode } = seen;
  if (!moved && sameFacts(task, seen)) return task;
  const stateSinceMs = moved ? seen.atMs : task.stateSinceMs;
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
    stateSinceMs,
    version,
    ...(moved && state === "running" && { ranSinceMs: heardAtMs }),
    ...(moved && !isAlive(seen) && { endedAtMs: heardAtMs }),
  };
}

function sameFacts(task: Task, seen: TaskObservation): boolean {
  return (
    task.message === seen.message &&
    task.err === seen.err &&
    task.pid === seen.pid &&
    task.exitCode === seen.exitCode &&
    sameEndpoints(task.endpoints, seen.endpoints) &&
    sameHealth(task.health, seen.health)
  );
}

function sameEndpoints(a: readonly Endpoint[], b: readonly Endpoint[]): boolean {
  return (
    a.length === b.length &&
    a.every(({ target, origin }, at) => b[at]?.target === target && b[at].origin === origin)
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
