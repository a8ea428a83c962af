// An allowance that is used up at once or over time: a token bucket.

/** What is left of an allowance, at a time in epoch milliseconds. */
export type Allowance = { readonly left: number; readonly atMs: number };

/** How much an allowance holds when it is full, and after how long one more is added, milliseconds. */
export type AllowanceSize = { readonly full: number; readonly intervalMs: number };

/** What an allowance has at a later time. A clock that was set back adds nothing and takes nothing. */
export function refill(
  { left, atMs }: Allowance,
  { full, intervalMs }: AllowanceSize,
  nowMs: number,
): Allowance {
  return { left: Math.min(full, left + Math.max(0, nowMs - atMs) / intervalMs), atMs: nowMs };
}

/** What one use leaves of an allowance; null if less than one is left. */
export function takeOne(before: Allowance, size: AllowanceSize, nowMs: number): Allowance | null {
  const { left } = refill(before, size, nowMs);
  return left < 1 ? null : { left: left - 1, atMs: nowMs };
}
