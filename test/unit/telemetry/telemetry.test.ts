import { expect, test, vi } from "vitest";
import { saveIntervalMs, Telemetry } from "../../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { delta, entryDelta, taskDelta } from "./deltas.ts";

const everything = { series: true, colos: true };

/** A telemetry object over one database, which can lose its memory. */
class TestTelemetry {
  readonly port = memoryDatabase();
  nowMs = 1_700_000_000_000;
  rowsWritten = 0;
  telemetry = this.#start();

  /** As after an eviction or a reset. */
  restart(): void {
    this.telemetry = this.#start();
  }

  requests(): number | undefined {
    return this.telemetry.snapshot({}).services[0]?.counts.requests;
  }

  #start(): Telemetry {
    const { exec, transactionSync } = this.port;
    const counting = (sql: string, ...bindings: readonly (string | number)[]) => {
      if (/^INSERT(?! INTO migrations)/.test(sql)) this.rowsWritten += sql.split("(?").length - 1;
      return exec(sql, ...bindings);
    };
    return new Telemetry({ exec: counting, transactionSync }, () => this.nowMs);
  }
}

const change = { entries: [entryDelta({ requests: 1 }, [7])], tasks: [taskDelta({ attempts: 1 }, [7])] };

test("[J11] counts and time series outlive the object", () => {
  const test = new TestTelemetry();
  for (let seq = 1; seq <= 5; seq += 1) {
    test.telemetry.count(delta(seq, change));
    test.nowMs += 4_000;
  }
  test.telemetry.save();
  const before = test.telemetry.snapshot({ series: true });
  test.restart();
  expect(test.telemetry.snapshot({ series: true })).toEqual(before);
  expect(test.requests()).toBe(5);
});

test("[J11] at most five seconds of counts are lost with the object's memory", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, change));
  test.nowMs += saveIntervalMs - 1;
  test.telemetry.count(delta(2, change));
  test.restart();
  expect(test.requests()).toBe(1);
  test.telemetry.count(delta(3, change));
  test.restart();
  expect(test.requests()).toBe(2);
});

test("[J11] a clock that jumps back does not delay saving", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, change));
  test.nowMs -= 3_600_000;
  test.telemetry.count(delta(2, change));
  test.restart();
  expect(test.requests()).toBe(2);
});

test("[J4] a delta that was saved before the object's memory was lost is not counted again", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, change));
  test.restart();
  expect(test.telemetry.count(delta(1, change))).toEqual({ ok: true, value: false });
  expect(test.requests()).toBe(1);
});

test("[J4] a delta that was lost with the object's memory and is sent again is counted", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, change));
  test.telemetry.count(delta(2, change));
  test.restart();
  expect(test.telemetry.count(delta(2, change))).toEqual({ ok: true, value: true });
  expect(test.requests()).toBe(2);
});

test("[J41] a counter in a saved snapshot is never lower later, and an unchanged one writes nothing", () => {
  const test = new TestTelemetry();
  const savedRequests = () => test.telemetry.snapshot({ saveFirst: true }).services[0]?.counts.requests;
  test.telemetry.count(delta(1, change));
  test.telemetry.count(delta(2, change));
  expect(savedRequests()).toBe(2);
  const { rowsWritten } = test;
  expect(savedRequests()).toBe(2);
  expect(test.rowsWritten).toBe(rowsWritten);
  test.restart();
  expect(savedRequests()).toBe(2);
  test.telemetry.count(delta(3, change));
  test.telemetry.count(delta(4, change));
  expect(test.requests()).toBe(4);
  test.restart();
  expect(savedRequests()).toBe(3);
});

test("[J12] a save of five seconds writes one row, however much was counted, and the changed items another one in sixty saves", () => {
  const test = new TestTelemetry();
  const tasks = Array.from({ length: 400 }, (_, at) => taskDelta({ attempts: 1 }, [], { id: `task${at}` }));
  const rowsOfSaves = Array.from({ length: 640 }, (_, at) => {
    const before = test.rowsWritten;
    test.telemetry.count(delta(at + 1, { tasks: tasks.slice(0, 2) }));
    test.nowMs += saveIntervalMs;
    return test.rowsWritten - before;
  });
  // The first save also notes the start of counting. A checkpoint has one shard of so few items, and its own row.
  const checkpoints = rowsOfSaves.slice(1).filter((rows) => rows > 1);
  expect(checkpoints).toEqual(Array(checkpoints.length).fill(1 + 1 + 1));
  expect(checkpoints).toHaveLength(10);
  const before = test.rowsWritten;
  test.telemetry.count(delta(641, { tasks }));
  expect(test.rowsWritten - before).toBe(1);
});

test("[J12] without new counts, nothing is written", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, change));
  const { rowsWritten } = test;
  expect(test.telemetry.hasUnsaved).toBe(false);
  test.nowMs += 60_000;
  test.telemetry.count(delta(1, change));
  expect(test.rowsWritten).toBe(rowsWritten);
});

test("[J11] rows that cannot be read are left out, and counting goes on", () => {
  const test = new TestTelemetry();
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  test.telemetry.count(delta(1, change));
  for (const table of ["journal", "checkpoint", "items"]) {
    test.port.exec(`INSERT OR REPLACE INTO ${table} VALUES (${table === "journal" ? "9, 9" : "9"}, '[{')`);
  }
  test.restart();
  expect(test.requests()).toBe(1);
  expect(test.telemetry.count(delta(2, change)).ok).toBe(true);
  expect(log).toHaveBeenCalled();
  log.mockRestore();
});

test.each([
  ["no content", undefined, "delta"],
  ["no isolate", delta(1, { isolate: "" }), "isolate"],
  ["an id with a space", delta(1, { tasks: [taskDelta({}, [], { id: "a b" })] }), "id"],
  ["sequence number 0", delta(0), "seq"],
  ["a fractional sequence number", delta(1.5), "seq"],
  ["a negative count", delta(1, { entries: [entryDelta({ requests: -1 })] }), "counts"],
  ["a count that is not a number", delta(1, { entries: [entryDelta({ requests: Number.NaN })] }), "counts"],
  ["too many counts", delta(1, { entries: [{ ...entryDelta({}), counts: Array(1_000).fill(1) }] }), "counts"],
  ["a list of odd length", delta(1, { tasks: [{ ...taskDelta({}), buckets: [1] }] }), "buckets"],
  ["a negative gauge", delta(1, { tasks: [taskDelta({}, [], { open: -1 })] }), "open"],
  [
    "an ejection that is too long",
    delta(1, { tasks: [taskDelta({}, [], { ejectedMs: 1e12 })] }),
    "ejectedMs",
  ],
  ["tasks that are not a list", { ...delta(1), tasks: {} }, "tasks"],
  [
    "a service without a name",
    { ...delta(1), entries: [{ ...entryDelta({}), service: { id: "a" } }] },
    "name",
  ],
])("[J13] a delta with %s is refused whole, and the next one counts", (_case, value, field) => {
  const test = new TestTelemetry();
  const refused = test.telemetry.count(value);
  expect(refused).toMatchObject({ ok: false, problem: { code: "delta/invalid" } });
  expect(refused.ok ? "" : refused.problem.message).toContain(field);
  expect(test.telemetry.snapshot(everything)).toMatchObject({ services: [], nodes: [], colos: [] });
  expect(test.telemetry.count(delta(1, change))).toEqual({ ok: true, value: true });
});

test("[J13] a counter of a newer release is ignored, and the others count", () => {
  const test = new TestTelemetry();
  const entry = entryDelta({ requests: 1 });
  test.telemetry.count(delta(1, { entries: [{ ...entry, counts: [...entry.counts, 999, 5] }] }));
  expect(test.requests()).toBe(1);
});

const halfHourMs = 30 * 60_000;

test.each([
  ["in memory", false],
  ["after a restart", true],
])(
  "[J45] after the clock was set back, traffic shows as current and keeps its history, %s",
  (_, restarts) => {
    const test = new TestTelemetry();
    const ejected = { ...change, tasks: [taskDelta({ attempts: 1 }, [7], { ejectedMs: 60_000 })] };
    for (let seq = 1; seq <= 20; seq += 1) {
      test.telemetry.count(delta(seq, seq === 20 ? ejected : change));
      test.nowMs += 10_000;
    }
    test.telemetry.save();
    test.nowMs -= halfHourMs;
    if (restarts) test.restart();
    const current = () => {
      const { services } = test.telemetry.snapshot({ series: true, colos: true });
      const [service] = services;
      const sum = (values: readonly number[] = []) => values.reduce((total, value) => total + value, 0);
      return {
        recent: service?.recent?.requests,
        tens: sum(service?.series?.tens.requests),
        minutes: sum(service?.series?.minutes.requests),
        newestMinute: service?.series?.minutes.requests.at(-1),
      };
    };
    const before = current();
    expect(before).toMatchObject({ tens: 20, minutes: 20 });
    test.telemetry.count(delta(21, change));
    expect(current()).toEqual({
      recent: (before.recent ?? 0) + 1,
      tens: 21,
      minutes: 21,
      newestMinute: (before.newestMinute ?? 0) + 1,
    });
    test.nowMs += saveIntervalMs;
    test.rowsWritten = 0;
    test.telemetry.count(delta(22, change));
    expect(test.rowsWritten).toBeGreaterThan(0);
    test.restart();
    expect(test.requests()).toBe(22);
    expect(current().tens).toBe(22);
  },
);

test("[J45] after the clock was set back, isolates and their ejections end as soon as without the step", () => {
  const test = new TestTelemetry();
  const ejected = { tasks: [taskDelta({ attempts: 1 }, [7], { open: 3, ejectedMs: 20_000 })] };
  test.telemetry.count(delta(1, { ...ejected, entries: change.entries }));
  const shown = () => {
    test.telemetry.save();
    const [task] = test.telemetry.snapshot({ colos: true }).services[0]?.tasks ?? [];
    return [task?.open.now, task?.ejectedBy];
  };
  test.nowMs -= halfHourMs;
  expect(shown()).toEqual([3, 1]);
  test.nowMs += 19_000;
  expect(shown()).toEqual([3, 1]);
  test.nowMs += 2_000;
  expect(shown()).toEqual([3, 0]);
  test.nowMs += 38_000;
  expect(shown()).toEqual([3, 0]);
  test.nowMs += 2_000;
  expect(shown()).toEqual([0, 0]);
});

test("[J45] a clock that is set forward loses no count, and old bins leave the series", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, change));
  test.nowMs += halfHourMs;
  test.telemetry.count(delta(2, change));
  const [service] = test.telemetry.snapshot({ series: true }).services;
  expect(service?.counts.requests).toBe(2);
  expect(service?.series?.minutes.requests.filter((count) => count > 0)).toEqual([1, 1]);
  expect(service?.series?.tens.requests.filter((count) => count > 0)).toEqual([1]);
});
