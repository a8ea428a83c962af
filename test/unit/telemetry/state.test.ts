import { expect, test } from "vitest";
import { counterIndex } from "../../../src/telemetry/counters.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { readSnapshot } from "../../../src/telemetry/read-snapshot.ts";
import type { SnapshotFilter } from "../../../src/telemetry/snapshot.ts";
import { addDelta, newTelemetryState, removeExpired } from "../../../src/telemetry/telemetry-state.ts";
import { delta, entryDelta, taskDelta } from "./deltas.ts";

const startMs = 1_700_000_000_000;
const dayMs = 86_400_000;

class Counted {
  readonly state = newTelemetryState(startMs);
  nowMs = startMs;

  add(one: Delta): boolean {
    return addDelta(this.state, one, this.nowMs);
  }

  read(filter: SnapshotFilter = {}) {
    return readSnapshot(this.state, this.nowMs, filter);
  }

  /** The first service, where one is known. */
  service(filter: SnapshotFilter = {}) {
    return this.read(filter).services[0];
  }
}

test("[J3] what isolates counted adds up by service, node and task", () => {
  const counted = new Counted();
  const entries = [entryDelta({ requests: 3, responses2xx: 2, responses5xx: 1 }, [5, 5, 80])];
  const tasks = [taskDelta({ requests: 3, attempts: 3 }, [5, 5, 80])];
  counted.add(delta(1, { entries, tasks }));
  counted.add(delta(1, { isolate: "isolate2", colo: "FRA", entries, tasks }));
  const { services, nodes } = counted.read();
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

test("[J3] requests for no service are told by the node they came in at", () => {
  const counted = new Counted();
  counted.add(delta(1, { entries: [entryDelta({ requests: 2, refused404: 2 }, [], { service: null })] }));
  expect(counted.read()).toMatchObject({
    services: [],
    strays: [{ nodeId: "id-node1", counts: { requests: 2, refused404: 2 } }],
  });
});

test("[J4] a delta sent again counts once", () => {
  const counted = new Counted();
  const one = delta(1, { entries: [entryDelta({ requests: 1 })] });
  expect(counted.add(one)).toBe(true);
  expect(counted.add(one)).toBe(false);
  expect(counted.add({ ...one, seq: 2 })).toBe(true);
  expect(counted.add(one)).toBe(false);
  expect(counted.service()?.counts.requests).toBe(2);
});

test("[J5] each colo, and each isolate in it, sees the tasks in its own way", () => {
  const counted = new Counted();
  counted.add(delta(1, { tasks: [taskDelta({ attempts: 4 }, [10, 10, 10, 10])] }));
  const bad = taskDelta({ attempts: 1, timeouts: 1 }, [], { ejectedMs: 2_000 });
  counted.add(delta(1, { isolate: "isolate2", colo: "SYD", tasks: [bad], entries: [entryDelta({})] }));
  const { colos } = counted.read({ colos: true });
  expect(colos).toMatchObject([
    { colo: "AMS", tasks: [{ counts: { attempts: 4, timeouts: 0 }, ejectedBy: 0 }] },
    {
      colo: "SYD",
      tasks: [{ counts: { attempts: 1, timeouts: 1 }, ejectedBy: 1 }],
      isolates: [{ id: "isolate2", tasks: [{ taskId: "task1", counts: { timeouts: 1 }, ejectedBy: 1 }] }],
    },
  ]);
});

test("[J5] an isolate that fell silent is folded into its colo", () => {
  const counted = new Counted();
  counted.add(delta(1, { tasks: [taskDelta({ attempts: 4 }, [], { open: 2 })], entries: [entryDelta({})] }));
  expect(counted.service()?.tasks[0]?.open).toEqual({ now: 2, max: 2 });
  counted.nowMs += 61_000;
  removeExpired(counted.state, counted.nowMs);
  const { colos } = counted.read({ colos: true });
  expect(colos).toMatchObject([{ colo: "AMS", tasks: [{ counts: { attempts: 4 } }], isolates: [] }]);
  expect(counted.service()?.tasks[0]?.open).toEqual({ now: 0, max: 2 });
});

test("[J5] where isolates see too much to remember, their colo still remembers it", () => {
  const counted = new Counted();
  const tasks = Array.from({ length: 3_000 }, (_, at) => taskDelta({ attempts: 1 }, [], { id: `task${at}` }));
  for (const isolate of ["isolate1", "isolate2"]) counted.add(delta(1, { isolate, tasks }));
  expect([...counted.state.isolates.values()].map((isolate) => isolate.tasks.size)).toEqual([3_000, 2_000]);
  expect(counted.state.items.get("colo AMS task2999")?.totals.tally.counts[counterIndex.attempts]).toBe(2);
  counted.nowMs += 61_000;
  removeExpired(counted.state, counted.nowMs);
  expect(counted.state.isolateTotals).toBe(0);
});

test("[J6] how many wait is the sum over isolates now, and the most is that of the sum, or of one of them in between", () => {
  const counted = new Counted();
  const open = (now: number, max: number) => ({ open: now, openMax: max, queue: now, queueMax: max });
  const said = (now: number, max: number) => ({
    tasks: [taskDelta({}, [], open(now, max))],
    entries: [entryDelta({}, [], open(now, max))],
  });
  counted.add(delta(1, said(2, 5)));
  counted.add(delta(1, { isolate: "isolate2", ...said(3, 4) }));
  const both = { now: 5, max: 5 };
  expect(counted.service()).toMatchObject({ open: both, queue: both, tasks: [{ open: both, queue: both }] });
  expect(counted.read().nodes).toMatchObject([{ open: both, queue: both }]);
  counted.add(delta(2, said(0, 0)));
  expect(counted.service()?.open).toEqual({ now: 3, max: 5 });
  counted.add(
    delta(3, { entries: [entryDelta({}, [], { ...open(4, 4), node: { id: "n2", name: "node2" } })] }),
  );
  expect(counted.service()).toMatchObject({ open: { now: 7, max: 7 }, queue: { now: 7, max: 7 } });
  expect(counted.read().nodes.map(({ queue }) => queue)).toEqual([
    { now: 3, max: 5 },
    { now: 4, max: 4 },
  ]);
});

test("[J6] a service kept at least as many waiting as one task of it did", () => {
  const counted = new Counted();
  const most = (openMax: number) => ({ open: 0, openMax, queue: 0, queueMax: 0 });
  const node = (name: string) => ({ node: { id: name, name } });
  counted.add(
    delta(1, {
      entries: ["node1", "node2"].map((name) =>
        entryDelta({ requests: 2 }, [], { ...most(2), ...node(name) }),
      ),
      tasks: [taskDelta({ attempts: 4 }, [], most(4))],
    }),
  );
  expect(counted.service()?.open).toEqual({ now: 0, max: 4 });
});

test("[J6] who waited in an isolate that is gone waits no more, and counts for no most", () => {
  const counted = new Counted();
  const waits = { open: 4, openMax: 4, queue: 2, queueMax: 2 };
  const said = { entries: [entryDelta({}, [], waits)] };
  counted.add(delta(1, said));
  counted.nowMs += 61_000;
  removeExpired(counted.state, counted.nowMs);
  counted.add(delta(1, { isolate: "isolate2", ...said }));
  expect(counted.service()).toMatchObject({ open: { now: 4, max: 4 }, queue: { now: 2, max: 2 } });
});

test("[J7] series are ten seconds and a minute a step, the newest still counting", () => {
  const counted = new Counted();
  const one = { entries: [entryDelta({ requests: 10, responses5xx: 1 }, Array(10).fill(40))] };
  counted.add(delta(1, one));
  counted.nowMs += 10_000;
  counted.add(delta(2, one));
  counted.add(delta(3, one));
  const series = counted.service({ series: true })?.series;
  expect(series?.tens.requests.slice(-3)).toEqual([0, 10, 20]);
  expect(series?.tens.failed.slice(-3)).toEqual([0, 1, 2]);
  expect(series?.minutes.requests.at(-1)).toBe(30);
  expect(series?.tens.p50Ms.at(-1)).toBeGreaterThan(33);
  expect(series?.tens.p50Ms.at(-1)).toBeLessThan(46);
  expect(series?.tens.buckets?.at(-1)?.at(1)).toBe(20);
  expect(counted.read({ series: true }).nodes[0]?.series?.tens.buckets?.at(-1)?.at(1)).toBe(20);
  counted.nowMs += 600_000;
  expect(counted.service({ series: true })?.series?.tens.requests).toEqual(Array(60).fill(0));
});

test("[J7] the rate is that of the last ten seconds, and its maximum stays", () => {
  const counted = new Counted();
  counted.add(delta(1, { entries: [entryDelta({ requests: 100 })] }));
  expect(counted.service()?.rate).toEqual({ now: 10, max: 10 });
  counted.nowMs += 15_000;
  expect(counted.service()?.rate).toEqual({ now: 5, max: 10 });
  counted.nowMs += 15_000;
  expect(counted.service()?.rate).toEqual({ now: 0, max: 10 });
});

test.each([
  ["back a little", -5_000],
  ["back by a day", -dayMs],
  ["ahead by an hour", 3_600_000],
  ["ahead by a year", 365 * dayMs],
])("[J8] no count is lost when the clock goes %s, and series go on", (_how, jumpMs) => {
  const counted = new Counted();
  const one = { entries: [entryDelta({ requests: 1 })] };
  counted.add(delta(1, one));
  counted.nowMs += jumpMs;
  counted.add(delta(2, one));
  counted.nowMs -= jumpMs;
  counted.add(delta(3, one));
  expect(counted.service()?.counts.requests).toBe(3);
  counted.nowMs += 20_000;
  counted.add(delta(4, one));
  expect(counted.service({ series: true })?.series?.tens.requests.at(-1)).toBe(1);
});

test("[J9] a task is forgotten a day after its last request, a service after a week", () => {
  const counted = new Counted();
  counted.add(delta(1, { tasks: [taskDelta({ attempts: 1 })], entries: [entryDelta({ requests: 1 })] }));
  counted.nowMs += dayMs + 1;
  expect(removeExpired(counted.state, counted.nowMs)).toEqual(["task task1", "colo AMS task1"]);
  expect(counted.service()).toMatchObject({ counts: { requests: 1 }, tasks: [] });
  counted.nowMs += 6 * dayMs;
  removeExpired(counted.state, counted.nowMs);
  expect(counted.read()).toMatchObject({ services: [], nodes: [] });
});

test("[J9] of too many tasks those unheard for longest are forgotten", () => {
  const counted = new Counted();
  for (let number = 0; number < 12_001; number += 1) {
    counted.nowMs += 1;
    const tasks = [taskDelta({ attempts: 1 }, [], { id: `task${number}` })];
    addDelta(counted.state, delta(number + 1, { tasks }), counted.nowMs);
  }
  expect(removeExpired(counted.state, counted.nowMs)).toContain("task task0");
  expect(removeExpired(counted.state, counted.nowMs)).toEqual([]);
});

test("[J10] a snapshot holds one service or one node's part where that is asked for", () => {
  const counted = new Counted();
  const other = { id: "service2", name: "other" };
  const node2 = { id: "id-node2", name: "node2" };
  counted.add(
    delta(1, {
      tasks: [
        taskDelta({}),
        taskDelta({}, [], { id: "task2", nodeId: "id-node2" }),
        taskDelta({}, [], { id: "task3", serviceId: other.id }),
      ],
      entries: [entryDelta({}), entryDelta({}, [], { node: node2 }), entryDelta({}, [], { service: other })],
    }),
  );
  expect(counted.read({ service: "other", colos: true })).toMatchObject({
    services: [{ id: "service2", tasks: [{ id: "task3" }] }],
    colos: [{ tasks: [{ taskId: "task3" }] }],
  });
  expect(counted.read({ node: "node2" })).toMatchObject({
    services: [
      { id: "service1", tasks: [{ id: "task2" }], entries: [{ nodeId: "id-node2" }] },
      { tasks: [] },
    ],
    nodes: [{ id: "id-node2" }],
  });
  expect(counted.read({ service: "none" }).services).toEqual([]);
});
