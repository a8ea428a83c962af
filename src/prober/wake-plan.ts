// When a prober wakes next. Setting an alarm writes a row, of which Workers Free has 100,000 a day, so there is at
// most one alarm in a second: what is due meanwhile waits for it. Intervals below a second, and reports, are kept by
// timers in memory, with the alarm as a reserve in case the object is reset.

/** The shortest time between two alarms, milliseconds. */
export const minAlarmGapMs = 1_000;

export type WakePlan = {
  readonly alarmMs: number;
  /** A timer before the alarm; null: none is needed. */
  readonly timerMs: number | null;
};

/** What a schedule has to do next, epoch milliseconds. */
export type DueTimes = {
  /** The next check or report. */
  readonly nextMs: number;
  /** The next one that does not wait for the alarm; null: nothing is urgent. */
  readonly urgentMs: number | null;
};

/** @param alarmedMs when the last alarm was; -Infinity before the first one */
export function planWake({ nextMs, urgentMs }: DueTimes, nowMs: number, alarmedMs: number): WakePlan {
  // An alarm that lies ahead was before the clock was set back.
  const earliestMs = alarmedMs > nowMs ? nowMs + minAlarmGapMs : alarmedMs + minAlarmGapMs;
  const alarmMs = Math.max(nextMs, earliestMs, nowMs);
  return { alarmMs, timerMs: urgentMs !== null && urgentMs < alarmMs ? Math.max(urgentMs, nowMs) : null };
}
