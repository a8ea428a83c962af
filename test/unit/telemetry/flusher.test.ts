import { expect, test } from "vitest";
import { counterIndex, countsByName } from "../../../src/telemetry/counters.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { Flusher, flushIntervalMs } from "../../../src/telemetry/flusher.ts";
import { Meter } from "../../../src/telemetry/meter.ts";
import { addTally, newTally } from "../../../src/telemetry/metrics.ts";

const service = { id: "service1", name: "my-web" };
const node = { id: "node1", name: "node1" };
const task = { taskId: "task1", slot: 1, nodeId: "node1", server: null };

/** A meter with its flusher. The test ends its sleep and receives its deltas. */
class TestMeter {
  nowMs = 1_000_000;
  ejectedMs = 0;
  readonly meter = new Meter({ isolate: "isolate1", ejectedMs: () => this.ejectedMs });
  readonly sent: Delta[] = [];
  readonly slept: number[] = [];
  readonly scheduled: Promise<void>[] = [];
  fails = false;
  #wake: (() => void)[] = [];
  readonly flusher = new Flusher(this.meter, {
    send: async (delta) => {
      this.sent.push(delta);
      if (this.fails) throw new Error("the object is unavailable");
    },
    nowMs: () => this.nowMs,
    sleep: (ms) => {
      this.slept.push(ms);
      return new Promise((resolve) => this.#wake.push(resolve));
    },
  });

  request(): void {
    this.meter.entry(service, node).add(counterIndex.requests);
    this.flusher.schedule(this.nowMs, (work) => this.scheduled.push(work));
  }

  /** Ends the sleep of the flush. */
  async wake(): Promise<void> {
    for (const wake of this.#wake.splice(0)) wake();
    await new Promise((resolve) => setImmediate(resolve));
  }

  requests(): number[] {
    return this.sent.map(({ entries }) => {
      const tally = newTally();
      for (const entry of entries) addTally(tally, entry);
      return countsByName(tally.counts).requests;
    });
  }
}

test("[J18] requests are sent together, two seconds after the first of them ended, and none is lost", async () => {
  const test = new TestMeter();
  test.request();
  test.request();
  expect([test.scheduled.length, test.slept]).toEqual([1, [flushIntervalMs]]);
  await test.wake();
  expect(test.requests()).toEqual([2]);
  test.request();
  await test.wake();
  expect(test.requests()).toEqual([2, 1]);
  expect(test.sent.map(({ seq }) => seq)).toEqual([1, 2]);
});

test("[J18] without a request, nothing is sent", async () => {
  const test = new TestMeter();
  expect(await test.flusher.flush()).toBe(true);
  expect(test.sent).toEqual([]);
});

test("[J18] a failed delta is sent again under its number, and later requests after it", async () => {
  const test = new TestMeter();
  test.fails = true;
  test.request();
  await test.wake();
  test.request();
  test.fails = false;
  await test.wake();
  expect(test.sent.map(({ seq }) => seq)).toEqual([1, 1, 2]);
  expect(test.requests()).toEqual([1, 1, 1]);
});

test("[J18] after three tries, the next request continues them", async () => {
  const test = new TestMeter();
  test.fails = true;
  test.request();
  for (let tries = 0; tries < 5; tries += 1) await test.wake();
  expect(test.sent.map(({ seq }) => seq)).toEqual([1, 1, 1]);
  test.request();
  test.fails = false;
  await test.wake();
  expect(test.requests().slice(3)).toEqual([1, 1]);
});

test("[J18] a flush whose request was stopped is scheduled again", () => {
  const test = new TestMeter();
  test.request();
  test.nowMs += 14_999;
  test.request();
  expect(test.scheduled).toHaveLength(1);
  test.nowMs += 1;
  test.request();
  expect(test.scheduled).toHaveLength(2);
});

test("[J8] a clock that jumps does not stop an isolate from sending", () => {
  const test = new TestMeter();
  test.request();
  test.nowMs -= 3_600_000;
  test.request();
  expect(test.scheduled).toHaveLength(2);
});

test("[J6] a request without an end expires after two generations", () => {
  const test = new TestMeter();
  test.meter.task(task, service).open.increment();
  expect(test.meter.take(test.nowMs)?.tasks).toMatchObject([{ open: 1, openMax: 1 }]);
  for (const open of [0, undefined]) {
    test.nowMs += 60_000;
    expect(test.meter.take(test.nowMs)?.tasks[0]?.open).toBe(open);
  }
});

test("[J6] a long request is still counted as waiting, and its end is not counted twice", () => {
  const test = new TestMeter();
  test.meter.take(test.nowMs);
  const { generation } = test.meter;
  const metrics = test.meter.task(task, service);
  metrics.open.increment();
  test.nowMs += 60_000;
  expect(test.meter.take(test.nowMs)?.tasks).toMatchObject([{ open: 1 }]);
  metrics.open.increment();
  metrics.open.decrement(test.meter.generation - generation);
  expect(metrics.open.value).toBe(1);
  metrics.open.decrement(0);
  metrics.open.decrement(5);
  expect(metrics.open.value).toBe(0);
});

test("[J16] an ejection and its end are reported without a request to the task", () => {
  const test = new TestMeter();
  test.meter.task(task, service).add(counterIndex.attempts);
  test.meter.take(test.nowMs);
  test.ejectedMs = 2_000;
  expect(test.meter.take(test.nowMs)?.tasks).toMatchObject([{ ejectedMs: 2_000, counts: [] }]);
  test.ejectedMs = 0;
  expect(test.meter.take(test.nowMs)?.tasks).toMatchObject([{ ejectedMs: 0 }]);
  expect(test.meter.take(test.nowMs)).toBeNull();
});

test("[J15] metrics outlive the routing table, take over a new name, and are dropped when idle", () => {
  const test = new TestMeter();
  const metrics = test.meter.task(task, service);
  const next = { ...task };
  expect(test.meter.task(next, { ...service, name: "renamed" })).toBe(metrics);
  metrics.add(counterIndex.attempts);
  expect(test.meter.take(test.nowMs)?.tasks).toMatchObject([{ name: "renamed.1" }]);
  for (let take = 0; take < 302; take += 1) test.meter.take(test.nowMs);
  const fresh = test.meter.task(next, service);
  expect(fresh).not.toBe(metrics);
  fresh.add(counterIndex.attempts);
  expect(test.meter.take(test.nowMs)?.tasks).toHaveLength(1);
});
