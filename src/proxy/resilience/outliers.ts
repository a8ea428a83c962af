// Outlier detection: ejects failing and slow targets at once, before the registry knows.
//
// A failed connection ejects a target, and so do some consecutive slow responses. The ejection ends after a
// while, which doubles with each ejection in a row. The target then gets one request, its trial: if that
// succeeds, the target is healthy; if not, it is ejected again. At most half of a pool is ejected. If more
// than half fail, the targets are hardly the cause, and all are used (panic mode), slow ones before those
// that do not respond.

import { hedgeBudget } from "./budget.ts";

/** Length of the first and of the longest ejection, milliseconds. */
const baseEjectionMs = 2_000;
const maxEjectionMs = 60_000;
/**
 * Consecutive slow responses that eject a target. At most the hedges per second that a service always has:
 * unhedged responses would interrupt a longer sequence.
 */
const consecutiveSlow = hedgeBudget.perSecond;

/** The failures and slow responses of one target. */
type OutlierState = {
  /** End of the ejection, epoch milliseconds; 0 before the first. */
  untilMs: number;
  /** Ejections in a row; each doubles the length of the next. */
  consecutiveEjections: number;
  /** It could not be reached or did not respond; false if it was slow. */
  isUnreachable: boolean;
  slowResponses: number;
  /** Its trial request is under way since `trialMs`. */
  isOnTrial: boolean;
  trialMs: number;
};

/** The ejections in force among some targets. */
export type EjectionState = {
  /** `forMs`: milliseconds left; 0 while its trial request is under way. */
  readonly ejected: readonly { readonly taskId: string; readonly forMs: number }[];
  /** So many are ejected that all are used nevertheless. */
  readonly panic: boolean;
};

/** @see docs/decisions/0026-panic-by-degrees.md */
export class Outliers {
  readonly #states = new Map<string, OutlierState>();
  /**
   * False while no target failed recently: most requests check nothing else. A field and not a getter, as in
   * the frozen detector and the suspect list: that saves a call for each request.
   */
  hasAny = false;
  /** Ejections, and picks made in panic, since this isolate started. */
  ejectionCount = 0;
  panicCount = 0;

  /** Records that a target could not be reached or did not respond in time. True when that ejects it. */
  failed(taskId: string, nowMs: number): boolean {
    const state = this.#stateOf(taskId, nowMs);
    state.isUnreachable = true;
    return this.#eject(state, nowMs);
  }

  /** Records that a later attempt at another target responded first. True if that ejects this one. */
  slow(taskId: string, nowMs: number): boolean {
    const state = this.#stateOf(taskId, nowMs);
    state.slowResponses += 1;
    if (state.slowResponses < consecutiveSlow && !state.isOnTrial) return false;
    if (state.untilMs <= nowMs) state.isUnreachable = false;
    return this.#eject(state, nowMs);
  }

  /** Records that a target responded in time. */
  responded(taskId: string, nowMs: number): void {
    const state = this.#states.get(taskId);
    // A response to a request sent before the ejection says nothing about now.
    if (state === undefined || state.untilMs > nowMs) return;
    this.#states.delete(taskId);
    this.hasAny = this.#states.size > 0;
  }

  /** True if the request under way at this target is its trial after an ejection. */
  isOnTrial(taskId: string): boolean {
    return this.#states.get(taskId)?.isOnTrial === true;
  }

  /** Records that a request goes to this target. If its ejection is over, the request is its trial. */
  sent(taskId: string, nowMs: number): void {
    const state = this.#states.get(taskId);
    if (state !== undefined && state.untilMs !== 0 && state.untilMs <= nowMs) {
      state.isOnTrial = true;
      state.trialMs = nowMs;
    }
  }

  /**
   * The ejected targets of a pool.
   *
   * @param isRepeatable false for a request that must not be sent twice: it is never a trial
   * @param hasBackups backups replace the pool, so all of its targets may be ejected
   * @returns null if no target is ejected, or if so many are that panic mode applies
   * @see docs/spec.md Y3-Y4
   */
  ejectedAmong(
    taskIds: readonly string[],
    nowMs: number,
    isRepeatable: boolean,
    hasBackups = false,
  ): ReadonlySet<string> | null {
    const ejected = taskIds.filter((id) => this.#isEjected(id, nowMs, isRepeatable));
    if (ejected.length === 0) return null;
    const mayReplaceAll = hasBackups && ejected.length === taskIds.length;
    if (mayReplaceAll || !isPanic(ejected, taskIds)) return new Set(ejected);
    this.panicCount += 1;
    // Leaves out at least the unreachable targets: a request that is sent once would be lost there.
    const unreachable = ejected.filter((id) => this.#states.get(id)?.isUnreachable === true);
    const helps =
      unreachable.length > 0 &&
      unreachable.length < taskIds.length &&
      (!isRepeatable || !isPanic(unreachable, taskIds));
    return helps ? new Set(unreachable) : null;
  }

  /** The ejections in force among a pool's targets. */
  ejections(taskIds: readonly string[], nowMs: number): EjectionState {
    const ejected = taskIds.filter((id) => this.#isEjected(id, nowMs, true));
    return {
      ejected: ejected.map((taskId) => ({ taskId, forMs: this.ejectedForMs(taskId, nowMs) })),
      panic: isPanic(ejected, taskIds),
    };
  }

  /** How long a target stays ejected, milliseconds; 0 if it is not. */
  ejectedForMs(taskId: string, nowMs: number): number {
    return Math.max(0, (this.#states.get(taskId)?.untilMs ?? 0) - nowMs);
  }

  isEjected(taskId: string, nowMs: number): boolean {
    return this.#isEjected(taskId, nowMs, true);
  }

  #eject(state: OutlierState, nowMs: number): boolean {
    if (state.untilMs > nowMs) return false;
    this.ejectionCount += 1;
    state.untilMs = nowMs + Math.min(maxEjectionMs, baseEjectionMs * 2 ** state.consecutiveEjections);
    state.consecutiveEjections += 1;
    state.slowResponses = 0;
    state.isOnTrial = false;
    return true;
  }

  #isEjected(taskId: string, nowMs: number, isRepeatable: boolean): boolean {
    const state = this.#states.get(taskId);
    if (state === undefined || state.untilMs === 0) return false;
    if (!isRepeatable || state.untilMs > nowMs) return true;
    // A trial whose outcome was never recorded expires.
    return state.isOnTrial && state.trialMs + baseEjectionMs > nowMs;
  }

  #stateOf(taskId: string, nowMs: number): OutlierState {
    const known = this.#states.get(taskId);
    if (known !== undefined) return known;
    for (const [id, { untilMs }] of this.#states) {
      if (untilMs + maxEjectionMs < nowMs) this.#states.delete(id);
    }
    const state = {
      untilMs: 0,
      consecutiveEjections: 0,
      isUnreachable: false,
      slowResponses: 0,
      isOnTrial: false,
      trialMs: 0,
    };
    this.#states.set(taskId, state);
    this.hasAny = true;
    return state;
  }
}

/** True if more than half of a pool is ejected. */
function isPanic(ejected: readonly string[], all: readonly string[]): boolean {
  return ejected.length * 2 > all.length;
}
