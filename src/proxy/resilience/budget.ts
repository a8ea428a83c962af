// A retry or hedge budget: limits extra attempts to a share of recent requests.
//
// Requests and extra attempts are counted per second over a window. An extra attempt is allowed while there
// are fewer of them than a share of the window's requests. A few per second are always allowed, because the
// share of a service with few requests is less than one.

export type BudgetPolicy = {
  /** Extra attempts for each request, for example 0.2. */
  readonly ratio: number;
  /** Extra attempts per second that are always allowed. */
  readonly perSecond: number;
};

/** A fifth of the requests may be sent again, the default of Envoy's and Linkerd's retry budgets. */
export const retryBudget: BudgetPolicy = { ratio: 0.2, perSecond: 3 };

/** A tenth of the requests may be sent to two targets at once. */
export const hedgeBudget: BudgetPolicy = { ratio: 0.1, perSecond: 3 };

/** Length of the window, seconds. */
const windowSeconds = 10;

/** @see docs/decisions/0010-second-attempts.md */
export class Budget {
  readonly #policy: BudgetPolicy;
  readonly #requests = new Array<number>(windowSeconds).fill(0);
  readonly #extras = new Array<number>(windowSeconds).fill(0);
  /** The second of the newest slot, since the epoch. */
  #second = 0;

  constructor(policy: BudgetPolicy) {
    this.#policy = policy;
  }

  /** Records a request. */
  recordRequest(nowMs: number): void {
    this.#moveTo(nowMs);
    const slot = this.#second % windowSeconds;
    this.#requests[slot] = (this.#requests[slot] ?? 0) + 1;
  }

  /** Takes one extra attempt; false when none is left. */
  take(nowMs: number): boolean {
    this.#moveTo(nowMs);
    const { ratio, perSecond } = this.#policy;
    const slot = this.#second % windowSeconds;
    const thisSecond = this.#extras[slot] ?? 0;
    if (thisSecond >= perSecond && sum(this.#extras) >= ratio * sum(this.#requests)) return false;
    this.#extras[slot] = thisSecond + 1;
    return true;
  }

  /**
   * Clears the slots between the newest second and now. If the clock went back, the newest slot stays in use.
   */
  #moveTo(nowMs: number): void {
    const second = Math.floor(nowMs / 1_000);
    const passed = Math.min(second - this.#second, windowSeconds);
    for (let step = 1; step <= passed; step += 1) {
      const slot = (second - passed + step) % windowSeconds;
      this.#requests[slot] = 0;
      this.#extras[slot] = 0;
    }
    if (passed > 0) this.#second = second;
  }
}

function sum(counts: readonly number[]): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}
