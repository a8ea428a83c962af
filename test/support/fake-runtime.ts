// A runtime without processes and a fake clock, for tests of the agent's decisions.

import type {
  ExitStatus,
  Healthcheck,
  PrepareResult,
  RunningTask,
  Runtime,
} from "../../src/agent/runtimes/runtime.ts";
import type { LogLine } from "../../src/gateway/logs/log-line.ts";
import type { AssignedTask } from "../../src/protocol/agent.ts";

/** A clock that tests advance. Timers fire in order. */
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

  /** Advances the clock and runs everything that becomes due. */
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

  /** Advances the clock without firing timers, as for a process that was stopped. */
  jump(ms: number): void {
    this.nowMs += ms;
  }
}

/** Resolves after all pending microtasks and immediates. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

export type FakeProcess = {
  readonly task: AssignedTask;
  readonly signals: string[];
  readonly end: (exit: Partial<ExitStatus>) => void;
  isRunning: boolean;
};

export class FakeRuntime implements Runtime {
  readonly processes: FakeProcess[] = [];
  /** Whether processes exit with code 0 on their stop signal; otherwise they must be killed. */
  endsOnStopSignal = true;
  reject: string | null = null;
  startError: Error | null = null;
  /** The open ports of each process; null: they are not known. */
  openPorts: (() => Promise<readonly number[]>) | null = null;
  /** Reasons of the next preparations, which fail and may be tried again. */
  readonly unavailable: string[] = [];
  /** Awaited by each preparation. */
  prepared: Promise<void> = Promise.resolve();
  discarded = 0;
  healthcheck: Healthcheck | null = null;
  /** The output of every task; an error: it cannot be read. */
  logs: readonly LogLine[] | Error = [];

  get running(): FakeProcess[] {
    return this.processes.filter(({ isRunning }) => isRunning);
  }

  async prepare(task: AssignedTask): Promise<PrepareResult> {
    const reason = this.unavailable.shift();
    if (reason !== undefined) return { ok: false, reason, retry: true };
    await this.prepared;
    if (this.reject !== null) return { ok: false, reason: this.reject };
    const plan = {
      probe: { kind: "tcp" },
      stopSignal: "SIGTERM",
      start: () => this.#start(task),
      discard: async () => {
        this.discarded++;
      },
    } as const;
    return { ok: true, plan };
  }

  async find(): Promise<RunningTask | null> {
    return null;
  }

  async *readLogs(): AsyncIterable<LogLine> {
    if (this.logs instanceof Error) throw this.logs;
    yield* this.logs;
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
      handle: pid,
      ...(this.healthcheck !== null && { healthcheck: this.healthcheck }),
      ...(this.openPorts !== null && { openPorts: this.openPorts }),
      exited: promise,
      signal: async (name) => {
        process.signals.push(name);
        if (this.endsOnStopSignal) process.end({ code: 0 });
        return true;
      },
      kill: () => {
        if (!process.isRunning) return;
        process.signals.push("SIGKILL");
        process.end({ signal: "SIGKILL" });
      },
    };
  }
}
