// A runtime without processes, and time without waiting: for tests of what the agent decides.

import type { ExitStatus, PrepareResult, RunningTask, Runtime } from "../../src/agent/runtimes/runtime.ts";
import type { AssignedTask } from "../../src/protocol/agent.ts";

/** Time that passes only when told to; timers fire in order. */
export class FakeTime {
  nowMs = 1_000_000;
  #timers: { atMs: number; fire: () => void }[] = [];

  readonly wait = (ms: number, signal?: AbortSignal): Promise<void> => {
    if (signal?.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = { atMs: this.nowMs + ms, fire: resolve };
      this.#timers.push(timer);
      signal?.addEventListener("abort", () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
        resolve();
      });
    });
  };

  /** Lets `ms` pass, and all that follows from it happen. */
  async pass(ms: number): Promise<void> {
    const untilMs = this.nowMs + ms;
    for (;;) {
      await settle();
      const due = this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== due);
      this.nowMs = Math.max(this.nowMs, due.atMs);
      due.fire();
    }
    this.nowMs = untilMs;
    await settle();
  }

  /** Time jumps, as for a process that was stopped: nothing of what was due happens before. */
  jump(ms: number): void {
    this.nowMs += ms;
  }
}

/** Lets everything that waits for nothing but its turn happen. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** One made-up process. */
export type FakeProcess = {
  readonly task: AssignedTask;
  readonly signals: string[];
  readonly end: (exit: Partial<ExitStatus>) => void;
  isRunning: boolean;
};

export class FakeRuntime implements Runtime {
  readonly processes: FakeProcess[] = [];
  /** Ends on its stop signal with code 0; otherwise it must be killed. */
  endsOnStopSignal = true;
  reject: string | null = null;
  startError: Error | null = null;

  /** Processes that run now. */
  get running(): FakeProcess[] {
    return this.processes.filter(({ isRunning }) => isRunning);
  }

  async prepare(task: AssignedTask): Promise<PrepareResult> {
    if (this.reject !== null) return { ok: false, reason: this.reject };
    const plan = { probe: { kind: "tcp" }, stopSignal: "SIGTERM", start: () => this.#start(task) } as const;
    return { ok: true, plan };
  }

  async find(): Promise<RunningTask | null> {
    return null;
  }

  async #start(task: AssignedTask): Promise<RunningTask> {
    if (this.startError !== null) throw this.startError;
    const { promise, resolve } = Promise.withResolvers<ExitStatus>();
    const pid = this.processes.length + 1;
    const process: FakeProcess = {
      task,
      signals: [],
      isRunning: true,
      end: (exit) => {
        process.isRunning = false;
        resolve({ code: null, signal: null, isPortTaken: false, ...exit });
      },
    };
    this.processes.push(process);
    const endpoints = task.run.targets.map((target) => ({
      target,
      origin: `http://127.0.0.1:${40_000 + pid}`,
    }));
    return {
      pid,
      endpoints,
      localEndpoints: endpoints,
      handle: pid,
      exited: promise,
      signal: (name) => {
        process.signals.push(name);
        if (this.endsOnStopSignal) process.end({ code: 0 });
      },
      kill: () => {
        if (!process.isRunning) return;
        process.signals.push("SIGKILL");
        process.end({ signal: "SIGKILL" });
      },
    };
  }
}
