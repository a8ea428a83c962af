// The interface of a task runtime. The agent decides when tasks start and stop; a runtime does it.

import type { ProbeSpec } from "../../domain/model/service.ts";
import type { Endpoint } from "../../domain/model/task.ts";
import type { LogLine } from "../../gateway/logs/log-line.ts";
import type { AssignedTask } from "../../protocol/agent.ts";
import type { DependencyFile } from "../../protocol/engine/dependency-files.ts";
import type { PlaceResult, TaskFileReader } from "../dependency-files.ts";
import type { LogQuery } from "../logs/log-query.ts";

export interface Runtime {
  /**
   * Checks whether the task can run here, and gets what it needs: an image, for example. Starts nothing. After an
   * abort the result is not used, and whatever was prepared is removed.
   */
  prepare(task: AssignedTask, context: PrepareContext): Promise<PrepareResult>;
  /**
   * Finds a task that an earlier agent started. Kills a task that runs but whose ports are unknown.
   *
   * @param handle the task's `RunningTask.handle`; null if the earlier agent ended before it saved it
   * @returns null if the runtime knows nothing of the task
   */
  find(task: AssignedTask, handle: unknown): Promise<RunningTask | EndedRun | null>;
  /** The lines of a task's output, oldest first, also of one that has ended. A task without output has none. */
  readLogs(taskId: string, query: LogQuery): AsyncIterable<LogLine>;
  /**
   * Ends what runs for this agent without a record, because its state folder was lost. Absent: the runtime
   * cannot know.
   *
   * @param recordedIds ids of the tasks that have a folder
   * @returns a name of each task that it ended
   */
  removeStrays?(recordedIds: ReadonlySet<string>): Promise<readonly string[]>;
  /** Removes what ended tasks have left behind, apart from their folders. Absent: nothing is left. */
  remove?(taskIds: readonly string[]): Promise<void>;
  /** The networks of this machine, with the addresses of this agent's running tasks. Absent: it has none. */
  localNetworks?(): Promise<LocalNetworks>;
  /** Ends the runtime's own connections. Tasks keep running. */
  close?(): void;
}

/** A network of the mesh as this machine has it. */
export type LocalNetwork = {
  /** The id of the mesh's network. */
  readonly id: string;
  /** This machine's own address on it. */
  readonly gateway: string;
  /** `172.18.0.0/16` */
  readonly subnet: string;
};

/** A running task, and its address on each network by the network's id. */
type LocalMember = {
  readonly taskId: string;
  readonly addresses: ReadonlyMap<string, string>;
  /** True if its service names name servers of its own, which are asked what the mesh does not know. */
  readonly hasNameServers: boolean;
};

export type LocalNetworks = {
  readonly networks: readonly LocalNetwork[];
  readonly members: readonly LocalMember[];
};

export type PrepareContext = {
  /** Id of the node that the task is assigned to. */
  readonly nodeId: string;
  /** Aborted when the task must stop. */
  readonly signal: AbortSignal;
  /** Shows in the task's message: `pulling nginx:1.27: 40 %`. */
  readonly onProgress: (message: string) => void;
  /**
   * Opens the name server of the task's networks, which must exist.
   *
   * @returns its address; null: names lead to tasks of this machine only
   */
  readonly openNames: () => Promise<string | null>;
  /** Writes the files of the task's secrets and configs; they are removed when the task has ended. */
  readonly placeFiles: (files: readonly DependencyFile[], reader: TaskFileReader) => Promise<PlaceResult>;
};

/** A plan, or the reason why the task cannot run; with `retry` it may be able to a moment later. */
export type PrepareResult =
  | { readonly ok: true; readonly plan: LaunchPlan }
  | { readonly ok: false; readonly reason: string; readonly retry?: true };

export type LaunchPlan = {
  readonly probe: ProbeSpec;
  /** A name as `kill` knows it; a runtime may know more than Node.js does. */
  readonly stopSignal: string;
  /** Starts the task; each call starts another process. Rejects if the system cannot start it. */
  readonly start: () => Promise<RunningTask>;
  /** Removes what was prepared, if the task must not start. Absent: nothing is left. */
  readonly discard?: () => Promise<void>;
};

/** A started task. */
export type RunningTask = {
  /** Null: it has ended already. */
  readonly pid: number | null;
  /** Absent: a process. */
  readonly containerId?: string;
  /** Where the task listens on this machine, for the gateway and for probes. */
  readonly endpoints: readonly Endpoint[];
  /** Host-mode ports that the runtime published. Absent: none. */
  readonly hostPorts?: readonly { readonly target: number; readonly published: number }[];
  /** JSON data by which a later agent finds the task. */
  readonly handle: unknown;
  /** Resolves once the task and all processes it started have ended. */
  readonly exited: Promise<ExitStatus>;
  /** The task's own health check, which the runtime runs. Absent: it has none. */
  readonly healthcheck?: Healthcheck;
  /** The TCP ports that it listens at now, ascending. Absent: the runtime cannot know. */
  readonly openPorts?: () => Promise<readonly number[]>;
  /** Sends a signal to the task's own process. Resolves to false if it cannot be sent. */
  readonly signal: (name: string) => Promise<boolean>;
  /** Kills the task and all processes it started; `exited` says when that is done. */
  readonly kill: () => void;
};

/** A health check that the runtime runs: Docker's HEALTHCHECK. */
export type Healthcheck = {
  /** Resolves when the check first passes. */
  readonly passed: Promise<void>;
  /** Resolves with the last output when the check has failed too often. */
  readonly failed: Promise<string>;
};

/** A task that its runtime could not start. The message is the task's error as it is. */
export class StartError extends Error {}

/** A task that ended while no agent ran. */
export type EndedRun = { readonly exit: ExitStatus };

/** The exit of a task. Code and signal are unknown (null) if another process started it. */
export type ExitStatus = {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The task could not listen, because another process took its port after it was chosen. */
  readonly isPortTaken: boolean;
  /** What is known of the cause: `out of memory`, an error of the runtime, the last lines of output. */
  readonly detail?: string;
};
