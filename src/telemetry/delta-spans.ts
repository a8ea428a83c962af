// When the requests of a delta ended, by the telemetry object's clock.

import type { DeltaTimes } from "./delta.ts";
import type { TimeSpan } from "./time-series.ts";

/** The slices of a delta, oldest first; at least one. */
export type DeltaSpans = readonly TimeSpan[];

/** What is known of a delta's way. */
export type DeltaArrival = {
  /** The telemetry object's clock. Epoch milliseconds. */
  readonly nowMs: number;
  /** How long the delta waited between its isolate and the object, milliseconds. */
  readonly waitedMs: number;
};

/** A delta is sent at most this long after it was taken, milliseconds; a larger difference is a clock that was set. */
const maxLateMs = 900_000;

/**
 * Only differences of the isolate's clock are used: between the arrival and the taking of the delta are its wait at
 * the isolate and the one on the way. Without times, the requests ended now.
 */
export function spansOf(times: DeltaTimes | undefined, { nowMs, waitedMs }: DeltaArrival): DeltaSpans {
  if (times === undefined) return [{ fromMs: nowMs - waitedMs, toMs: nowMs - waitedMs }];
  const { takenMs, sentMs = takenMs, slicesMs } = times;
  const lateMs = sentMs - takenMs;
  let toMs = nowMs - waitedMs - (lateMs >= 0 && lateMs <= maxLateMs ? lateMs : 0);
  const spans: TimeSpan[] = [];
  for (const lengthMs of slicesMs.toReversed()) {
    spans.unshift({ fromMs: toMs - lengthMs, toMs });
    toMs -= lengthMs;
  }
  return spans;
}

/** The span from the first slice to the last. */
export function wholeSpan(spans: DeltaSpans): TimeSpan {
  return { fromMs: spans[0]?.fromMs ?? 0, toMs: spans.at(-1)?.toMs ?? 0 };
}
