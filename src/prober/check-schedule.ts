// A prober's rounds: which servers are due for a check, where their counters stand, and when the registry is to be told.
//
// A server's next check comes one interval after the start of the last, which interval depends on the counter as in
// HAProxy. Servers that are new in a list are spread over their interval, and at most six checks wait for an answer at a
// time, because the platform lets no more connections of one object wait; a check that has to wait its turn is late and
// not failed.
//
// The registry is told at once when a server goes up or down, within a second when something else that people see
// changed, and otherwise every `beatMs` that this place is there.

import { countCheck, isUp, nextIntervalMs } from "../domain/model/check-counter.ts";
import { type CheckResult, isPassing } from "../domain/model/check-result.ts";
import { maxProbeReportGapMs, type ProbeReport, type ProbeTarget } from "../domain/model/probe-list.ts";
import type { RegionHealth } from "../domain/model/server-health.ts";

/** Checks under way at a time. */
const maxRunningChecks = 6;
/** Shortest time between two reports about what is no news of up or down, milliseconds. */
const minReportGapMs = 1_000;

/** What is kept of a server over a restart. */
export type StoredRegionHealth = RegionHealth & { readonly serverId: string; readonly epoch: number };

type ScheduledCheck = {
  target: ProbeTarget;
  health: RegionHealth;
  dueMs: number;
  startedMs: number | null;
  /** As the registry was last told; empty: never. */
  reportedFingerprint: string;
};

export class CheckSchedule {
  readonly #checks = new Map<string, ScheduledCheck>();
  #running = 0;
  /** When the registry is to be told next; Infinity: there is nothing to check. */
  #reportAtMs = Number.POSITIVE_INFINITY;
  #reportedMs = Number.NEGATIVE_INFINITY;
  /** What the clock said last. */
  #lastClockMs = Number.NEGATIVE_INFINITY;

  /**
   * Takes another list: servers of the same epoch go on where they are, others begin where the list says.
   *
   * @param kept what an earlier life of this prober knew, for servers this one does not know
   */
  setTargets(targets: readonly ProbeTarget[], kept: readonly StoredRegionHealth[], nowMs: number): void {
    this.#followClock(nowMs);
    const before = new Map(this.#checks);
    const keptById = new Map(kept.map((one) => [one.serverId, one]));
    this.#checks.clear();
    const isNew = ({ serverId, epoch }: ProbeTarget) => before.get(serverId)?.target.epoch !== epoch;
    const fresh = targets.filter(isNew).length;
    let begun = 0;
    for (const target of targets) {
      const known = before.get(target.serverId);
      if (known !== undefined && !isNew(target)) {
        this.#checks.set(target.serverId, Object.assign(known, { target }));
        continue;
      }
      this.#checks.set(target.serverId, {
        target,
        health: initialHealth(target, keptById.get(target.serverId)),
        dueMs: nowMs + Math.round((begun / fresh) * target.check.interMs),
        startedMs: null,
        reportedFingerprint: "",
      });
      begun += 1;
    }
    this.#reportAtMs =
      targets.length === 0
        ? Number.POSITIVE_INFINITY
        : Math.min(this.#reportAtMs, nowMs + maxProbeReportGapMs);
  }

  get isIdle(): boolean {
    return this.#checks.size === 0;
  }

  /** The servers to check now, longest due first; they count as under way until `finished`. */
  startDue(nowMs: number): readonly ProbeTarget[] {
    this.#followClock(nowMs);
    const due = [...this.#checks.values()]
      .filter(({ dueMs, startedMs }) => startedMs === null && dueMs <= nowMs)
      .sort((a, b) => a.dueMs - b.dueMs)
      .slice(0, maxRunningChecks - this.#running);
    for (const entry of due) entry.startedMs = nowMs;
    this.#running += due.length;
    return due.map(({ target }) => target);
  }

  /**
   * Takes in how a check went. A server that is no more, or is checked anew since, is left as it is.
   *
   * @returns what is to be kept when it changed, else null
   */
  finish({ serverId, epoch }: ProbeTarget, result: CheckResult, nowMs: number): StoredRegionHealth | null {
    this.#followClock(nowMs);
    this.#running -= 1;
    const entry = this.#checks.get(serverId);
    if (entry === undefined || entry.target.epoch !== epoch) return null;
    const { check } = entry.target;
    const before = entry.health;
    const passed = isPassing(result);
    const counter = countCheck(before.counter, passed, check);
    const fails = before.fails + (!passed && before.counter > 0 ? 1 : 0);
    entry.health = { counter, fails, last: result };
    entry.dueMs = Math.max(nowMs, (entry.startedMs ?? nowMs) + nextIntervalMs(counter, check));
    entry.startedMs = null;
    if (fingerprint(entry) !== entry.reportedFingerprint) {
      const isNews = isUp(counter, check) !== isUp(before.counter, check);
      this.#reportAtMs = Math.min(
        this.#reportAtMs,
        isNews ? nowMs : Math.max(nowMs, this.#reportedMs + minReportGapMs),
      );
    }
    return counter === before.counter && fails === before.fails ? null : { serverId, epoch, ...entry.health };
  }

  /** What the registry is to be told now; null: nothing yet. They count as told until `untold`. */
  takeReports(nowMs: number): readonly ProbeReport[] | null {
    this.#followClock(nowMs);
    if (nowMs < this.#reportAtMs) return null;
    const changed = [...this.#checks.values()].filter(
      (entry) => fingerprint(entry) !== entry.reportedFingerprint && hasResult(entry),
    );
    for (const entry of changed) entry.reportedFingerprint = fingerprint(entry);
    this.#reportedMs = nowMs;
    this.#reportAtMs = nowMs + maxProbeReportGapMs;
    return changed.map(({ target: { serverId, epoch }, health }) => ({ serverId, epoch, ...health }));
  }

  /** The registry could not be told: it is told again at `retryMs`. */
  reportFailed(reports: readonly ProbeReport[], retryMs: number): void {
    for (const { serverId } of reports) {
      const entry = this.#checks.get(serverId);
      if (entry !== undefined) entry.reportedFingerprint = "";
    }
    if (!this.isIdle) this.#reportAtMs = Math.min(this.#reportAtMs, retryMs);
  }

  /** When the clock goes back, what was due goes back with it: nothing waits for the clock to get there again. */
  #followClock(nowMs: number): void {
    const backMs = this.#lastClockMs - nowMs;
    this.#lastClockMs = nowMs;
    if (!Number.isFinite(backMs) || backMs <= 0) return;
    this.#reportAtMs -= backMs;
    this.#reportedMs -= backMs;
    for (const entry of this.#checks.values()) {
      entry.dueMs -= backMs;
      if (entry.startedMs !== null) entry.startedMs -= backMs;
    }
  }

  /** When there is something to do next, epoch milliseconds; null: nothing is checked. */
  nextDueMs(): number | null {
    if (this.isIdle) return null;
    let next = this.#reportAtMs;
    // With six under way, the next one begins when one of them ends.
    if (this.#running < maxRunningChecks) {
      for (const { dueMs, startedMs } of this.#checks.values()) {
        if (startedMs === null && dueMs < next) next = dueMs;
      }
    }
    return next;
  }
}

function initialHealth({ epoch, counter }: ProbeTarget, kept: StoredRegionHealth | undefined): RegionHealth {
  if (kept?.epoch !== epoch) return { counter, fails: 0, last: null };
  return { counter: kept.counter, fails: kept.fails, last: kept.last };
}

function hasResult({ health }: ScheduledCheck): boolean {
  return health.last !== null;
}

/** What the registry is told of, but for how long the last check took. */
function fingerprint({ target, health: { counter, fails, last } }: ScheduledCheck): string {
  return JSON.stringify([target.epoch, counter, fails, last?.word, last?.code]);
}
