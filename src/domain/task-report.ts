import type { Endpoint, HealthReport, Task, TaskState } from "./task.ts";

/** States an agent may report. */
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

/** The task as just seen; the same reference when nothing changes. */
export function applyReport(_task: Task, _seen: TaskObservation): Task {
  throw new Error("not built yet");
}
