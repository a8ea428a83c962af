import { expect, test } from "vitest";
import { TimeSeries } from "../../../src/telemetry/time-series.ts";

test("[J7] a series that has counted nothing has no bins", () => {
  const series = new TimeSeries(10_000, { bins: 60, histograms: 2 });
  expect(series.bins()).toEqual([]);
  series.add({ fromMs: 1_700_000_020_000, toMs: 1_700_000_030_000 }, { requests: 3, failed: 1, buckets: [] });
  expect(series.bins()).toMatchObject([{ number: 170_000_002, requests: 3, failed: 1 }]);
});
