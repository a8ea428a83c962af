// Outliers: tasks that failed, or kept requests waiting, under this isolate's own hands. They are passed over at once,
// before the registry and the table know.
//
// A failed connection ejects a task; so do some slow answers in a row. It comes back after a while, longer each time in
// a row, and then one request goes to it first: if that is answered the task is as good as any, if not it is out
// again. At most half of a service is passed over; where more than that fail, the fault is hardly the tasks', and all
// are used (panic), the slow ones before those that do not answer.

import { hedgeBudget } from "./budget.ts";

/** How long a task is passed over the first time, and at most; milliseconds. */
const baseEjectionMs = 2_000;
const maxEjectionMs = 60_000;
/**
 * Slow answers in a row that eject a task. Not more than the hedges a quiet service always has: answers that nobody
 * hedged would otherwise end the row, and make slowness the usual thing.
 */
const consecutiveSlow = hedgeBudget.perSecond;

type Ejection = {
  /** Passed over until then, epoch milliseconds; 0: it is not. */
  untilMs: number;
  /** Ejections in a row, each doubling the next one's length. */
  times: number;
  /** It could not be reached or did not answer at all; else it was slow. */
  dead: boolean;
  slow: number;
  /** Its one trial request was let through, then, and has not ended. */
  onTrial: boolean;
  trialMs: number;
};

/** Ejections in force. */
export type EjectionState = {
  /** Milliseconds to come; 0: its one trial request is under way. */
  readonly ejected: readonly { readonly taskId: string; readonly forMs: number }[];
  /** So many that all are used nevertheless. */
  readonly panic: boolean;
};

export class Outliers {
  readonly #ejections = new Map<string, Ejection>();
  /** Times a task was ejected, and times a task was picked although so many fail that all are used; only ever more. */
  ejectionCount = 0;
  panicCount = 0;

  /** False while nothing failed lately, so that the usual request asks no further. */
  get any(): boolean {
    return this.#ejections.size > 0;
  }

  /** Takes in that a task could not be reached or did not answer in time. True when that ejects it anew. */
  failed(taskId: string, nowMs: number): boolean {
    const record = this.#ejectionOf(taskId, nowMs);
    record.dead = true;
    return this.#eject(record, nowMs);
  }

  #eject(record: Ejection, nowMs: number): boolean {
    if (record.untilMs > nowMs) return false;
    this.ejectionCount += 1;
    record.untilMs = nowMs + Math.min(maxEjectionMs, baseEjectionMs * 2 ** record.times);
    record.times += 1;
    record.slow = 0;
    record.onTrial = false;
    return true;
  }

  /** Takes in that another task answered first although this one was asked earlier. True when that ejects it. */
  slow(taskId: string, nowMs: number): boolean {
    const record = this.#ejectionOf(taskId, nowMs);
    record.slow += 1;
    if (record.slow < consecutiveSlow && !record.onTrial) return false;
    if (record.untilMs <= nowMs) record.dead = false;
    return this.#eject(record, nowMs);
  }

  /** Takes in that a task answered in good time. */
  answered(taskId: string, nowMs: number): void {
    const record = this.#ejections.get(taskId);
    // An answer asked for before the ejection says nothing about now.
    if (record !== undefined && record.untilMs <= nowMs) this.#ejections.delete(taskId);
  }

  /**
   * Which of a service's tasks to pass over now.
   *
   * @param careful for a request that cannot be sent again: it is nobody's trial
   * @param hasBackups others stand in when all are out, so that all may be
   * @returns null when none is, or when so many would be that all are used; never all, but where there are backups
   * @see docs/spec.md Y3-Y4
   */
  ejectedAmong(
    taskIds: readonly string[],
    nowMs: number,
    careful: boolean,
    hasBackups = false,
  ): ReadonlySet<string> | null {
    const out = taskIds.filter((id) => this.#isEjected(id, nowMs, careful));
    if (out.length === 0) return null;
    if (hasBackups && out.length === taskIds.length) return new Set(out);
    if (!isPanic(out, taskIds)) return new Set(out);
    this.panicCount += 1;
    // A slow task is better than one that does not answer, which a request that goes there only once would not survive.
    const dead = out.filter((id) => this.#ejections.get(id)?.dead === true);
    const helps = dead.length > 0 && dead.length < taskIds.length && (careful || !isPanic(dead, taskIds));
    return helps ? new Set(dead) : null;
  }

  /** What is in force among a service's tasks: who is passed over and for how long yet, or that all are used. */
  ejections(taskIds: readonly string[], nowMs: number): EjectionState {
    const out = taskIds.filter((id) => this.#isEjected(id, nowMs, false));
    const forMs = (id: string) => Math.max(0, (this.#ejections.get(id)?.untilMs ?? 0) - nowMs);
    return { ejected: out.map((taskId) => ({ taskId, forMs: forMs(taskId) })), panic: isPanic(out, taskIds) };
  }

  /** For how long from now a task is passed over, milliseconds; 0: it is not. */
  ejectedForMs(taskId: string, nowMs: number): number {
    return Math.max(0, (this.#ejections.get(taskId)?.untilMs ?? 0) - nowMs);
  }

  /** Whether a task failed a moment ago. */
  isEjected(taskId: string, nowMs: number): boolean {
    return this.#isEjected(taskId, nowMs, false);
  }

  /** Takes in that a request goes to this task: the one trial of a task whose time is over is under way. */
  sent(taskId: string, nowMs: number): void {
    const record = this.#ejections.get(taskId);
    if (record !== undefined && record.untilMs !== 0 && record.untilMs <= nowMs) {
      record.onTrial = true;
      record.trialMs = nowMs;
    }
  }

  #isEjected(taskId: string, nowMs: number, careful: boolean): boolean {
    const record = this.#ejections.get(taskId);
    if (record === undefined || record.untilMs === 0) return false;
    if (careful || record.untilMs > nowMs) return true;
    // A trial whose end nobody told is given up after a while.
    return record.onTrial && record.trialMs + baseEjectionMs > nowMs;
  }

  #ejectionOf(taskId: string, nowMs: number): Ejection {
    const known = this.#ejections.get(taskId);
    if (known !== undefined) return known;
    for (const [id, { untilMs }] of this.#ejections)
      if (untilMs + maxEjectionMs < nowMs) this.#ejections.delete(id);
    const record = { untilMs: 0, times: 0, dead: false, slow: 0, onTrial: false, trialMs: 0 };
    this.#ejections.set(taskId, record);
    return record;
  }
}

/** More than half of a service failing is hardly the tasks' fault. */
function isPanic(out: readonly string[], all: readonly string[]): boolean {
  return out.length * 2 > all.length;
}
