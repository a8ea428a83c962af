// Outliers: targets that failed requests of this isolate, or kept them waiting. They are ejected at once, before the
// registry and the table know.
//
// A failed connection ejects a target; so do some slow responses in a row. It returns after a while, longer after each
// further ejection, and then gets one request first, its trial: if that succeeds the target is healthy again, if not it
// is ejected again. At most half of a pool is ejected. Where more than that fail, the targets are hardly the cause, and
// all are used (panic), the slow ones before those that do not respond.

import { hedgeBudget } from "./budget.ts";

/** Length of a first ejection, and of the longest one; milliseconds. */
const baseEjectionMs = 2_000;
const maxEjectionMs = 60_000;
/**
 * Consecutive slow responses that eject a target. Not more than the hedges that a quiet service always has: unhedged
 * responses would otherwise interrupt the sequence, and slowness would count as normal.
 */
const consecutiveSlow = hedgeBudget.perSecond;

type Ejection = {
  /** End of the ejection, epoch milliseconds; 0 before the first. */
  untilMs: number;
  /** Ejections in a row; each doubles the length of the next. */
  times: number;
  /** It could not be reached or did not respond at all; false where it was slow. */
  isDead: boolean;
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

export class Outliers {
  readonly #ejections = new Map<string, Ejection>();
  /** False while nothing failed recently, so that most requests look no further. */
  hasAny = false;
  /** Ejections, and picks made in panic, since this isolate started. */
  ejectionCount = 0;
  panicCount = 0;

  /** Records that a target could not be reached or did not respond in time. True when that ejects it. */
  failed(taskId: string, nowMs: number): boolean {
    const ejection = this.#ejectionOf(taskId, nowMs);
    ejection.isDead = true;
    return this.#eject(ejection, nowMs);
  }

  /** Records that another target responded first although this one got the request earlier. True when that ejects it. */
  slow(taskId: string, nowMs: number): boolean {
    const ejection = this.#ejectionOf(taskId, nowMs);
    ejection.slowResponses += 1;
    if (ejection.slowResponses < consecutiveSlow && !ejection.isOnTrial) return false;
    if (ejection.untilMs <= nowMs) ejection.isDead = false;
    return this.#eject(ejection, nowMs);
  }

  /** Records that a target responded in time. */
  answered(taskId: string, nowMs: number): void {
    const ejection = this.#ejections.get(taskId);
    // A response to a request sent before the ejection says nothing about now.
    if (ejection === undefined || ejection.untilMs > nowMs) return;
    this.#ejections.delete(taskId);
    this.hasAny = this.#ejections.size > 0;
  }

  /** Records that a request goes to this target: if its ejection is over, this is its trial. */
  sent(taskId: string, nowMs: number): void {
    const ejection = this.#ejections.get(taskId);
    if (ejection !== undefined && ejection.untilMs !== 0 && ejection.untilMs <= nowMs) {
      ejection.isOnTrial = true;
      ejection.trialMs = nowMs;
    }
  }

  /**
   * Which targets of a pool to leave out now.
   *
   * @param careful for a request that must not be sent twice: it is never a trial
   * @param hasBackups backups stand in when all are ejected, so that all may be
   * @returns null if none is ejected or too many would be (panic). Contains all only when backups exist.
   * @see docs/spec.md Y3-Y4
   */
  ejectedAmong(
    taskIds: readonly string[],
    nowMs: number,
    careful: boolean,
    hasBackups = false,
  ): ReadonlySet<string> | null {
    const ejected = taskIds.filter((id) => this.#isEjected(id, nowMs, careful));
    if (ejected.length === 0) return null;
    if (hasBackups && ejected.length === taskIds.length) return new Set(ejected);
    if (!isPanic(ejected, taskIds)) return new Set(ejected);
    this.panicCount += 1;
    // A slow target is better than a dead one, where a request that is sent only once would be lost.
    const dead = ejected.filter((id) => this.#ejections.get(id)?.isDead === true);
    const helps = dead.length > 0 && dead.length < taskIds.length && (careful || !isPanic(dead, taskIds));
    return helps ? new Set(dead) : null;
  }

  /** The ejections in force among a pool's targets. */
  ejections(taskIds: readonly string[], nowMs: number): EjectionState {
    const ejected = taskIds.filter((id) => this.#isEjected(id, nowMs, false));
    return {
      ejected: ejected.map((taskId) => ({ taskId, forMs: this.ejectedForMs(taskId, nowMs) })),
      panic: isPanic(ejected, taskIds),
    };
  }

  /** How long a target stays ejected, milliseconds; 0 if it is not. */
  ejectedForMs(taskId: string, nowMs: number): number {
    return Math.max(0, (this.#ejections.get(taskId)?.untilMs ?? 0) - nowMs);
  }

  isEjected(taskId: string, nowMs: number): boolean {
    return this.#isEjected(taskId, nowMs, false);
  }

  #eject(ejection: Ejection, nowMs: number): boolean {
    if (ejection.untilMs > nowMs) return false;
    this.ejectionCount += 1;
    ejection.untilMs = nowMs + Math.min(maxEjectionMs, baseEjectionMs * 2 ** ejection.times);
    ejection.times += 1;
    ejection.slowResponses = 0;
    ejection.isOnTrial = false;
    return true;
  }

  #isEjected(taskId: string, nowMs: number, careful: boolean): boolean {
    const ejection = this.#ejections.get(taskId);
    if (ejection === undefined || ejection.untilMs === 0) return false;
    if (careful || ejection.untilMs > nowMs) return true;
    // A trial whose end was never recorded is given up after a while.
    return ejection.isOnTrial && ejection.trialMs + baseEjectionMs > nowMs;
  }

  #ejectionOf(taskId: string, nowMs: number): Ejection {
    const known = this.#ejections.get(taskId);
    if (known !== undefined) return known;
    for (const [id, { untilMs }] of this.#ejections) {
      if (untilMs + maxEjectionMs < nowMs) this.#ejections.delete(id);
    }
    const ejection = {
      untilMs: 0,
      times: 0,
      isDead: false,
      slowResponses: 0,
      isOnTrial: false,
      trialMs: 0,
    };
    this.#ejections.set(taskId, ejection);
    this.hasAny = true;
    return ejection;
  }
}

/** More than half of a pool failing is hardly the targets' fault. */
function isPanic(ejected: readonly string[], all: readonly string[]): boolean {
  return ejected.length * 2 > all.length;
}
