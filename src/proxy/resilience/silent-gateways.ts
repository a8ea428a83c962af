// Silent gateways: whether the gateway of a node answers while requests wait behind it.
//
// A request that waits long says nothing about its node: the task may be at work. A gateway answers a check at
// once whatever its tasks do, so one that does not is frozen, or its node is cut off.

/** How long a gateway may take to answer a check, milliseconds. */
const answerMs = 1_000;
/** Minimum time between two checks of one gateway, milliseconds. */
const intervalMs = 2_000;
/** What a check found counts for this long after it was sent, milliseconds. */
const maxAgeMs = 10_000;

/** Times are epoch milliseconds. */
type UnansweredCheck = {
  sentMs: number;
  /** When the first check was sent that has no answer; null if the last one has an answer. */
  unansweredMs: number | null;
};

/** @see docs/spec.md Y45-Y46 */
export class SilentGateways {
  readonly #checks = new Map<string, UnansweredCheck>();

  /** Records that a node's gateway is checked now. False if the last check is too recent: then send none. */
  begin(nodeId: string, nowMs: number): boolean {
    const check = this.#checks.get(nodeId);
    if (check === undefined || nowMs - check.sentMs > maxAgeMs) {
      for (const [id, { sentMs }] of this.#checks) if (nowMs - sentMs > maxAgeMs) this.#checks.delete(id);
      this.#checks.set(nodeId, { sentMs: nowMs, unansweredMs: nowMs });
      return true;
    }
    if (nowMs - check.sentMs < intervalMs) return false;
    check.sentMs = nowMs;
    check.unansweredMs ??= nowMs;
    return true;
  }

  /** Records that a node's gateway answered a check, however late. */
  answered(nodeId: string): void {
    const check = this.#checks.get(nodeId);
    if (check !== undefined) check.unansweredMs = null;
  }

  /** True if a node's gateway has not answered for too long. */
  isSilent(nodeId: string, nowMs: number): boolean {
    const check = this.#checks.get(nodeId);
    if (check === undefined || check.unansweredMs === null) return false;
    return nowMs - check.sentMs <= maxAgeMs && nowMs - check.unansweredMs >= answerMs;
  }
}
