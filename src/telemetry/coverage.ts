// Up to when the counts of all isolates have arrived. An isolate reports about every second while the telemetry is
// watched, and every half minute else; what ended since its last report is not known yet, and must not look like a
// drop of traffic.

/** What the reports of an isolate cover. */
export type Covered = {
  /**
   * When the last one was taken, by the telemetry object's clock: requests that ended until then have arrived. Null
   * from isolates of earlier releases, which do not say and report every two seconds.
   */
  readonly coveredMs: number | null;
};

export type Coverage = {
  /** The time that rates are of, epoch milliseconds: on average, reports of isolates cover the time until then. */
  readonly readMs: number;
  /** Requests that ended before have arrived from all isolates that report as usual. Epoch milliseconds. */
  readonly completeMs: number;
};

/**
 * An isolate that had requests has reported after this time, milliseconds: while the telemetry is watched, and else,
 * when its call waits for 25 s at the registry and its counters for another 10 s, with one more try.
 */
export const liveDelayMs = 3_000;
const unwatchedDelayMs = 50_000;

/**
 * @param isolates those with a report within a minute
 * @param isLive true once the telemetry has been watched for `liveDelayMs`
 */
export function coverageOf(isolates: readonly Covered[], nowMs: number, isLive: boolean): Coverage {
  const maxLagMs = isLive ? liveDelayMs : unwatchedDelayMs;
  // An isolate that should have reported had no requests since.
  const lagsMs = isolates
    .map(({ coveredMs }) => nowMs - (coveredMs ?? nowMs))
    .filter((lagMs) => lagMs > 0 && lagMs <= maxLagMs);
  if (lagsMs.length === 0) return { readMs: nowMs, completeMs: nowMs };
  const meanLagMs = lagsMs.reduce((sum, lagMs) => sum + lagMs, 0) / lagsMs.length;
  return { readMs: nowMs - meanLagMs, completeMs: nowMs - Math.max(...lagsMs) };
}
