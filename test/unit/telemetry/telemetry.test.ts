import { expect, test, vi } from "vitest";
import { saveIntervalMs, Telemetry } from "../../../src/telemetry/telemetry.ts";
import { loadState, shardCount } from "../../../src/telemetry/telemetry-rows.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { delta, entryDelta, taskDelta } from "./deltas.ts";

const everything = { series: true, colos: true };

/** A telemetry object over one database, whose memory can be lost. */
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
      if (/^INSERT(?! INTO migrations)/.test(sql)) this.rowsWritten += 1;
      return exec(sql, ...bindings);
    };
    return new Telemetry({ exec: counting, transactionSync }, () => this.nowMs);
  }
}

const one = { entries: [entryDelta({ requests: 1 }, [7])], tasks: [taskDelta({ attempts: 1 }, [7])] };

test("[J11] what was counted outlives the object, series and all", () => {
  const test = new TestTelemetry();
  for (let seq = 1; seq <= 5; seq += 1) {
    test.telemetry.count(delta(seq, one));
    test.nowMs += 4_000;
  }
  test.telemetry.save();
  const before = test.telemetry.snapshot({ series: true });
  test.restart();
  expect(test.telemetry.snapshot({ series: true })).toEqual(before);
  expect(test.requests()).toBe(5);
});

test("[J11] at most five seconds of counting are lost with the object's memory", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, one));
  test.nowMs += saveIntervalMs - 1;
  test.telemetry.count(delta(2, one));
  test.restart();
  expect(test.requests()).toBe(1);
  test.telemetry.count(delta(3, one));
  test.restart();
  expect(test.requests()).toBe(2);
});

test("[J11] a clock that went back does not put off saving", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, one));
  test.nowMs -= 3_600_000;
  test.telemetry.count(delta(2, one));
  test.restart();
  expect(test.requests()).toBe(2);
});

test("[J4] a delta that was counted before the object's memory was lost, and was kept, is not counted again", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, one));
  test.restart();
  expect(test.telemetry.count(delta(1, one))).toEqual({ ok: true, value: false });
  expect(test.requests()).toBe(1);
});

test("[J4] a delta that was lost with the object's memory and is sent again is counted", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, one));
  test.telemetry.count(delta(2, one));
  test.restart();
  expect(test.telemetry.count(delta(2, one))).toEqual({ ok: true, value: true });
  expect(test.requests()).toBe(2);
});

test("[J41] a counter that was told as kept is never lower later, and nothing is written for one told before", () => {
  const test = new TestTelemetry();
  const told = () => test.telemetry.snapshot({ saveFirst: true }).services[0]?.counts.requests;
  test.telemetry.count(delta(1, one));
  test.telemetry.count(delta(2, one));
  expect(told()).toBe(2);
  const { rowsWritten } = test;
  expect(told()).toBe(2);
  expect(test.rowsWritten).toBe(rowsWritten);
  test.restart();
  expect(told()).toBe(2);
  test.telemetry.count(delta(3, one));
  test.telemetry.count(delta(4, one));
  expect(test.requests()).toBe(4);
  test.restart();
  expect(told()).toBe(3);
});

test("[J12] however much is counted, one saving in five seconds writes no more rows than there are shards", () => {
  const test = new TestTelemetry();
  const tasks = Array.from({ length: 400 }, (_, at) => taskDelta({ attempts: 1 }, [], { id: `task${at}` }));
  for (let seq = 1; seq <= 20; seq += 1) {
    test.telemetry.count(delta(seq, { tasks }));
    test.nowMs += 499;
  }
  expect(test.rowsWritten).toBe(2 * (shardCount + 1));
});

test("[J12] nothing is written when nothing was counted", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, one));
  const { rowsWritten } = test;
  expect(test.telemetry.hasUnsaved).toBe(false);
  test.nowMs += 60_000;
  test.telemetry.count(delta(1, one));
  expect(test.rowsWritten).toBe(rowsWritten);
});

test("[J11] what was kept and cannot be read is begun anew", () => {
  const test = new TestTelemetry();
  test.telemetry.count(delta(1, one));
  const log = vi.spyOn(console, "error").mockImplementation(() => undefined);
  test.port.exec("UPDATE shards SET body = '[{'");
  expect(loadState(test.port, test.nowMs).items.size).toBe(0);
  test.restart();
  expect(test.telemetry.count(delta(2, one)).ok).toBe(true);
  expect(log).toHaveBeenCalled();
  log.mockRestore();
});

test.each([
  ["nothing", undefined, "delta"],
  ["no isolate", delta(1, { isolate: "" }), "isolate"],
  ["an id with a space", delta(1, { tasks: [taskDelta({}, [], { id: "a b" })] }), "id"],
  ["number 0", delta(0), "seq"],
  ["half a number", delta(1.5), "seq"],
  ["a negative count", delta(1, { entries: [entryDelta({ requests: -1 })] }), "counts"],
  ["a count that is none", delta(1, { entries: [entryDelta({ requests: Number.NaN })] }), "counts"],
  ["endless counts", delta(1, { entries: [{ ...entryDelta({}), counts: Array(1_000).fill(1) }] }), "counts"],
  ["an odd list", delta(1, { tasks: [{ ...taskDelta({}), buckets: [1] }] }), "buckets"],
  ["a negative number waiting", delta(1, { tasks: [taskDelta({}, [], { open: -1 })] }), "open"],
  ["an endless ejection", delta(1, { tasks: [taskDelta({}, [], { ejectedMs: 1e12 })] }), "ejectedMs"],
  ["tasks that are no list", { ...delta(1), tasks: {} }, "tasks"],
  [
    "a service without a name",
    { ...delta(1), entries: [{ ...entryDelta({}), service: { id: "a" } }] },
    "name",
  ],
])("[J13] a delta with %s is refused whole, and the next one counts", (_what, given, named) => {
  const test = new TestTelemetry();
  const refused = test.telemetry.count(given);
  expect(refused).toMatchObject({ ok: false, problem: { code: "delta/invalid" } });
  expect(refused.ok ? "" : refused.problem.message).toContain(named);
  expect(test.telemetry.snapshot(everything)).toMatchObject({ services: [], nodes: [], colos: [] });
  expect(test.telemetry.count(delta(1, one))).toEqual({ ok: true, value: true });
});

test("[J13] a counter of a newer release is left out and the rest counts", () => {
  const test = new TestTelemetry();
  const entry = entryDelta({ requests: 1 });
  test.telemetry.count(delta(1, { entries: [{ ...entry, counts: [...entry.counts, 999, 5] }] }));
  expect(test.requests()).toBe(1);
});
