// The rows that the objects of a small mesh write, as the platform counts them. Workers Free has 100,000 a day for all
// objects together.

import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, expect, test, vi } from "vitest";
import { counterIndex } from "../../../src/telemetry/counters.ts";
import { deltaText } from "../../../src/telemetry/delta.ts";
import { recordLatency } from "../../../src/telemetry/histogram.ts";
import { Meter } from "../../../src/telemetry/meter.ts";
import type { MeshTelemetry } from "../../../workers/telemetry.ts";

const rowsPerDay = 100_000;
const hourMs = 3_600_000;
const [forwardMs, watchedForwardMs] = [10_000, 1_000];

afterEach(() => {
  vi.restoreAllMocks();
});

/** One isolate of a mesh of three nodes with a service of six tasks, which gets a request each second. */
class Router {
  readonly #meter = new Meter({ isolate: "router", ejectedMs: () => 0 });
  readonly #service = { id: "service1", name: "my-web" };
  #requests = 0;

  request(nowMs: number): void {
    this.#requests += 1;
    const node = `node${this.#requests % 3}`;
    const task = {
      taskId: `task${this.#requests % 6}`,
      slot: 1 + (this.#requests % 6),
      nodeId: node,
      server: null,
    };
    if (nowMs >= this.#meter.sliceEndMs) this.#meter.endSlice(nowMs);
    const entry = this.#meter.entry(this.#service, { id: node, name: node });
    for (const metrics of [entry, this.#meter.task(task, this.#service)]) {
      for (const counter of ["requests", "attempts", "responses2xx"] as const)
        metrics.add(counterIndex[counter]);
      recordLatency(metrics.tally.buckets, this.#requests % 50);
    }
  }

  report(nowMs: number): string {
    const delta = this.#meter.take(nowMs);
    if (delta === null) throw new Error("no requests");
    return deltaText(delta, nowMs);
  }
}

/** Rows of SQL and of alarms that an object writes, and the alarm that is set, by a clock that the test moves. */
type Written = { readonly rows: () => number; readonly runAlarmIfDue: (nowMs: number) => Promise<void> };

async function countRows(telemetry: DurableObjectStub<MeshTelemetry>): Promise<Written> {
  let alarmAtMs = Number.POSITIVE_INFINITY;
  const cursors: { readonly rowsWritten: number }[] = [];
  let alarms = 0;
  await runInDurableObject(telemetry, (_object, { storage }) => {
    const exec = storage.sql.exec.bind(storage.sql);
    vi.spyOn(storage.sql, "exec").mockImplementation(((sql: string, ...bindings: never[]) => {
      const cursor = exec(sql, ...bindings);
      cursors.push(cursor);
      return cursor;
    }) as typeof storage.sql.exec);
    const setAlarm = storage.setAlarm.bind(storage);
    vi.spyOn(storage, "setAlarm").mockImplementation((atMs) => {
      alarms += 1;
      alarmAtMs = Number(atMs);
      // The test runs it: the platform's clock does not move with the test's.
      return setAlarm(Number(atMs) + 86_400_000);
    });
  });
  return {
    rows: () => cursors.reduce((sum, { rowsWritten }) => sum + rowsWritten, alarms),
    runAlarmIfDue: async (nowMs) => {
      if (nowMs < alarmAtMs) return;
      alarmAtMs = Number.POSITIVE_INFINITY;
      await runDurableObjectAlarm(telemetry);
    },
  };
}

test.each([
  ["while no reader looks", forwardMs, hourMs / 2, rowsPerDay / 6],
  ["while a page is open all day", watchedForwardMs, hourMs / 6, rowsPerDay / 2],
])(
  "[J417] at a request each second on three nodes, %s, telemetry writes few rows",
  async (what, everyMs, forMs, maxRows) => {
    const telemetry = env.TELEMETRY.getByName(`rows ${what}`);
    const startMs = Date.now();
    const clock = vi.spyOn(Date, "now").mockReturnValue(startMs);
    const { rows, runAlarmIfDue } = await countRows(telemetry);
    const router = new Router();
    for (let ms = 1_000; ms <= forMs; ms += 1_000) {
      const nowMs = startMs + ms;
      clock.mockReturnValue(nowMs);
      router.request(nowMs);
      await runAlarmIfDue(nowMs);
      if (ms % everyMs === 0) await telemetry.countAll([router.report(nowMs)], nowMs, [everyMs / 2]);
    }
    const perDay = (rows() * 24 * hourMs) / forMs;
    console.info(
      `telemetry, 1 request/s, 3 nodes, ${what}: ${perDay / 24} rows in an hour, ${perDay} in a day`,
    );
    expect(rows()).toBeGreaterThan(0);
    expect(perDay).toBeLessThan(maxRows);
    const { services } = await telemetry.snapshot({});
    expect(services[0]?.counts.requests).toBe(forMs / 1_000);
  },
  60_000,
);
