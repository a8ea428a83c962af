// The probes of discovered tasks. They have the times of the mesh's own tasks; a failed one takes the task out of
// the routing table, and does not stop it.

import { type Health, observe, startingHealth } from "../../domain/model/health.ts";
import type { ProbeSpec } from "../../domain/model/service.ts";
import type { Endpoint, HealthReport } from "../../domain/model/task.ts";
import {
  healthPolicy,
  probeIntervalMs,
  startingProbeIntervalMs,
  type TaskProber,
  taskStartTimeoutMs,
} from "../probes.ts";

export type ProbedTask = {
  readonly key: string;
  readonly endpoints: readonly Endpoint[];
  readonly probe: ProbeSpec;
};

type Entry = { readonly task: string; readonly stop: AbortController; health: Health };

export class TaskProbes {
  readonly #prober: TaskProber;
  readonly #wait: (ms: number, signal: AbortSignal) => Promise<void>;
  readonly #nowMs: () => number;
  readonly #onVerdict: () => void;
  readonly #entries = new Map<string, Entry>();

  /** @param onVerdict called when the verdict on a task has changed */
  constructor(options: {
    readonly prober: TaskProber;
    readonly wait: (ms: number, signal: AbortSignal) => Promise<void>;
    readonly nowMs: () => number;
    readonly onVerdict: () => void;
  }) {
    this.#prober = options.prober;
    this.#wait = options.wait;
    this.#nowMs = options.nowMs;
    this.#onVerdict = options.onVerdict;
  }

  /** Probes these tasks and no others. A task whose endpoints or probe changed starts again. */
  follow(tasks: readonly ProbedTask[]): void {
    const wanted = new Map(tasks.map((task) => [task.key, task]));
    for (const [key, entry] of this.#entries) {
      const task = wanted.get(key);
      if (task !== undefined && JSON.stringify(task) === entry.task) continue;
      entry.stop.abort();
      this.#entries.delete(key);
    }
    for (const task of tasks) if (!this.#entries.has(task.key)) this.#begin(task);
  }

  /** As of the last verdict; null if the task is not probed. */
  healthOf(key: string): HealthReport | null {
    const health = this.#entries.get(key)?.health;
    return health === undefined ? null : { ...health, ...healthPolicy };
  }

  close(): void {
    this.follow([]);
  }

  #begin(task: ProbedTask): void {
    const health = startingHealth(this.#nowMs());
    const entry: Entry = { task: JSON.stringify(task), stop: new AbortController(), health };
    this.#entries.set(task.key, entry);
    void this.#run(task, entry);
  }

  async #run({ endpoints, probe }: ProbedTask, entry: Entry): Promise<void> {
    const { signal } = entry.stop;
    let counted = entry.health;
    while (!signal.aborted) {
      const result = await this.#prober(endpoints, probe, signal);
      if (signal.aborted) return;
      const atMs = this.#nowMs();
      // A task that never responded is starting for this time, then unhealthy.
      const isStarting = counted.verdict === "starting" && atMs - counted.sinceMs < taskStartTimeoutMs;
      const fall = isStarting ? Number.POSITIVE_INFINITY : healthPolicy.fall;
      counted = observe(counted, { ...result, atMs }, { ...healthPolicy, fall });
      if (counted.verdict !== entry.health.verdict) {
        entry.health = counted;
        this.#onVerdict();
      }
      const isQuick = counted.verdict === "starting" || (counted.verdict === "healthy" && !counted.streak.ok);
      await this.#wait(isQuick ? startingProbeIntervalMs : probeIntervalMs, signal);
    }
  }
}
