// The tasks of a node: applies assignments to the running tasks and reports changes.

import { printable, printableUpTo } from "../domain/model/printable.ts";
import { isAlive, taskStates } from "../domain/model/task.ts";
import type { AssignedTask, Assignment, TaskReport } from "../protocol/agent.ts";
import type { DependencyFiles } from "./dependency-files.ts";
import type { GatewayTask } from "./gateway/gateway.ts";
import { type AgentAction, reconcileTasks } from "./reconcile-tasks.ts";
import type { RunningTask, Runtime } from "./runtimes/runtime.ts";
import type { TaskRecords } from "./task-records.ts";
import { type TaskContext, TaskRun } from "./task-run.ts";

type TasksOptions = Omit<TaskContext, "save" | "onChange" | "files"> & {
  readonly files: Pick<DependencyFiles, "place" | "remove" | "sweep">;
  readonly records: Pick<TaskRecords, "all" | "ids" | "save" | "retire" | "removeExpired">;
  readonly onChange: (id: string, change: "state" | "health") => void;
  readonly log: (line: string) => void;
};

export class Tasks {
  readonly #options: TasksOptions;
  readonly #context: TaskContext;
  readonly #runs = new Map<string, TaskRun>();
  #assigned: ReadonlyMap<string, AssignedTask> | null = null;
  /** Tasks that end because their service or slot was removed. */
  readonly #removed = new Set<string>();
  #drainDelayMs = 0;

  constructor(options: TasksOptions) {
    this.#options = options;
    this.#context = {
      ...options,
      save: (record) => this.#tryWrite(() => options.records.save(record)),
      onChange: (run, change) => this.#changed(run, change),
    };
  }

  /** Takes over the tasks of an earlier agent of this state folder: running ones, and unconfirmed ends. */
  async restore(runtime: Runtime): Promise<void> {
    const { records, log } = this.#options;
    for (const record of records.all((file) => log(`cannot read ${file}; it is left unchanged`))) {
      const found = isAlive(record.report) ? await runtime.find(record.task, record.handle) : null;
      this.#add(TaskRun.restore(record, found, this.#context));
      const state = found === null || "exit" in found ? "ended" : `running, ${placeOf(found)}`;
      log(`${taskDisplayName(record.task)} found ${state}`);
    }
    const live = [...this.#runs].filter(([, run]) => run.phase !== "ended").map(([id]) => id);
    this.#tryWrite(() => this.#options.files.sweep(new Set(live)));
    for (const stray of (await runtime.removeStrays?.(records.ids())) ?? [])
      log(`${stray} removed: it ran for this agent, and the state folder has no record of it`);
  }

  /** Starts and stops tasks as the assignment requires. @param mayStart false while the node is leaving */
  apply(assignment: Omit<Assignment, "type" | "index">, mayStart: boolean): void {
    this.#assigned = new Map(assignment.tasks.map((task) => [task.id, task]));
    this.#drainDelayMs = assignment.drainDelayMs;
    for (const { id, desired } of assignment.tasks) if (desired === "remove") this.#removed.add(id);
    for (const { id, limit } of assignment.tasks) {
      const run = this.#runs.get(id);
      if (run !== undefined) run.limit = limit;
    }
    const phases = new Map([...this.#runs].map(([id, run]) => [id, run.phase]));
    for (const action of reconcileTasks(assignment.tasks, phases, mayStart))
      this.#perform(action, assignment.node.id);
    for (const run of this.#runs.values()) run.wake();
  }

  /** The reports of all tasks of this node. */
  reports(nodeId: string): TaskReport[] {
    return [...this.#runs.values()].filter((run) => run.nodeId === nodeId).map(sentReport);
  }

  report(nodeId: string, id: string): TaskReport | null {
    const run = this.#runs.get(id);
    return run?.nodeId === nodeId ? sentReport(run) : null;
  }

  /**
   * True if a task that has not ended is assigned to run here. Before the first assignment any task may be.
   */
  hasDesiredRunning(): boolean {
    if (this.#assigned === null) return this.#runs.size > 0;
    return [...this.#assigned.values()].some(
      ({ desired, id }) => desired === "running" && this.#runs.get(id)?.phase !== "ended",
    );
  }

  /** True if a task keeps running only until the registry releases it. */
  hasUnreleased(): boolean {
    return [...(this.#assigned?.values() ?? [])].some(
      ({ desired, released, id }) =>
        desired !== "running" && released === false && this.#runs.get(id)?.phase === "alive",
    );
  }

  /** A task as the gateway sees it; null if it does not run here. */
  gatewayTask(id: string): GatewayTask | null {
    return this.#runs.get(id)?.gatewayTask ?? null;
  }

  /** Probes tasks now: a router got no response from them. */
  probe(taskIds: readonly string[]): void {
    for (const id of taskIds) this.#runs.get(id)?.probeNow();
  }

  /** Resolves when all current tasks have ended or are detached. */
  async allEnded(): Promise<void> {
    await Promise.all([...this.#runs.values()].map(({ ended }) => ended));
  }

  /** Stops all tasks without a drain delay; resolves when all have ended. */
  async stopAll(): Promise<void> {
    for (const run of this.#runs.values()) run.stop("now");
    await this.allEnded();
  }

  /** Stops supervising all tasks and leaves them running for the next agent. */
  async detachAll(): Promise<void> {
    for (const run of this.#runs.values()) run.detach();
    await this.allEnded();
  }

  #perform(action: AgentAction, nodeId: string): void {
    const { log } = this.#options;
    if (action.kind === "start") this.#add(TaskRun.start(nodeId, action.task, this.#context));
    if (action.kind === "decline") this.#add(TaskRun.decline(nodeId, action.task, this.#context));
    if (action.kind === "forget") this.#forget(action.id);
    const run = this.#runs.get(action.kind === "stop" ? action.id : "");
    if (run === undefined) return;
    log(`${taskDisplayName(run.task)} stopping`);
    run.stop(this.#drainDelayMs);
  }

  #add(run: TaskRun): void {
    this.#runs.set(run.task.id, run);
    this.#options.onChange(run.task.id, "state");
  }

  #forget(id: string): void {
    const run = this.#runs.get(id);
    this.#runs.delete(id);
    const isRemoved = this.#removed.delete(id);
    if (run === undefined) return;
    const { records, nowMs } = this.#options;
    this.#tryWrite(() => records.retire(run.report, run.task, isRemoved ? nowMs() : null));
    this.removeExpiredFolders();
  }

  /** Removes the folders of ended tasks whose time is over. */
  removeExpiredFolders(): void {
    const tasks = this.#assigned === null ? null : [...this.#assigned.values()];
    const servicesHere = tasks === null ? null : new Set(tasks.map(({ service }) => service.id));
    const { records, runtime, nowMs, log } = this.#options;
    this.#tryWrite(() => {
      const removed = records.removeExpired(servicesHere, nowMs());
      if (removed.length === 0) return;
      void runtime.remove?.(removed).catch((error: Error) => {
        log(`cannot remove what ended tasks left: ${error.message}`);
      });
    });
  }

  /** Logs a failed write instead of throwing: on a full disk the running tasks must stay supervised. */
  #tryWrite(work: () => void): void {
    try {
      work();
    } catch (error) {
      this.#options.log((error as Error).message);
    }
  }

  #changed(run: TaskRun, change: "state" | "health"): void {
    const { onChange, log } = this.#options;
    // States before the start are not logged: they last only a moment.
    const isLogged =
      run.report.state === "starting" ? run.report.pid !== null : !isBeforeStart(run.report.state);
    if (change === "state" && isLogged) log(taskLogLine(run));
    if (run.phase === "ended") this.#tryWrite(() => this.#options.files.remove(run.task.id));
    onChange(run.task.id, change);
    // The registry does not expect a report of a task that is no longer assigned.
    if (run.phase === "ended" && this.#assigned?.has(run.task.id) === false) this.#forget(run.task.id);
  }
}

function isBeforeStart(state: TaskReport["state"]): boolean {
  return taskStates[state] < taskStates.starting;
}

function taskDisplayName({ service, slot, id }: AssignedTask): string {
  return slot === 0 ? `${service.name} (${id})` : `${service.name}.${slot} (${id})`;
}

/** A task's report as the registry accepts it: an error may quote a program or the operator's spec. */
function sentReport({ report }: TaskRun): TaskReport {
  const { message, err, health } = report;
  return {
    ...report,
    message: printableUpTo(message, 500),
    err: printableUpTo(err, 2_000),
    health: health && { ...health, lastCheck: printableUpTo(health.lastCheck, 200) },
  };
}

/** Where a task runs, for people: the container as `docker ps` shows it, or the process. */
function placeOf({ pid, containerId }: Pick<RunningTask, "pid" | "containerId">): string {
  return containerId === undefined ? `process ${pid}` : `container ${containerId.slice(0, 12)}`;
}

function taskLogLine({ task, report }: TaskRun): string {
  const { state, err, pid, containerId, endpoints, health } = report;
  const details = [
    pid === null ? "" : placeOf({ pid, ...(containerId !== undefined && { containerId }) }),
    ...endpoints.map(({ target, origin }) => `${target}=${origin}`),
    health === null || health.lastCheck === "" ? "" : `${health.verdict}, ${health.lastCheck}`,
    err,
  ];
  // An error may quote the task's output, and the log may go to a terminal.
  return printable(
    [`${taskDisplayName(task)} ${state}`, ...details.filter((detail) => detail !== "")].join("; "),
  );
}
