// The trace of a debug request: its attempts with their targets, times and outcomes.

import type { Target } from "../proxy/routing/target-pool.ts";
import type { Outcome } from "./attempt.ts";

type TracedAttempt = {
  readonly target: Target;
  /** Epoch milliseconds. */
  readonly sentMs: number;
  endedMs: number | null;
  /** The response's status; `failed`: the connection failed; the client's fault; `none`: no response yet. */
  outcome: number | Exclude<Outcome, Response> | "none";
};

export class Trace {
  readonly #nowMs: () => number;
  readonly #startedMs: number;
  readonly #attempts: TracedAttempt[] = [];

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
    this.#startedMs = nowMs();
  }

  /** Records an attempt, and later its outcome. */
  follow(target: Target, sent: Promise<Outcome>): void {
    const attempt: TracedAttempt = { target, sentMs: this.#nowMs(), endedMs: null, outcome: "none" };
    this.#attempts.push(attempt);
    void sent.then((outcome) => {
      attempt.endedMs = this.#nowMs();
      attempt.outcome = outcome instanceof Response ? outcome.status : outcome;
    });
  }

  /**
   * `TASK;slot=1;node=node1;transport=direct;at=0;ms=3;outcome=200, …` in the order they were sent; at and ms
   * are milliseconds. A static server's: `SERVER;server=web1;at=…`.
   *
   * @param nodeOf the name of a task's node
   */
  print(nodeOf: (target: Target) => string): string {
    const nowMs = this.#nowMs();
    return this.#attempts
      .map(({ target, sentMs, endedMs, outcome }) => {
        const elapsedMs = (endedMs ?? nowMs) - sentMs;
        const { taskId, slot, server, gateway } = target;
        const via = gateway === null ? "" : `;transport=${gateway.transport}`;
        const where = server === null ? `slot=${slot};node=${nodeOf(target)}${via}` : `server=${server}`;
        return `${taskId};${where};at=${sentMs - this.#startedMs};ms=${elapsedMs};outcome=${outcome}`;
      })
      .join(", ");
  }
}
