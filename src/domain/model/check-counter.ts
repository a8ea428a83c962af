// The check counter: how results in a row change the verdict on a task or a static server, by HAProxy's rise
// and fall.
//
// `rise` passes in a row make a target healthy and `fall` failures in a row make it unhealthy; a result
// unlike the previous one starts a new streak. HAProxy writes the same state as one number from 0 to
// rise+fall-1, which is what static servers store: at the top the last check passed, each failure in a row
// counts down, and at `rise` and above the server is up. Below `rise` the number is the passes in a row so
// far.

/** How many equal results in a row change the verdict; each at least 1. */
export type RiseFall = { readonly rise: number; readonly fall: number };

/** The verdict, and the results in a row up to the last one. */
export type CheckCount = {
  /** `starting`: neither rise passes nor fall failures in a row so far. */
  readonly verdict: "starting" | "healthy" | "unhealthy";
  readonly streak: { readonly ok: boolean; readonly length: number };
};

/** Counts one more result. @see docs/spec.md H1-H3, F1 */
export function countResult({ verdict, streak }: CheckCount, ok: boolean, policy: RiseFall): CheckCount {
  const length = ok === streak.ok ? streak.length + 1 : 1;
  const needed = ok ? policy.rise : policy.fall;
  const reached = ok ? "healthy" : "unhealthy";
  return { verdict: length < needed ? verdict : reached, streak: { ok, length } };
}

/** The count as HAProxy's number; a target still starting takes no traffic and counts as down. */
export function counterOf({ verdict, streak }: CheckCount, { rise, fall }: RiseFall): number {
  const top = rise + fall - 1;
  if (verdict === "healthy") return streak.ok ? top : Math.max(top - streak.length, rise);
  return streak.ok ? Math.min(streak.length, rise - 1) : 0;
}

/** The count that HAProxy's number stands for. */
function countOf(counter: number, { rise, fall }: RiseFall): CheckCount {
  if (counter < rise) return { verdict: "unhealthy", streak: { ok: counter > 0, length: counter } };
  const failures = rise + fall - 1 - counter;
  return { verdict: "healthy", streak: { ok: failures === 0, length: failures } };
}

/** The counter of a new server: it is up, and its first failure takes it down. */
export function initialCounter({ rise }: RiseFall): number {
  return rise;
}

/** The counter after one more check. @see docs/spec.md F1-F3 */
export function countCheck(counter: number, passed: boolean, policy: RiseFall): number {
  return counterOf(countResult(countOf(counter, policy), passed, policy), policy);
}

export function isUp(counter: number, { rise }: RiseFall): boolean {
  return counter >= rise;
}

/** HAProxy's status: `UP`, `UP 2/3` (one failure of three), `DOWN 1/2` (one pass of two), `DOWN`. */
export function counterText(counter: number, { rise, fall }: RiseFall, upWord = "UP"): string {
  if (counter < rise) return counter > 0 ? `DOWN ${counter}/${rise}` : "DOWN";
  return counter < rise + fall - 1 ? `${upWord} ${counter - rise + 1}/${fall}` : upWord;
}

/** Time until the next check, milliseconds: HAProxy's `inter`, `fastinter` or `downinter`. */
export function nextIntervalMs(
  counter: number,
  check: RiseFall & { readonly interMs: number; readonly fastInterMs: number; readonly downInterMs: number },
): number {
  if (counter === 0) return check.downInterMs;
  return counter < check.rise + check.fall - 1 ? check.fastInterMs : check.interMs;
}
