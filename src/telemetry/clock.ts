// What a step back of the telemetry object's clock changes: times that lie ahead count as now, and series
// continue with their newest bin now. Else traffic would count into bins that no page shows until the clock has
// caught up, and the bins of an hour ago would show as current.
//
// A clock that is set forward needs nothing here: bins in between are empty, and isolates report again.

import type { TelemetryState } from "./telemetry-state.ts";

/**
 * Sets each time in the state that lies ahead to now.
 *
 * @param latestMs what the clock showed before it was set back; infinite if unknown, after a start
 */
export function followClock(state: TelemetryState, nowMs: number, latestMs: number): void {
  state.sinceMs = Math.min(state.sinceMs, nowMs);
  for (const { key, totals } of state.items.values()) {
    const isAhead = totals.lastMs > nowMs || totals.firstMs > nowMs;
    totals.firstMs = Math.min(totals.firstMs, nowMs);
    totals.lastMs = Math.min(totals.lastMs, nowMs);
    const moved = [totals.series?.tens.followClock(nowMs), totals.series?.minutes.followClock(nowMs)];
    if (isAhead || moved.includes(true)) state.changedKeys.add(key);
  }
  for (const isolate of state.isolates.values()) {
    isolate.lastMs = Math.min(isolate.lastMs, nowMs);
    if (isolate.coveredMs !== null) isolate.coveredMs = Math.min(isolate.coveredMs, nowMs);
    // Only in memory, so that the step is known.
    for (const [taskId, untilMs] of isolate.ejectedUntilMs) {
      isolate.ejectedUntilMs.set(taskId, untilMs - (latestMs - nowMs));
    }
  }
}
