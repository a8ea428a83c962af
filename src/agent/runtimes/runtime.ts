// A runtime: what runs a node's tasks. The agent decides when; a runtime only knows how.

import type { ProbeSpec } from "../../domain/model/service.ts";
import type { Endpoint } from "../../domain/model/task.ts";
import type { AssignedTask } from "../../protocol/agent.ts";

export interface Runtime {
  /** Finds out whether the task can run here, and how. Starts nothing. */
  prepare(task: AssignedTask): Promise<PrepareResult>;
  /**
   * Finds a task started by an earlier agent.
   *
   * @param trace what `Running.trace` was; null when the earlier agent was gone before it could keep it
   * @returns null when the task does not run any more; one that runs and cannot be told apart or reached is ended
   */
  find(task: AssignedTask, trace: unknown): Promise<RunningTask | null>;
}

/** A plan, or why there is none: the task is then rejected with these words. */
export type PrepareResult =
  | { readonly ok: true; readonly plan: LaunchPlan }
  | { readonly ok: false; readonly reason: string };

export type LaunchPlan = {
  readonly probe: ProbeSpec;
  readonly stopSignal: NodeJS.Signals;
  /** Starts the task; each call starts it once more. Rejects when the system cannot start it. */
  readonly start: () => Promise<RunningTask>;
};

/** A started task. */
export type RunningTask = {
  readonly pid: number;
  /** Where the mesh dials it. */
  readonly endpoints: readonly Endpoint[];
  /** Where this machine itself reaches it: what is probed. */
  readonly localEndpoints: readonly Endpoint[];
  /** Plain data by which a later agent finds it again. */
  readonly handle: unknown;
  /** Resolves once nothing of the task runs any more. */
  readonly exited: Promise<ExitStatus>;
  /** Sends a signal to the task's own process. */
  readonly signal: (name: NodeJS.Signals) => void;
  /** Ends the task and all it started, at once. */
  readonly kill: () => void;
};

/** How a task ended; neither code nor signal is known of one that was another process's child. */
export type ExitStatus = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** It could not listen: another process took its port between choosing and listening. */
  readonly isPortTaken: boolean;
};
