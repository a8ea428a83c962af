// The interface of a task runtime. The agent decides when tasks start and stop; a runtime does it.

import type { ProbeSpec } from "../../domain/model/service.ts";
import type { Endpoint } from "../../domain/model/task.ts";
import type { AssignedTask } from "../../protocol/agent.ts";

export interface Runtime {
  /** Checks whether the task can run here, and how. Starts nothing. */
  prepare(task: AssignedTask): Promise<PrepareResult>;
  /**
   * Finds a task that an earlier agent started. Kills a task that runs but whose ports are unknown.
   *
   * @param handle the task's `RunningTask.handle`; null if the earlier agent ended before it saved it
   * @returns null if the task does not run
   */
  find(task: AssignedTask, handle: unknown): Promise<RunningTask | null>;
}

/** A plan, or the reason why the task is rejected. */
export type PrepareResult =
  | { readonly ok: true; readonly plan: LaunchPlan }
  | { readonly ok: false; readonly reason: string };

export type LaunchPlan = {
  readonly probe: ProbeSpec;
  readonly stopSignal: NodeJS.Signals;
  /** Starts the task; each call starts another process. Rejects if the system cannot start it. */
  readonly start: () => Promise<RunningTask>;
};

/** A started task. */
export type RunningTask = {
  readonly pid: number;
  /** Where the task listens on this machine, for the gateway and for probes. */
  readonly endpoints: readonly Endpoint[];
  /** JSON data by which a later agent finds the task. */
  readonly handle: unknown;
  /** Resolves once the task and all processes it started have ended. */
  readonly exited: Promise<ExitStatus>;
  /** Sends a signal to the task's own process. */
  readonly signal: (name: NodeJS.Signals) => void;
  /** Kills the task and all processes it started. */
  readonly kill: () => void;
};

/** The exit of a task. Code and signal are unknown (null) if another process started it. */
export type ExitStatus = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The task could not listen, because another process took its port after it was chosen. */
  readonly isPortTaken: boolean;
};
