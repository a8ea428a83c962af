// A prober's schedule: which servers are due for a check, where their counters stand, and when to report.
//
// A server's next check starts one interval after the start of the last. As in HAProxy, the counter selects
// the interval. The first checks of many new servers are spread over their interval, in groups: servers of one
// interval that were checked together are due together, so that one wake-up serves all. At most six checks run at a
// time, because the platform limits the open connections of an object; a check that waits for its turn is
// late, but has not failed.
//
// A prober reports at once when a server goes up or down, within a second after other visible changes, and
// otherwise every `maxProbeReportGapMs`.

import { countCheck, isUp, nextIntervalMs } from "../domain/model/check-counter.ts";
import { type CheckResult, isPassing } from "../domain/model/check-result.ts";
import { maxProbeReportGapMs, type ProbeReport, type ProbeTarget } from "../domain/model/probe-list.ts";
import type { RegionHealth } from "../domain/model/server-health.ts";
import { minAlarmGapMs } from "./wake-plan.ts";

const maxRunningChecks = 6;
/** New servers whose first checks are due together: with six at a time they take less than a second. */
const checksTogether = 24;
/** Shortest time between two reports without a server that went up or down, milliseconds. */
const minReportGapMs = 1_000;

/** What a prober stores of a server. */
export type StoredRegionHealth = RegionHealth & { readonly serverId: string; readonly epoch: number };

type ScheduledCheck = {
  target: ProbeTarget;
  health: RegionHealth;
  dueMs: number;
  /** The interval before the check that is due, milliseconds. */
  intervalMs: number;
  startedMs: number | null;
  /**
   * The wake-up that found it due, from which its interval counts; null until then. With more than six it starts
   * later, but stays due together with the others.
   */
  wokenMs: number | null;
  /** The fingerprint of the last report; empty: not reported. */
  reportedFingerprint: string;
};

/** @see docs/decisions/0039-probers.md */
export class CheckSchedule {
  readonly #checks = new Map<string, ScheduledCheck>();
  #running = 0;
  /** When to report next; Infinity: nothing to check. */
  #reportAtMs = Number.POSITIVE_INFINITY;
  #reportedMs = Number.NEGATIVE_INFINITY;
  #lastClockMs = Number.NEGATIVE_INFINITY;

  /**
   * Replaces the list. Servers of the same epoch keep their counters, others start with the list's.
   *
   * @param stored health from before a restart of this prober
   */
  setTargets(targets: readonly ProbeTarget[], stored: readonly StoredRegionHealth[], nowMs: number): void {
    this.#followClock(nowMs);
    const before = new Map(this.#checks);
    const storedById = new Map(stored.map((health) => [health.serverId, health]));
    this.#checks.clear();
    const isNew = ({ serverId, epoch }: ProbeTarget) => before.get(serverId)?.target.epoch !== epoch;
    const newCount = targets.filter(isNew).length;
    let startedCount = 0;
    for (const target of targets) {
      const known = before.get(target.serverId);
      if (known !== undefined && !isNew(target)) {
        this.#checks.set(target.serverId, Object.assign(known, { target }));
        continue;
      }
      this.#checks.set(target.serverId, {
        target,
        health: initialHealth(target, storedById.get(target.serverId)),
        dueMs: nowMs + firstDelayMs(startedCount, newCount, target.check.interMs),
        intervalMs: target.check.interMs,
        startedMs: null,
        wokenMs: null,
        reportedFingerprint: "",
      });
      startedCount += 1;
    }
    this.#reportAtMs =
      targets.length === 0
        ? Number.POSITIVE_INFINITY
        : Math.min(this.#reportAtMs, nowMs + maxProbeReportGapMs);
  }

  get #isIdle(): boolean {
    return this.#checks.size === 0;
  }

  /** The servers to check now, longest due first. They count as running until `finish`. */
  startDue(nowMs: number): readonly ProbeTarget[] {
    this.#followClock(nowMs);
    const due = [...this.#checks.values()]
      .filter(({ dueMs, startedMs }) => startedMs === null && dueMs <= nowMs)
      .sort((a, b) => a.dueMs - b.dueMs);
    for (const check of due) check.wokenMs ??= nowMs;
    const started = due.slice(0, maxRunningChecks - this.#running);
    for (const check of started) check.startedMs = nowMs;
    this.#running += started.length;
    return started.map(({ target }) => target);
  }

  /**
   * Applies the result of a check. The result is ignored if its server was removed or has another epoch
   * since.
   *
   * @returns the health to store if it changed, else null
   */
  finish({ serverId, epoch }: ProbeTarget, result: CheckResult, nowMs: number): StoredRegionHealth | null {
    this.#followClock(nowMs);
    this.#running -= 1;
    const scheduled = this.#checks.get(serverId);
    if (scheduled === undefined || scheduled.target.epoch !== epoch) return null;
    const { check } = scheduled.target;
    const before = scheduled.health;
    const passed = isPassing(result);
    const counter = countCheck(before.counter, passed, check);
    const fails = before.fails + (!passed && before.counter > 0 ? 1 : 0);
    scheduled.health = { counter, fails, last: result };
    scheduled.intervalMs = nextIntervalMs(counter, check);
    scheduled.dueMs = Math.max(nowMs, (scheduled.wokenMs ?? nowMs) + scheduled.intervalMs);
    scheduled.startedMs = null;
    scheduled.wokenMs = null;
    if (fingerprint(scheduled) !== scheduled.reportedFingerprint) {
      const hasFlipped = isUp(counter, check) !== isUp(before.counter, check);
      this.#reportAtMs = Math.min(
        this.#reportAtMs,
        hasFlipped ? nowMs : Math.max(nowMs, this.#reportedMs + minReportGapMs),
      );
    }
    return counter === before.counter && fails === before.fails
      ? null
      : { serverId, epoch, ...scheduled.health };
  }

  /** The reports to send now; null: none yet. They count as sent unless `reportFailed` follows. */
  takeReports(nowMs: number): readonly ProbeReport[] | null {
    this.#followClock(nowMs);
    if (nowMs < this.#reportAtMs) return null;
    const changed = [...this.#checks.values()].filter(
      (scheduled) => fingerprint(scheduled) !== scheduled.reportedFingerprint && hasResult(scheduled),
    );
    for (const scheduled of changed) scheduled.reportedFingerprint = fingerprint(scheduled);
    this.#reportedMs = nowMs;
    this.#reportAtMs = nowMs + maxProbeReportGapMs;
    return changed.map(({ target: { serverId, epoch }, health }) => ({ serverId, epoch, ...health }));
  }

  /** Schedules reports that could not be sent for `retryAtMs`. */
  reportFailed(reports: readonly ProbeReport[], retryAtMs: number): void {
    for (const { serverId } of reports) {
      const scheduled = this.#checks.get(serverId);
      if (scheduled !== undefined) scheduled.reportedFingerprint = "";
    }
    if (!this.#isIdle) this.#reportAtMs = Math.min(this.#reportAtMs, retryAtMs);
  }

  /** Moves all times back after the clock was set back, so that nothing waits for the old times. */
  #followClock(nowMs: number): void {
    const backMs = this.#lastClockMs - nowMs;
    this.#lastClockMs = nowMs;
    if (!Number.isFinite(backMs) || backMs <= 0) return;
    this.#reportAtMs -= backMs;
    this.#reportedMs -= backMs;
    for (const scheduled of this.#checks.values()) {
      scheduled.dueMs -= backMs;
      if (scheduled.startedMs !== null) scheduled.startedMs -= backMs;
      if (scheduled.wokenMs !== null) scheduled.wokenMs -= backMs;
    }
  }

  /** When the next check or report is due, epoch milliseconds; null: nothing to check. */
  nextDueMs(): number | null {
    return this.#isIdle ? null : this.#nextDueMs(() => true);
  }

  /** When the next report is due, or the next check of a server whose interval is below a second; else null. */
  nextUrgentMs(): number | null {
    return this.#isIdle ? null : this.#nextDueMs(({ intervalMs }) => intervalMs < minAlarmGapMs);
  }

  #nextDueMs(isCounted: (check: ScheduledCheck) => boolean): number {
    let next = this.#reportAtMs;
    // With six running, the next check starts when one of them ends.
    if (this.#running < maxRunningChecks) {
      for (const check of this.#checks.values()) {
        if (check.startedMs === null && check.dueMs < next && isCounted(check)) next = check.dueMs;
      }
    }
    return next;
  }
}

/** The delay of a new server's first check. */
function firstDelayMs(position: number, count: number, interMs: number): number {
  const slots = Math.max(1, Math.min(Math.ceil(count / checksTogether), Math.floor(interMs / minAlarmGapMs)));
  return Math.round((Math.floor((position * slots) / count) * interMs) / slots);
}

function initialHealth(
  { epoch, counter }: ProbeTarget,
  stored: StoredRegionHealth | undefined,
): RegionHealth {
  if (stored?.epoch !== epoch) return { counter, fails: 0, last: null };
  return { counter: stored.counter, fails: stored.fails, last: stored.last };
}

function hasResult({ health }: ScheduledCheck): boolean {
  return health.last !== null;
}

/** The reported part of a check's state, without the duration of the last check. */
function fingerprint({ target, health: { counter, fails, last } }: ScheduledCheck): string {
  return JSON.stringify([target.epoch, counter, fails, last?.word, last?.code]);
}
