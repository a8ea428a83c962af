// One task on this node, from its assignment to its end. Its state only goes forward.
//
//   accepted -> preparing -> ready -> starting -> running -> complete | failed | shutdown
//                  \-> rejected        (started; its probe does not pass yet)
//
// A task is `running` once its probe is healthy, so that the mesh sends it no request before. A stop is
// possible at any time: before the start it ends the task at once, afterwards the process gets its stop
// signal and, after its grace period, SIGKILL.

import { type Health, observe, startingHealth } from "../domain/model/health.ts";
import type { ProbeSpec } from "../domain/model/service.ts";
import { type HealthReport, isAlive, taskStates } from "../domain/model/task.ts";
import { type AssignedTask, maxOpenPorts, type TaskReport } from "../protocol/agent.ts";
import type { DependencyFiles } from "./dependency-files.ts";
import type { GatewayTask } from "./gateway/gateway.ts";
import { endpointOfOrigin } from "./gateway/task-connection.ts";
import { lastOutput } from "./logs/last-output.ts";
import {
  healthPolicy,
  probeIntervalMs,
  probeTimeoutMs,
  startingProbeIntervalMs,
  type TaskProber,
  taskStartTimeoutMs,
} from "./probes.ts";
import type { TaskPhase } from "./reconcile-tasks.ts";
import {
  type EndedRun,
  type ExitStatus,
  type LaunchPlan,
  type PrepareContext,
  type PrepareResult,
  type RunningTask,
  type Runtime,
  StartError,
} from "./runtimes/runtime.ts";
import type { TaskRecord } from "./task-records.ts";
import { exitCodeOf, type TerminalStatus, terminalStatusOf } from "./terminal-status.ts";
import { waitForAbort } from "./wait.ts";

/** An unhealthy task leaves the routing table at once; after this time it is stopped and has failed. */
const unhealthyTimeoutMs = 10_000;

/** How often the open ports of a task on a network are read, milliseconds. */
const openPortsIntervalMs = 500;
/**
 * Changes of them that are reported at once, and the time for each further one, milliseconds: the registry writes each
 * change, and sends it to all nodes of the task's networks.
 */
const portChanges = 20;
const portChangeMs = 30_000;

/** Waits before a task is prepared again after a failure that may pass, milliseconds; then it is rejected. */
const prepareRetryMs: readonly number[] = [1_000, 2_000, 4_000, 8_000, 15_000];

/** What a task needs from its agent. */
export type TaskContext = {
  readonly runtime: Runtime;
  readonly prober: TaskProber;
  readonly nowMs: () => number;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** True if the assignment is current. Tasks start only then. */
  readonly isCurrent: () => boolean;
  readonly save: (record: TaskRecord) => void;
  readonly files: Pick<DependencyFiles, "place">;
  /** See PrepareContext. */
  readonly openNames: () => Promise<string | null>;
  /** The report has changed. A `state` is reported at once, a step of the health counter may wait. */
  readonly onChange: (run: TaskRun, change: "state" | "health") => void;
  /** Resolves when the gateway has no open request of the task, or after `maxMs`. */
  readonly whenIdle: (taskId: string, maxMs: number) => Promise<void>;
};

/** How long a stopping task may take to finish its open requests before it gets its stop signal. */
const finishRequestsMs = 10_000;

/** The reason why supervision of a process ended; `unhealthy` is the last check. */
type SupervisionEnd = "exited" | "stop" | "detached" | { readonly unhealthy: string };

/** @see docs/decisions/0006-unhealthy-leaves-the-table-first.md */
export class TaskRun {
  readonly nodeId: string;
  readonly task: AssignedTask;
  readonly #context: TaskContext;
  #report: TaskReport;
  #stopAtMs: number | null = null;
  /** The stop does not wait for open requests. */
  #stopsAtOnce = false;
  /** Its process; null before the start and after the end. */
  #running: RunningTask | null = null;
  #isDetached = false;
  /** Aborted when the task must stop before it is prepared. */
  readonly #preparing = new AbortController();
  #wakeUp = Promise.withResolvers<void>();
  /**
   * The registry requested a probe: the short interval applies until a probe passes or the task is unhealthy.
   */
  #isSuspect = false;
  #probeRequest = Promise.withResolvers<void>();
  /** Further content of the task's record; null until the task is prepared. */
  #prepared: {
    readonly probe: ProbeSpec;
    readonly stopSignal: string;
    readonly handle: unknown;
  } | null = null;
  /** Resolves when the task has ended or is detached. */
  ended: Promise<void> = Promise.resolve();
  /** The gateway's limit of open requests, as the last assignment has it. */
  limit: AssignedTask["limit"];

  private constructor(nodeId: string, task: AssignedTask, report: TaskReport, context: TaskContext) {
    this.nodeId = nodeId;
    this.task = task;
    this.limit = task.limit;
    this.#report = report;
    this.#context = context;
  }

  /** Starts a task. */
  static start(nodeId: string, task: AssignedTask, context: TaskContext): TaskRun {
    const run = new TaskRun(nodeId, task, initialReport(task, context.nowMs()), context);
    run.ended = run.#runGuarded(() => run.#run());
    return run;
  }

  /** A task whose stop was requested before this agent knew it. */
  static decline(nodeId: string, task: AssignedTask, context: TaskContext): TaskRun {
    const run = new TaskRun(nodeId, task, initialReport(task, context.nowMs()), context);
    run.#end({ state: "shutdown", message: "shutdown", err: "", exitCode: null });
    return run;
  }

  /** Continues a task of an earlier agent. @param found null if the runtime knows nothing of it */
  static restore(record: TaskRecord, found: RunningTask | EndedRun | null, context: TaskContext): TaskRun {
    const run = new TaskRun(record.nodeId, record.task, record.report, context);
    run.#prepared = {
      probe: record.probe,
      stopSignal: record.stopSignal,
      handle: record.handle,
    };
    if (!isAlive(record.report)) return run;
    if (record.stopping) run.#stopAtMs = context.nowMs();
    if (found === null) run.#end(terminalStatusUnseen(record.stopping));
    else if ("exit" in found) run.ended = run.#runGuarded(() => run.#endAfter("exited", found.exit));
    else run.ended = run.#runGuarded(() => run.#resume(found, record));
    return run;
  }

  get report(): TaskReport {
    return this.#report;
  }

  get phase(): TaskPhase {
    if (!isAlive(this.#report)) return "ended";
    return this.#stopAtMs === null ? "alive" : "stopping";
  }

  /** The ports of its process, and whether it takes further requests; null without a process. */
  get gatewayTask(): GatewayTask | null {
    if (this.#running === null) return null;
    const isStopping = this.#stopAtMs !== null && this.#context.nowMs() >= this.#stopAtMs;
    const ports = new Map(
      this.#running.endpoints.map(({ target, origin }) => [target, endpointOfOrigin(origin)]),
    );
    return { ports, accepts: !isStopping, ...(this.limit && { limit: this.limit }) };
  }

  /**
   * Stops the task; a running one after `drainDelayMs`, and when its open requests have ended. With "now" it
   * does not wait. A second call can only make the stop earlier.
   */
  stop(drain: number | "now"): void {
    if (this.phase === "ended") return;
    const drainDelayMs = drain === "now" ? 0 : drain;
    this.#stopsAtOnce ||= drain === "now";
    const delayMs = this.#report.state === "running" ? drainDelayMs : 0;
    const isFirstStop = this.#stopAtMs === null;
    this.#stopAtMs = Math.min(this.#stopAtMs ?? Number.POSITIVE_INFINITY, this.#context.nowMs() + delayMs);
    if (isFirstStop) this.#save();
    this.#preparing.abort();
    this.wake();
  }

  /** Ends supervision and leaves the process running. */
  detach(): void {
    this.#isDetached = true;
    this.#preparing.abort();
    this.wake();
  }

  /** Wakes the task to check again for a stop or a current assignment. */
  wake(): void {
    this.#wakeUp.resolve();
    this.#wakeUp = Promise.withResolvers<void>();
  }

  /** Probes the task now instead of at the next interval. */
  probeNow(): void {
    this.#isSuspect = true;
    this.#probeRequest.resolve();
    this.#probeRequest = Promise.withResolvers<void>();
  }

  async #run(): Promise<void> {
    const plan = await this.#prepare();
    if (plan === null) return;
    this.#prepared = { probe: plan.probe, stopSignal: plan.stopSignal, handle: null };
    let restarts = 0;
    for (;;) {
      this.#advance("starting", "starting");
      const running = await plan.start();
      this.#onStarted(running, plan);
      const { cause, exit } = await this.#supervise(running, plan);
      if (cause === "detached") return;
      // Another process took the port after it was chosen: not the task's fault, so it starts once more.
      const shouldRestart =
        cause === "exited" && exit.isPortTaken && this.#report.state === "starting" && restarts++ === 0;
      if (!shouldRestart || this.#stopAtMs !== null) return await this.#endAfter(cause, exit);
    }
  }

  async #resume(running: RunningTask, { probe }: TaskRecord): Promise<void> {
    const plan = { probe, stopSignal: this.#prepared?.stopSignal ?? "SIGTERM" };
    this.#running = running;
    const { cause, exit } = await this.#supervise(running, plan);
    if (cause !== "detached") await this.#endAfter(cause, exit);
  }

  /** @returns null if the task has ended or is detached */
  async #prepare(): Promise<LaunchPlan | null> {
    this.#advance("accepted", "accepted");
    this.#advance("preparing", "preparing");
    const prepared = await this.#prepareWithRetries();
    if (prepared !== null && !prepared.ok && this.#stopAtMs === null) {
      this.#end({ state: "rejected", message: "preparing", err: prepared.reason, exitCode: null });
      return null;
    }
    if (prepared?.ok === true) this.#advance("ready", "prepared");
    while (!this.#context.isCurrent() && this.#stopAtMs === null && !this.#isDetached)
      await this.#wakeUp.promise;
    if (prepared?.ok === true && this.#stopAtMs === null && !this.#isDetached) return prepared.plan;
    if (prepared?.ok === true) await prepared.plan.discard?.();
    if (!this.#isDetached) this.#end({ state: "shutdown", message: "shutdown", err: "", exitCode: null });
    return null;
  }

  /** @returns null after a stop, which does not wait for the runtime */
  async #prepareWithRetries(): Promise<PrepareResult | null> {
    const { signal } = this.#preparing;
    const { nodeId } = this;
    const context: PrepareContext = {
      nodeId,
      signal,
      onProgress: (message) => this.#showProgress(message),
      openNames: this.#context.openNames,
      placeFiles: (files, reader) => this.#context.files.place(this.task.id, files, reader, signal),
    };
    for (let attempt = 0; !signal.aborted; attempt++) {
      const preparing = this.#context.runtime.prepare(this.task, context);
      const prepared = await Promise.race([preparing, waitForAbort(signal).then(() => null)]);
      const retryMs = prepareRetryMs[attempt];
      if (prepared === null) {
        void preparing.then((late) => (late.ok ? late.plan.discard?.() : undefined)).catch(() => {});
        return null;
      }
      if (prepared.ok || prepared.retry !== true || retryMs === undefined) return prepared;
      const reason = `${prepared.reason}; trying again in ${retryMs / 1_000} s`;
      this.#showProgress(reason, reason);
      await this.#context.wait(retryMs, signal);
    }
    return null;
  }

  /**
   * Shows the progress of the preparation in the task's message.
   *
   * @param err why an attempt failed, which `docker service ps` shows
   */
  #showProgress(message: string, err = ""): void {
    if (this.#report.state !== "preparing" || this.#report.message === message) return;
    this.#report = { ...this.#report, message, err };
    this.#context.onChange(this, "health");
  }

  #onStarted(running: RunningTask, { probe, stopSignal }: LaunchPlan): void {
    this.#running = running;
    this.#prepared = { probe, stopSignal, handle: running.handle };
    const health =
      this.task.run.targets.length === 0 ? null : healthReportOf(startingHealth(this.#context.nowMs()));
    const { pid, containerId, endpoints, hostPorts } = running;
    this.#report = {
      ...this.#report,
      pid,
      endpoints: [...endpoints],
      health,
      ...(containerId !== undefined && { containerId }),
      ...(hostPorts !== undefined && { hostPorts: [...hostPorts] }),
    };
    this.#save();
    this.#context.onChange(this, "state");
  }

  /** Supervises a started process until it exits, is stopped, fails its health check or is detached. */
  async #supervise(
    running: RunningTask,
    { probe, stopSignal }: Pick<LaunchPlan, "probe" | "stopSignal">,
  ): Promise<{ readonly cause: SupervisionEnd; readonly exit: ExitStatus }> {
    const supervision = new AbortController();
    void this.#watchOpenPorts(running, supervision.signal);
    const cause = await Promise.race<SupervisionEnd>([
      running.exited.then(() => "exited"),
      this.#waitForStop(supervision.signal),
      this.#watchHealth(running, probe, supervision.signal),
      this.#watchHealthcheck(running),
    ]);
    supervision.abort();
    this.wake();
    if (cause === "detached") return { cause, exit: { code: null, signal: null, isPortTaken: false } };
    if (cause === "stop") await this.#finishRequests(running);
    if (cause !== "exited") await this.#terminate(running, stopSignal);
    const exit = await running.exited;
    this.#running = null;
    return { cause, exit };
  }

  /** Resolves when the process must stop or is detached. After an abort the result is not used. */
  async #waitForStop(signal: AbortSignal): Promise<SupervisionEnd> {
    while (!signal.aborted) {
      if (this.#isDetached) return "detached";
      const remainingMs = (this.#stopAtMs ?? Number.POSITIVE_INFINITY) - this.#context.nowMs();
      if (remainingMs <= 0) return "stop";
      if (remainingMs === Number.POSITIVE_INFINITY) await this.#wakeUp.promise;
      else await Promise.race([this.#wakeUp.promise, this.#context.wait(remainingMs, signal)]);
    }
    return "exited";
  }

  /** Waits for the open requests of a stopping task; the gateway accepts no further ones. */
  async #finishRequests(running: RunningTask): Promise<void> {
    let isOver = false;
    const finished = Promise.race([running.exited, this.#context.whenIdle(this.task.id, finishRequestsMs)]);
    void finished.finally(() => {
      isOver = true;
    });
    while (!isOver && !this.#stopsAtOnce) await Promise.race([finished, this.#wakeUp.promise]);
  }

  async #terminate(running: RunningTask, stopSignal: string): Promise<void> {
    const grace = new AbortController();
    const isSignaled = await Promise.race([running.exited.then(() => true), running.signal(stopSignal)]);
    if (isSignaled)
      await Promise.race([running.exited, this.#context.wait(this.task.run.stopGraceMs, grace.signal)]);
    grace.abort();
    running.kill();
  }

  /**
   * Probes the task until aborted. Resolves with the last check when the task has been unhealthy too long.
   */
  async #watchHealth(running: RunningTask, probe: ProbeSpec, signal: AbortSignal): Promise<SupervisionEnd> {
    const { nowMs, prober } = this.#context;
    await Promise.race([running.healthcheck?.passed, waitForAbort(signal)]);
    if (signal.aborted) return new Promise(() => {});
    if (this.task.run.targets.length === 0) this.#advance("running", "started");
    let startingMs = 0;
    while (!signal.aborted && this.#report.health !== null) {
      const startMs = nowMs();
      const { promise: probeRequested } = this.#probeRequest;
      const result = await prober(running.endpoints, probe, signal);
      if (signal.aborted) break;
      const elapsedMs = nowMs() - startMs;
      // If it took longer, the machine slept or the agent was stopped, and the result does not count.
      if (elapsedMs <= 2 * probeTimeoutMs) this.#applyProbe({ ...result, atMs: nowMs() });
      const { verdict, streak, sinceMs, lastCheck } = this.#report.health;
      const isStarting = verdict === "starting";
      if (streak.ok || verdict === "unhealthy") this.#isSuspect = false;
      const intervalMs = isStarting || this.#isSuspect ? startingProbeIntervalMs : probeIntervalMs;
      if (isStarting) startingMs += Math.min(elapsedMs, probeTimeoutMs) + intervalMs;
      if (startingMs > taskStartTimeoutMs)
        return { unhealthy: `no response within ${taskStartTimeoutMs / 1000} s: ${lastCheck}` };
      const hasFailed = verdict === "unhealthy" && !streak.ok && nowMs() - sinceMs >= unhealthyTimeoutMs;
      if (hasFailed) return { unhealthy: lastCheck };
      await this.#waitForNextProbe(intervalMs, probeRequested, signal);
    }
    return new Promise(() => {});
  }

  /** Resolves when the runtime's own health check has failed; it decides by itself how often that is. */
  async #watchHealthcheck({ healthcheck }: RunningTask): Promise<SupervisionEnd> {
    if (healthcheck === undefined) return new Promise(() => {});
    const output = await healthcheck.failed;
    const { health } = this.#report;
    // The routing table must lose the task before it stops.
    if (health !== null) {
      const lastCheck = `healthcheck failed: ${output}`;
      const sinceMs = this.#context.nowMs();
      this.#report = { ...this.#report, health: { ...health, verdict: "unhealthy", sinceMs, lastCheck } };
      this.#reportState();
    }
    return { unhealthy: output };
  }

  /** Reports the ports at which other tasks of its networks reach it, until aborted. */
  async #watchOpenPorts({ openPorts }: RunningTask, signal: AbortSignal): Promise<void> {
    if (openPorts === undefined || this.task.networks === undefined) return;
    for (let changesLeft = portChanges; !signal.aborted; ) {
      const ports = (await openPorts()).slice(0, maxOpenPorts);
      if (!signal.aborted && String(ports) !== String(this.#report.openPorts)) {
        this.#report = { ...this.#report, openPorts: ports };
        this.#reportState();
        changesLeft -= 1;
      }
      const waitMs = changesLeft >= 1 ? openPortsIntervalMs : portChangeMs;
      await this.#context.wait(waitMs, signal);
      changesLeft = Math.min(portChanges, changesLeft + waitMs / portChangeMs);
    }
  }

  /** Waits for the next probe. A probe requested since the last one began ends the wait at once. */
  async #waitForNextProbe(ms: number, probeRequested: Promise<void>, signal: AbortSignal): Promise<void> {
    const waiting = new AbortController();
    const end = () => waiting.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    await Promise.race([probeRequested, this.#context.wait(ms, waiting.signal)]);
    signal.removeEventListener("abort", end);
    end();
  }

  #applyProbe(probe: { readonly ok: boolean; readonly atMs: number; readonly text: string }): void {
    const { health } = this.#report;
    if (health === null) return;
    // A task that has not been healthy yet is starting, not unhealthy.
    const policy =
      health.verdict === "starting"
        ? { rise: healthPolicy.rise, fall: Number.POSITIVE_INFINITY }
        : healthPolicy;
    const next = healthReportOf(observe(health, probe, policy));
    this.#report = { ...this.#report, health: next };
    if (next.verdict !== health.verdict) {
      if (this.#report.state === "starting" && next.verdict === "healthy")
        this.#advance("running", "started");
      else this.#reportState();
    } else if (healthSummary(next) !== healthSummary(health)) this.#context.onChange(this, "health");
  }

  async #endAfter(cause: SupervisionEnd, exit: ExitStatus): Promise<void> {
    const exitCode = exitCodeOf(exit);
    const end =
      typeof cause === "object" ? unhealthyStatus(cause.unhealthy, exitCode) : terminalStatusOf(exit);
    const isFailure = this.#stopAtMs === null && end.state === "failed";
    const output = isFailure ? await lastOutput(this.#context.runtime, this.task.id) : "";
    if (this.#stopAtMs !== null) this.#end({ state: "shutdown", message: "shutdown", err: "", exitCode });
    else this.#end({ ...end, err: output === "" ? end.err : `${end.err}: ${output}` });
  }

  #end({ state, message, err, exitCode }: TerminalStatus): void {
    this.#report = { ...this.#report, endpoints: [], health: null, pid: null, exitCode };
    this.#advance(state, message, err.slice(0, 2_000));
  }

  /** Changes the state, and only forward. The state changes nowhere else. */
  #advance(state: TaskReport["state"], message: string, err = ""): void {
    if (taskStates[state] <= taskStates[this.#report.state]) return;
    this.#report = { ...this.#report, state, message, err, atMs: this.#context.nowMs() };
    this.#reportState();
  }

  #reportState(): void {
    this.#save();
    this.#context.onChange(this, "state");
  }

  /** A task that was never prepared has no record. */
  #save(): void {
    if (this.#prepared === null) return;
    const { nodeId } = this;
    const { registryAuth: _, ...task } = this.task;
    this.#context.save({
      nodeId,
      task,
      report: this.#report,
      stopping: this.#stopAtMs !== null,
      ...this.#prepared,
    });
  }

  /** Turns an error of the runtime into the failure of this task. */
  async #runGuarded(run: () => Promise<void>): Promise<void> {
    try {
      await run();
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      const state = taskStates[this.#report.state] < taskStates.starting ? "rejected" : "failed";
      const err = error instanceof StartError ? reason : `task: ${reason}`;
      this.#end({ state, message: this.#report.message, err, exitCode: null });
    }
  }
}

function initialReport({ id }: AssignedTask, atMs: number): TaskReport {
  const notStarted = { endpoints: [], health: null, pid: null, exitCode: null };
  return { id, state: "assigned", message: "assigned", err: "", atMs, ...notStarted };
}

/**
 * The status of a task that ended while no agent ran.
 *
 * @param stopping whether its stop was requested before
 */
function terminalStatusUnseen(stopping: boolean): TerminalStatus {
  if (stopping) return { state: "shutdown", message: "shutdown", err: "", exitCode: null };
  const err = "task: exited while the agent was not running";
  return { state: "failed", message: "started", err, exitCode: null };
}

function unhealthyStatus(reason: string, exitCode: number | null): TerminalStatus {
  return { state: "failed", message: "started", err: `task: unhealthy: ${reason}`, exitCode };
}

function healthReportOf(health: Health): HealthReport {
  return { ...health, ...healthPolicy };
}

/** The visible part of a task's health. A probe that changes only times causes no report. */
function healthSummary({ verdict, streak, lastCheck, rise, fall }: HealthReport): string {
  const length = Math.min(streak.length, streak.ok ? rise : fall);
  return `${verdict} ${streak.ok} ${length} ${lastCheck.split(" ")[0]}`;
}
