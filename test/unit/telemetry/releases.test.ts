import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import { migrate } from "../../../src/storage/migrations.ts";
import { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { telemetrySchema } from "../../../src/telemetry/telemetry-rows.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { delta, entryDelta } from "./deltas.ts";

/** What the release before wrote: ninety requests of one isolate in thirty deltas, over two minutes. */
const script = readFileSync(new URL("../../fixtures/telemetry/step-1.sql", import.meta.url), "utf8");
const savedMs = 1_800_000_120_000;

function requestsIn(telemetry: Telemetry): number | undefined {
  return telemetry.snapshot({}).services[0]?.counts.requests;
}

test("[J418] the counters that the release before stored go on, with their series and the numbers of deltas", () => {
  const database = memoryDatabase(script);
  for (let starts = 0; starts < 3; starts += 1) {
    const telemetry = new Telemetry(database, () => savedMs);
    expect(telemetry.count(delta(30))).toEqual({ ok: true, value: false });
    const { sinceMs, services, nodes } = telemetry.snapshot({ series: true });
    const [service] = services;
    expect([sinceMs, service?.counts.requests, service?.latency.count, nodes[0]?.counts.requests]).toEqual([
      1_800_000_000_000, 90, 90, 90,
    ]);
    expect(service?.tasks[0]?.counts.attempts).toBe(90);
    const sum = (values: readonly number[] = []) => values.reduce((total, value) => total + value, 0);
    expect([sum(service?.series?.tens.requests), sum(service?.series?.minutes.requests)]).toEqual([90, 90]);
    expect(Math.max(...(service?.series?.tens.p99Ms ?? []))).toBeGreaterThan(250);
  }
});

test("[J418] after a rollback the release before starts, from zero; what it counts is added when this one is back", () => {
  const database = memoryDatabase(script);
  const telemetry = new Telemetry(database, () => savedMs);
  telemetry.count(delta(31, { entries: [entryDelta({ requests: 10 })] }));
  const before = { ...telemetrySchema, migrations: telemetrySchema.migrations.slice(0, 1) };
  migrate(database, before, savedMs);
  expect(database.exec("SELECT * FROM head UNION ALL SELECT * FROM shards")).toEqual([]);
  for (const insert of script.match(/^INSERT INTO (?:head|shards) .*$/gm) ?? []) database.exec(insert);
  expect(requestsIn(new Telemetry(database, () => savedMs))).toBe(90 + 10 + 90);
  expect(requestsIn(new Telemetry(database, () => savedMs))).toBe(90 + 10 + 90);
});

test("[J418] counters of an earlier release that cannot be read are left out, and counting begins", () => {
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const database = memoryDatabase(script);
  database.exec("UPDATE shards SET body = '[{'");
  const telemetry = new Telemetry(database, () => savedMs);
  expect(requestsIn(telemetry)).toBeUndefined();
  telemetry.count(delta(31, { entries: [entryDelta({ requests: 10 })] }));
  expect(requestsIn(new Telemetry(database, () => savedMs))).toBe(10);
  expect(log).toHaveBeenCalledTimes(1);
  log.mockRestore();
});
