// A task on this node: one run, from its assignment to its end. Its state only goes forward.
//
//   accepted -> preparing -> ready -> starting -> running -> complete | failed | shutdown
//                  \-> rejected        (started; not yet answering its probe)
//
// It is `running` once its probe is healthy, so that the mesh sends it nothing before. A stop is taken note of at any
// point: before the start it ends the task there, after it the process is signalled, given its grace, and killed.

import { type Health, observe, startingHealth } from "../domain/model/health.ts";
import type { ProbeSpec } from "../domain/model/service.ts";
import { type HealthReport, isAlive, taskStates } from "../domain/model/task.ts";
import type { AssignedTask, TaskReport } from "../protocol/agent.ts";
import { probeTimeoutMs, type TaskProber } from "./probes.ts";
import type { TaskPhase } from "./reconcile-tasks.ts";
import type { ExitStatus, LaunchPlan, RunningTask, Runtime } from "./runtimes/runtime.ts";
import type { TaskRecord } from "./task-records.ts";
import { exitCodeOf, terminalStatusOf } from "./terminal-status.ts";

/** Like results in a row that change a verdict; HAProxy's defaults. */
const healthPolicy = { rise: 2, fall: 3 } as const;
/** Between probes of a task that takes traffic, and of one that is yet to, milliseconds. */
const probeIntervalMs = 2_000;
const startingProbeIntervalMs = 100;
/** A task that never answers is not waited for longer. */
const taskStartTimeoutMs = 60_000;
/** A task found unhealthy is out of the table at once; this long later it is given up. */
const unhealthyTimeoutMs = 10_000;

/** What a task needs of its agent. */
export type TaskContext = {
  readonly runtime: Runtime;
  readonly prober: TaskProber;
  readonly nowMs: () => number;
  readonly wait: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Whether the assignment in hand is still this node's; nothing is started otherwise. */
  readonly isCurrent: () => boolean;
  readonly save: (record: TaskRecord) => void;
  /** The report changed; `state`: worth telling at once. */
  readonly onChange: (run: TaskRun, what: "state" | "health") => void;
};

/** Why supervision of a process ended. */
type SupervisionEnd = "exited" | "stop" | "released" | { readonly sick: string };

export class TaskRun {
  readonly nodeId: string;
  readonly task: AssignedTask;
  readonly #context: TaskContext;
  #report: TaskReport;
  #stopAtMs: number | null = null;
  #isDetached = false;
  #wakeUp = Promise.withResolvers<void>();
  /** Somebody doubts its health: it is probed at the fast pace until a probe passes or the verdict falls. */
  #isSuspect = false;
  #probeRequest = Promise.withResolvers<void>();
  /** What its record needs besides: known once it is prepared. */
  #prepared: {
    readonly probe: ProbeSpec;
    readonly stopSignal: NodeJS.Signals;
    readonly handle: unknown;
  } | null = null;
  /** Resolves when the task is over, or was let go. */
  ended: Promise<void> = Promise.resolve();

  private constructor(nodeId: string, task: AssignedTask, report: TaskReport, context: TaskContext) {
    this.nodeId = nodeId;
    this.task = task;
    this.#report = report;
    this.#context = context;
  }

  /** Begins the run of a task. */
  static start(nodeId: string, task: AssignedTask, context: TaskContext): TaskRun {
    const run = new TaskRun(nodeId, task, initialReport(task, context.nowMs()), context);
    run.ended = run.#runGuarded(() => run.#run());
    return run;
  }

  /** A task that was to stop before it was known here. */
  static decline(nodeId: string, task: AssignedTask, context: TaskContext): TaskRun {
    const run = new TaskRun(nodeId, task, initialReport(task, context.nowMs()), context);
    run.#end({ state: "shutdown", message: "shutdown", err: "", exitCode: null });
    return run;
  }

  /** Goes on with a task of an earlier agent. `running` is null when its process is gone. */
  static restore(record: TaskRecord, running: RunningTask | null, context: TaskContext): TaskRun {
    const run = new TaskRun(record.nodeId, record.task, record.report, context);
    run.#prepared = {
      probe: record.probe,
      stopSignal: record.stopSignal as NodeJS.Signals,
      handle: record.handle,
    };
    if (!isAlive(record.report)) return run;
    if (record.stopping) run.#stopAtMs = context.nowMs();
    if (running === null) run.#end(terminalStatusUnseen(record.stopping));
    else run.ended = run.#runGuarded(() => run.#resume(running, record));
    return run;
  }

  get report(): TaskReport {
    return this.#report;
  }

  get phase(): TaskPhase {
    if (!isAlive(this.#report)) return "ended";
    return this.#stopAtMs === null ? "alive" : "stopping";
  }

  /** Stops the task, after `drainDelayMs` when it takes traffic. A second call can only make it sooner. */
  stop(drainDelayMs: number): void {
    if (this.phase === "ended") return;
    const delayMs = this.#report.state === "running" ? drainDelayMs : 0;
    const first = this.#stopAtMs === null;
    this.#stopAtMs = Math.min(this.#stopAtMs ?? Number.POSITIVE_INFINITY, this.#context.nowMs() + delayMs);
    if (first) this.#save();
    this.wake();
  }

  /** Lets the task run on without this agent. */
  detach(): void {
    this.#isDetached = true;
    this.wake();
  }

  /** Looks again at what it waits for: a stop, or a current assignment. */
  wake(): void {
    this.#wakeUp.resolve();
    this.#wakeUp = Promise.withResolvers<void>();
  }

  /** Probes it now instead of when its next probe is due. */
  probeNow(): void {
    this.#isSuspect = true;
    this.#probeRequest.resolve();
    this.#probeRequest = Promise.withResolvers<void>();
  }

  async #run(): Promise<void> {
    const plan = await this.#prepare();
    if (plan === null) return;
    this.#prepared = { probe: plan.probe, stopSignal: plan.stopSignal, handle: null };
    let tries = 0;
    for (;;) {
      this.#advance("starting", "starting");
      const running = await plan.start();
      this.#onStarted(running, plan);
      const { cause, exit } = await this.#supervise(running, plan);
      if (cause === "released") return;
      // Between choosing a port and listening on it, another process took it: not the task's fault, once.
      const again =
        cause === "exited" && exit.isPortTaken && this.#report.state === "starting" && tries++ === 0;
      if (!again || this.#stopAtMs !== null) return this.#endAfter(cause, exit);
    }
  }

  async #resume(running: RunningTask, { probe }: TaskRecord): Promise<void> {
    const kept = { probe, stopSignal: this.#prepared?.stopSignal ?? "SIGTERM" };
    const { cause, exit } = await this.#supervise(running, kept);
    if (cause !== "released") this.#endAfter(cause, exit);
  }

  /** @returns null when the task ended here */
  async #prepare(): Promise<LaunchPlan | null> {
    this.#advance("accepted", "accepted");
    this.#advance("preparing", "preparing");
    const prepared = await this.#context.runtime.prepare(this.task);
    if (!prepared.ok && this.#stopAtMs === null) {
      this.#end({ state: "rejected", message: "preparing", err: prepared.reason, exitCode: null });
      return null;
    }
    this.#advance("ready", "prepared");
    while (!this.#context.isCurrent() && this.#stopAtMs === null && !this.#isDetached)
      await this.#wakeUp.promise;
    if (this.#isDetached) return null;
    if (prepared.ok && this.#stopAtMs === null) return prepared.plan;
    this.#end({ state: "shutdown", message: "shutdown", err: "", exitCode: null });
    return null;
  }

  #onStarted(running: RunningTask, { probe, stopSignal }: LaunchPlan): void {
    this.#prepared = { probe, stopSignal, handle: running.handle };
    const health =
      this.task.run.targets.length === 0 ? null : healthReportOf(startingHealth(this.#context.nowMs()));
    this.#report = { ...this.#report, pid: running.pid, endpoints: [...running.endpoints], health };
    this.#save();
    this.#context.onChange(this, "state");
  }

  /** From a started process to its end, whoever wants it. */
  async #supervise(
    running: RunningTask,
    { probe, stopSignal }: Pick<LaunchPlan, "probe" | "stopSignal">,
  ): Promise<{ readonly cause: SupervisionEnd; readonly exit: ExitStatus }> {
    const over = new AbortController();
    const cause = await Promise.race<SupervisionEnd>([
      running.exited.then(() => "exited"),
      this.#waitForStop(over.signal),
      this.#watchHealth(running, probe, over.signal),
    ]);
    over.abort();
    this.wake();
    if (cause === "released") return { cause, exit: { code: null, signal: null, isPortTaken: false } };
    if (cause !== "exited") await this.#terminate(running, stopSignal);
    return { cause, exit: await running.exited };
  }

  /** Resolves when the process is to be stopped or let go; after an abort, with what nobody waits for any more. */
  async #waitForStop(signal: AbortSignal): Promise<SupervisionEnd> {
    while (!signal.aborted) {
      if (this.#isDetached) return "released";
      const leftMs = (this.#stopAtMs ?? Number.POSITIVE_INFINITY) - this.#context.nowMs();
      if (leftMs <= 0) return "stop";
      if (leftMs === Number.POSITIVE_INFINITY) await this.#wakeUp.promise;
      else await Promise.race([this.#wakeUp.promise, this.#context.wait(leftMs, signal)]);
    }
    return "exited";
  }

  async #terminate(running: RunningTask, stopSignal: NodeJS.Signals): Promise<void> {
    const over = new AbortController();
    running.signal(stopSignal);
    await Promise.race([running.exited, this.#context.wait(this.task.run.stopGraceMs, over.signal)]);
    over.abort();
    running.kill();
  }

  /** Probes until aborted. Resolves with what is wrong once the task is to be given up. */
  async #watchHealth(running: RunningTask, probe: ProbeSpec, signal: AbortSignal): Promise<SupervisionEnd> {
    const { nowMs, prober } = this.#context;
    if (this.task.run.targets.length === 0) this.#advance("running", "started");
    let startingMs = 0;
    while (!signal.aborted && this.#report.health !== null) {
      const beganMs = nowMs();
      const { promise: doubted } = this.#probeRequest;
      const result = await prober(running.localEndpoints, probe, signal);
      if (signal.aborted) break;
      const tookMs = nowMs() - beganMs;
      // The machine slept, or the agent was stopped, while it asked: the answer says nothing about the task.
      if (tookMs <= 2 * probeTimeoutMs) this.#applyProbe({ ...result, atMs: nowMs() });
      const { verdict, streak, sinceMs, lastCheck } = this.#report.health;
      const isStarting = verdict === "starting";
      if (streak.ok || verdict === "unhealthy") this.#isSuspect = false;
      const stepMs = isStarting || this.#isSuspect ? startingProbeIntervalMs : probeIntervalMs;
      if (isStarting) startingMs += Math.min(tookMs, probeTimeoutMs) + stepMs;
      if (startingMs > taskStartTimeoutMs)
        return { sick: `no answer within ${taskStartTimeoutMs / 1000} s: ${lastCheck}` };
      const isSick = verdict === "unhealthy" && !streak.ok && nowMs() - sinceMs >= unhealthyTimeoutMs;
      if (isSick) return { sick: lastCheck };
      await this.#waitForNextProbe(stepMs, doubted, signal);
    }
    return new Promise(() => {});
  }

  /** Waits for the next probe; a doubt that came up since the last one began makes it now. */
  async #waitForNextProbe(ms: number, doubted: Promise<void>, signal: AbortSignal): Promise<void> {
    const over = new AbortController();
    const end = () => over.abort();
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    await Promise.race([doubted, this.#context.wait(ms, over.signal)]);
    signal.removeEventListener("abort", end);
    end();
  }

  #applyProbe(probe: { readonly ok: boolean; readonly atMs: number; readonly text: string }): void {
    const { health } = this.#report;
    if (health === null) return;
    // A task that has never answered is not unhealthy but starting.
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

  #endAfter(cause: SupervisionEnd, exit: ExitStatus): void {
    const exitCode = exitCodeOf(exit);
    if (this.#stopAtMs !== null) this.#end({ state: "shutdown", message: "shutdown", err: "", exitCode });
    else if (typeof cause === "object") {
      const err = `task: unhealthy: ${cause.sick}`;
      this.#end({ state: "failed", message: "started", err, exitCode });
    } else this.#end(terminalStatusOf(exit));
  }

  #end(ending: ReturnType<typeof terminalStatusOf>): void {
    const { state, message, err, exitCode } = ending;
    this.#report = { ...this.#report, endpoints: [], health: null, pid: null, exitCode };
    this.#advance(state, message, err.slice(0, 2_000));
  }

  /** The only place where the state changes. */
  #advance(state: TaskReport["state"], message: string, err = ""): void {
    if (taskStates[state] <= taskStates[this.#report.state]) return;
    this.#report = { ...this.#report, state, message, err, atMs: this.#context.nowMs() };
    this.#reportState();
  }

  #reportState(): void {
    this.#save();
    this.#context.onChange(this, "state");
  }

  /** Nothing is written of a task that was never to be started. */
  #save(): void {
    if (this.#prepared === null) return;
    const { nodeId, task } = this;
    this.#context.save({
      nodeId,
      task,
      report: this.#report,
      stopping: this.#stopAtMs !== null,
      ...this.#prepared,
    });
  }

  /** A runtime that cannot start a task fails that task and nothing else. */
  async #runGuarded(live: () => Promise<void>): Promise<void> {
    try {
      await live();
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      const state = taskStates[this.#report.state] < taskStates.starting ? "rejected" : "failed";
      this.#end({ state, message: this.#report.message, err: `task: ${why}`, exitCode: null });
    }
  }
}

function initialReport({ id }: AssignedTask, atMs: number): TaskReport {
  const nothing = { endpoints: [], health: null, pid: null, exitCode: null };
  return { id, state: "assigned", message: "assigned", err: "", atMs, ...nothing };
}

function terminalStatusUnseen(stopping: boolean): ReturnType<typeof terminalStatusOf> {
  if (stopping) return { state: "shutdown", message: "shutdown", err: "", exitCode: null };
  return {
    state: "failed",
    message: "started",
    err: "task: exited while the agent was away",
    exitCode: null,
  };
}

function healthReportOf(health: Health): HealthReport {
  return { ...health, ...healthPolicy };
}

/** What of a task's health a person is shown: the times of single probes are not worth a message. */
function healthSummary({ verdict, streak, lastCheck, rise, fall }: HealthReport): string {
  const length = Math.min(streak.length, streak.ok ? rise : fall);
  return `${verdict} ${streak.ok} ${length} ${lastCheck.split(" ")[0]}`;
}
