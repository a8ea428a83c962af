// A budget: how many extra attempts the recent requests have earned. Retries and hedges draw on one each, so that an
// outage is never made worse by what was meant to hide it.
//
// Requests and extras are counted per second over a window. An extra is allowed while the window's extras stay below
// its share of the window's requests, or below a floor that keeps a quiet service from having no second chance at all.

export type BudgetPolicy = {
  /** Extra attempts for each request, for example 0.2. */
  readonly ratio: number;
  /** Extra attempts a second that are always allowed. */
  readonly perSecond: number;
};

/** A fifth of the requests may be sent again, as Envoy's and Linkerd's budgets have it; at least three a second. */
export const retryBudget: BudgetPolicy = { ratio: 0.2, perSecond: 3 };

/** A tenth of the requests may be asked twice at once. */
export const hedgeBudget: BudgetPolicy = { ratio: 0.1, perSecond: 3 };

/** Seconds that count as recent. */
const windowSeconds = 10;

export class Budget {
  readonly #policy: BudgetPolicy;
  readonly #requests = new Array<number>(windowSeconds).fill(0);
  readonly #extras = new Array<number>(windowSeconds).fill(0);
  /** The second the newest slot counts, since the epoch. */
  #second = 0;

  constructor(policy: BudgetPolicy) {
    this.#policy = policy;
  }

  /** Takes in that a request came. */
  request(nowMs: number): void {
    this.#add(this.#requests, nowMs);
  }

  /** Takes one extra attempt; false when there is none to take. */
  take(nowMs: number): boolean {
    this.#moveTo(nowMs);
    const { ratio, perSecond } = this.#policy;
    const thisSecond = this.#extras[this.#second % windowSeconds] ?? 0;
    if (thisSecond >= perSecond && sum(this.#extras) >= ratio * sum(this.#requests)) return false;
    this.#add(this.#extras, nowMs);
    return true;
  }

  #add(counts: number[], nowMs: number): void {
    this.#moveTo(nowMs);
    const slot = this.#second % windowSeconds;
    counts[slot] = (counts[slot] ?? 0) + 1;
  }

  /** Empties the slots between the newest second and now. A clock that went back counts on in the newest one. */
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
