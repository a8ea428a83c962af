// The check counter: HAProxy's own way of folding checks into up and down, one number from 0 to rise+fall-1.
//
// At `rise` and above a server is up. A pass while it is down counts up by one, and to the top once it reaches `rise`;
// a pass while it is up goes to the top. A failure while it is up counts down by one, and to 0 once it falls below
// `rise`; a failure while it is down goes to 0. A new server stands at `rise`: it is up, and its first failure downs it.

/** How many like results it takes; each at least 1. */
export type RiseFall = { readonly rise: number; readonly fall: number };

/** Where a server's checks begin. */
export function initialCounter({ rise }: RiseFall): number {
  return rise;
}

/** The counter after one more check. @see docs/spec.md F1-F3 */
export function countCheck(counter: number, passed: boolean, { rise, fall }: RiseFall): number {
  const top = rise + fall - 1;
  if (passed) return counter + 1 >= rise ? top : counter + 1;
  return counter - 1 < rise ? 0 : counter - 1;
}

export function isUp(counter: number, { rise }: RiseFall): boolean {
  return counter >= rise;
}

/** Whether the state is on its way to change, so that `fastinter` applies: going down, or coming up. */
function isChanging(counter: number, { rise, fall }: RiseFall): boolean {
  return counter > 0 && counter < rise + fall - 1;
}

/** How long until the next check, milliseconds. */
export function nextIntervalMs(
  counter: number,
  check: RiseFall & { readonly interMs: number; readonly fastInterMs: number; readonly downInterMs: number },
): number {
  if (isChanging(counter, check)) return check.fastInterMs;
  return counter === 0 ? check.downInterMs : check.interMs;
}
