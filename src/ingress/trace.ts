// The trace of one request: which tasks were asked, when, and what came of it. Kept only for requests that ask for it.

import type { Outcome } from "../proxy/http/dial.ts";
import type { Target } from "../proxy/routing/target-pool.ts";

type TracedAttempt = {
  readonly target: Target;
  /** Epoch milliseconds. */
  readonly askedMs: number;
  endedMs: number | null;
  /** The status the task answered with; `failed`: not reached, or broken off; `none`: nothing came yet. */
  outcome: number | "failed" | "none";
};

export class Trace {
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  readonly #attempts: TracedAttempt[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
  }

  /** Takes in that a task was asked, and what will come of it. */
  follow(target: Target, sent: Promise<Outcome>): void {
    const attempt: TracedAttempt = { target, askedMs: this.#nowMs(), endedMs: null, outcome: "none" };
    this.#attempts.push(attempt);
    void sent.then((outcome) => {
      attempt.endedMs = this.#nowMs();
      attempt.outcome = outcome === "failed" ? outcome : outcome.status;
    });
  }

  /**
   * `TASK;slot=1;node=node1;at=0;ms=3;outcome=200, …` in the order they were asked; at and ms are milliseconds. Of a static
   * server `SERVER;server=web1;at=…`.
   *
   * @param nodeOf the name of a task's node
   */
  print(nodeOf: (target: Target) => string): string {
    const nowMs = this.#nowMs();
    return this.#attempts
      .map(({ target, askedMs, endedMs, outcome }) => {
        const tookMs = (endedMs ?? nowMs) - askedMs;
        const { taskId, slot, server } = target;
        const what = server === null ? `slot=${slot};node=${nodeOf(target)}` : `server=${server}`;
        return `${taskId};${what};at=${askedMs - this.#startedMs};ms=${tookMs};outcome=${outcome}`;
      })
      .join(", ");
  }
}
