// An allowance that is used up at once or over time: a token bucket.

/** What is left of an allowance, at a time in epoch milliseconds. */
export type Allowance = { readonly left: number; readonly atMs: number };

/** How much an allowance holds when it is full, and after how long one more is added, milliseconds. */
export type AllowanceSize = { readonly full: number; readonly intervalMs: number };

/** What an allowance has at a later time. A clock that was set back adds nothing and takes nothing. */
function refill({ left, atMs }: Allowance, { full, intervalMs }: AllowanceSize, nowMs: number): Allowance {
  return { left: Math.min(full, left + Math.max(0, nowMs - atMs) / intervalMs), atMs: nowMs };
}

/** What one use leaves of an allowance; null if less than one is left. */
export function takeOne(before: Allowance, size: AllowanceSize, nowMs: number): Allowance | null {
  const { left, atMs } = refill(before, size, nowMs);
  return left < 1 ? null : { left: left - 1, atMs };
}

/** Allowances that are looked at after each use: more than a use adds, so that full ones get fewer. */
const examinedPerUse = 2;

/** Allowances of one size by id, in memory only: a registry that starts again begins with full ones. */
export class Allowances {
  readonly #size: AllowanceSize;
  /** In the order in which they are looked at. A full allowance need not be stored. */
  readonly #byId = new Map<string, Allowance>();

  constructor(size: AllowanceSize) {
    this.#size = size;
  }

  /** How many are stored. */
  get stored(): number {
    return this.#byId.size;
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  /**
   * Takes a count, which may be more than what is left: the rest is a debt. False if less than one is left; then
   * nothing is taken.
   */
  take(id: string, count: number, nowMs: number): boolean {
    const { full } = this.#size;
    const now = refill(this.#byId.get(id) ?? { left: full, atMs: nowMs }, this.#size, nowMs);
    const isLeft = now.left >= 1;
    this.#byId.set(id, isLeft ? { ...now, left: now.left - count } : now);
    this.#removeSomeFull(nowMs);
    return isLeft;
  }

  remove(id: string): void {
    this.#byId.delete(id);
  }

  /** Looks at the next few only, so that a use costs the same however many allowances there are. */
  #removeSomeFull(nowMs: number): void {
    const order = this.#byId.entries();
    for (let examined = 0; examined < examinedPerUse; examined += 1) {
      const { value } = order.next();
      if (value === undefined) return;
      const [id, allowance] = value;
      this.#byId.delete(id);
      if (refill(allowance, this.#size, nowMs).left < this.#size.full) this.#byId.set(id, allowance);
    }
  }
}
