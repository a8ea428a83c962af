import { expect, test } from "vitest";
import { followClock } from "../../../src/telemetry/clock.ts";
import { counterIndex } from "../../../src/telemetry/counters.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { readSnapshot } from "../../../src/telemetry/read-snapshot.ts";
import type { SnapshotFilter } from "../../../src/telemetry/snapshot.ts";
import { addDelta, newTelemetryState, removeExpired } from "../../../src/telemetry/telemetry-state.ts";
import { arrivedAt, delta, entryDelta, taskDelta } from "./deltas.ts";

const startMs = 1_700_000_000_000;
const dayMs = 86_400_000;

class TestState {
  readonly state = newTelemetryState(startMs);
  nowMs = startMs;
  #latestMs = startMs;

  add(delta: Delta): boolean {
    if (this.nowMs < this.#latestMs) followClock(this.state, this.nowMs, this.#latestMs);
    this.#latestMs = this.nowMs;
    return addDelta(this.state, delta, arrivedAt(this.nowMs));
  }

  read(filter: SnapshotFilter = {}) {
    return readSnapshot(this.state, this.nowMs, filter);
  }

  /** The first service, if any. */
  service(filter: SnapshotFilter = {}) {
    return this.read(filter).services[0];
  }
}

test("[J3] counts of isolates add up by service, node and task", () => {
  const telemetry = new TestState();
  const entries = [entryDelta({ requests: 3, responses2xx: 2, responses5xx: 1 }, [5, 5, 80])];
  const tasks = [taskDelta({ requests: 3, attempts: 3 }, [5, 5, 80])];
  telemetry.add(delta(1, { entries, tasks }));
  telemetry.add(delta(1, { isolate: "isolate2", colo: "FRA", entries, tasks }));
  const { services, nodes } = telemetry.read();
  expect(services).toMatchObject([
    {
      name: "my-web",
      counts: { requests: 6, responses2xx: 4, responses5xx: 2 },
      latency: { count: 6, avgMs: 30 },
      tasks: [{ id: "task1", name: "my-web.1", nodeId: "id-node1", counts: { attempts: 6 } }],
      entries: [{ nodeId: "id-node1", counts: { requests: 6 } }],
    },
  ]);
  expect(nodes).toMatchObject([{ name: "node1", counts: { requests: 6 } }]);
});

test("[J3] requests without a service are counted by the node they entered at", () => {
  const telemetry = new TestState();
  telemetry.add(delta(1, { entries: [entryDelta({ requests: 2, refused404: 2 }, [], { service: null })] }));
  expect(telemetry.read()).toMatchObject({
    services: [],
    strays: [{ nodeId: "id-node1", counts: { requests: 2, refused404: 2 } }],
  });
});

test("[J4] a delta sent again counts once", () => {
  const telemetry = new TestState();
  const first = delta(1, { entries: [entryDelta({ requests: 1 })] });
  expect(telemetry.add(first)).toBe(true);
  expect(telemetry.add(first)).toBe(false);
  expect(telemetry.add({ ...first, seq: 2 })).toBe(true);
  expect(telemetry.add(first)).toBe(false);
  expect(telemetry.service()?.counts.requests).toBe(2);
});

test("[J5] each colo, and each isolate in it, has its own counts of the tasks", () => {
  const telemetry = new TestState();
  telemetry.add(delta(1, { tasks: [taskDelta({ attempts: 4 }, [10, 10, 10, 10])] }));
  const bad = taskDelta({ attempts: 1, timeouts: 1 }, [], { ejectedMs: 2_000 });
  telemetry.add(delta(1, { isolate: "isolate2", colo: "SYD", tasks: [bad], entries: [entryDelta({})] }));
  const { colos } = telemetry.read({ colos: true });
  expect(colos).toMatchObject([
    { colo: "AMS", tasks: [{ counts: { attempts: 4, timeouts: 0 }, ejectedBy: 0 }] },
    {
      colo: "SYD",
      tasks: [{ counts: { attempts: 1, timeouts: 1 }, ejectedBy: 1 }],
      isolates: [{ id: "isolate2", tasks: [{ taskId: "task1", counts: { timeouts: 1 }, ejectedBy: 1 }] }],
    },
  ]);
});

test("[J5] an isolate without deltas for a minute is only counted in its colo", () => {
  const telemetry = new TestState();
  telemetry.add(
    delta(1, { tasks: [taskDelta({ attempts: 4 }, [], { open: 2 })], entries: [entryDelta({})] }),
  );
  expect(telemetry.service()?.tasks[0]?.open).toEqual({ now: 2, max: 2 });
  telemetry.nowMs += 61_000;
  removeExpired(telemetry.state, telemetry.nowMs);
  const { colos } = telemetry.read({ colos: true });
  expect(colos).toMatchObject([{ colo: "AMS", tasks: [{ counts: { attempts: 4 } }], isolates: [] }]);
  expect(telemetry.service()?.tasks[0]?.open).toEqual({ now: 0, max: 2 });
});

test("[J5] without memory for totals by isolate, tasks are counted by colo", () => {
  const telemetry = new TestState();
  const tasks = Array.from({ length: 1_000 }, (_, at) => taskDelta({ attempts: 1 }, [], { id: `task${at}` }));
  for (let number = 1; number <= 4; number += 1)
    telemetry.add(delta(1, { isolate: `isolate${number}`, tasks }));
  const sizes = [...telemetry.state.isolates.values()].map((isolate) => isolate.tasks.size);
  expect([sizes[0], (sizes[3] ?? 0) < 1_000]).toEqual([1_000, true]);
  expect(telemetry.state.items.get("colo AMS task999")?.totals.tally.counts[counterIndex.attempts]).toBe(4);
  telemetry.nowMs += 61_000;
  removeExpired(telemetry.state, telemetry.nowMs);
  expect(telemetry.state.room.isolateBytes).toBe(0);
});

test("[J6] a gauge is the sum over isolates; its maximum is that of the sum, or of one isolate between deltas", () => {
  const telemetry = new TestState();
  const open = (now: number, max: number) => ({ open: now, openMax: max, queue: now, queueMax: max });
  const gauges = (now: number, max: number) => ({
    tasks: [taskDelta({}, [], open(now, max))],
    entries: [entryDelta({}, [], open(now, max))],
  });
  telemetry.add(delta(1, gauges(2, 5)));
  telemetry.add(delta(1, { isolate: "isolate2", ...gauges(3, 4) }));
  const both = { now: 5, max: 5 };
  expect(telemetry.service()).toMatchObject({
    open: both,
    queue: both,
    tasks: [{ open: both, queue: both }],
  });
  expect(telemetry.read().nodes).toMatchObject([{ open: both, queue: both }]);
  telemetry.add(delta(2, gauges(0, 0)));
  expect(telemetry.service()?.open).toEqual({ now: 3, max: 5 });
  telemetry.add(
    delta(3, { entries: [entryDelta({}, [], { ...open(4, 4), node: { id: "n2", name: "node2" } })] }),
  );
  expect(telemetry.service()).toMatchObject({ open: { now: 7, max: 7 }, queue: { now: 7, max: 7 } });
  expect(telemetry.read().nodes.map(({ queue }) => queue)).toEqual([
    { now: 3, max: 5 },
    { now: 4, max: 4 },
  ]);
});

test("[J6] a service's maximum is at least that of one of its tasks", () => {
  const telemetry = new TestState();
  const withMax = (openMax: number) => ({ open: 0, openMax, queue: 0, queueMax: 0 });
  const node = (name: string) => ({ node: { id: name, name } });
  telemetry.add(
    delta(1, {
      entries: ["node1", "node2"].map((name) =>
        entryDelta({ requests: 2 }, [], { ...withMax(2), ...node(name) }),
      ),
      tasks: [taskDelta({ attempts: 4 }, [], withMax(4))],
    }),
  );
  expect(telemetry.service()?.open).toEqual({ now: 0, max: 4 });
});

test("[J6] the gauges of an ended isolate do not count any more, nor in the maximum", () => {
  const telemetry = new TestState();
  const waits = { open: 4, openMax: 4, queue: 2, queueMax: 2 };
  const change = { entries: [entryDelta({}, [], waits)] };
  telemetry.add(delta(1, change));
  telemetry.nowMs += 61_000;
  removeExpired(telemetry.state, telemetry.nowMs);
  telemetry.add(delta(1, { isolate: "isolate2", ...change }));
  expect(telemetry.service()).toMatchObject({ open: { now: 4, max: 4 }, queue: { now: 2, max: 2 } });
});

test("[J7] time series have bins of ten seconds and of a minute, the last one open", () => {
  const telemetry = new TestState();
  const change = { entries: [entryDelta({ requests: 10, responses5xx: 1 }, Array(10).fill(40))] };
  telemetry.add(delta(1, change));
  telemetry.nowMs += 10_000;
  telemetry.add(delta(2, change));
  telemetry.add(delta(3, change));
  const series = telemetry.service({ series: true })?.series;
  expect(series?.tens.requests.slice(-3)).toEqual([0, 10, 20]);
  expect(series?.tens.failed.slice(-3)).toEqual([0, 1, 2]);
  expect(series?.minutes.requests.at(-1)).toBe(30);
  expect(series?.tens.p50Ms.at(-1)).toBeGreaterThan(33);
  expect(series?.tens.p50Ms.at(-1)).toBeLessThan(46);
  expect(series?.tens.buckets?.at(-1)?.at(1)).toBe(20);
  expect(telemetry.read({ series: true }).nodes[0]?.series?.tens.buckets?.at(-1)?.at(1)).toBe(20);
  telemetry.nowMs += 600_000;
  expect(telemetry.service({ series: true })?.series?.tens.requests).toEqual(Array(60).fill(0));
});

test("[J7] the rate is that of the last ten seconds, and keeps its maximum", () => {
  const telemetry = new TestState();
  telemetry.add(delta(1, { entries: [entryDelta({ requests: 100 })] }));
  expect(telemetry.service()?.rate).toEqual({ now: 10, max: 10 });
  telemetry.nowMs += 15_000;
  expect(telemetry.service()?.rate).toEqual({ now: 5, max: 10 });
  telemetry.nowMs += 15_000;
  expect(telemetry.service()?.rate).toEqual({ now: 0, max: 10 });
});

test.each([
  ["back a little", -5_000],
  ["back by a day", -dayMs],
  ["ahead by an hour", 3_600_000],
  ["ahead by a year", 365 * dayMs],
])("[J8] no count is lost when the clock jumps %s, and time series continue", (_how, jumpMs) => {
  const telemetry = new TestState();
  const change = { entries: [entryDelta({ requests: 1 })] };
  telemetry.add(delta(1, change));
  telemetry.nowMs += jumpMs;
  telemetry.add(delta(2, change));
  telemetry.nowMs -= jumpMs;
  telemetry.add(delta(3, change));
  expect(telemetry.service()?.counts.requests).toBe(3);
  telemetry.nowMs += 20_000;
  telemetry.add(delta(4, change));
  expect(telemetry.service({ series: true })?.series?.tens.requests.at(-1)).toBe(1);
});

test("[J9] a task is removed a day after its last request, a service after a week", () => {
  const telemetry = new TestState();
  telemetry.add(delta(1, { tasks: [taskDelta({ attempts: 1 })], entries: [entryDelta({ requests: 1 })] }));
  telemetry.nowMs += dayMs + 1;
  removeExpired(telemetry.state, telemetry.nowMs);
  expect([...telemetry.state.items.keys()]).toEqual([
    "service service1",
    "node id-node1",
    "entry service1 id-node1",
  ]);
  expect(telemetry.service()).toMatchObject({ counts: { requests: 1 }, tasks: [] });
  telemetry.nowMs += 6 * dayMs;
  removeExpired(telemetry.state, telemetry.nowMs);
  expect(telemetry.read()).toMatchObject({ services: [], nodes: [] });
});

test("[J9] without memory for one more task, those without requests for ten minutes make room, oldest first", () => {
  const telemetry = new TestState();
  const add = (number: number) =>
    telemetry.add(delta(number + 1, { tasks: [taskDelta({ attempts: 1 }, [], { id: `task${number}` })] }));
  let count = 0;
  while (!telemetry.state.room.leftOutMs.has("task")) {
    telemetry.nowMs += 1;
    add(count);
    count += 1;
  }
  const has = (number: number) => telemetry.state.items.has(`task task${number}`);
  expect([has(0), has(count - 1)]).toEqual([true, false]);
  telemetry.nowMs += 600_000 - count / 2;
  add(count);
  expect([has(0), has(count - 2), has(count)]).toEqual([false, true, true]);
});

test("[J10] a snapshot can be limited to one service or one node", () => {
  const telemetry = new TestState();
  const other = { id: "service2", name: "other" };
  const node2 = { id: "id-node2", name: "node2" };
  telemetry.add(
    delta(1, {
      tasks: [
        taskDelta({}),
        taskDelta({}, [], { id: "task2", nodeId: "id-node2" }),
        taskDelta({}, [], { id: "task3", serviceId: other.id }),
      ],
      entries: [entryDelta({}), entryDelta({}, [], { node: node2 }), entryDelta({}, [], { service: other })],
    }),
  );
  expect(telemetry.read({ service: "other", colos: true })).toMatchObject({
    services: [{ id: "service2", tasks: [{ id: "task3" }] }],
    colos: [{ tasks: [{ taskId: "task3" }] }],
  });
  expect(telemetry.read({ node: "node2" })).toMatchObject({
    services: [
      { id: "service1", tasks: [{ id: "task2" }], entries: [{ nodeId: "id-node2" }] },
      { tasks: [] },
    ],
    nodes: [{ id: "id-node2" }],
  });
  expect(telemetry.read({ service: "none" }).services).toEqual([]);
});
