import { expect, test } from "vitest";
import { ClassMeter } from "../../../../src/local/platform/object-counts.ts";

test("an object is active while it handles at least one event, however many", () => {
  const meter = new ClassMeter();
  const object = meter.start("a", 0);
  const endFirst = object.begin("table", 100);
  const endSecond = object.begin("table", 150);
  endFirst(180, 4_096);
  endSecond(200, 4_096);
  object.begin("alarm", 1_000)(1_005, 8_192);
  const counts = meter.counts(2_000);
  expect(counts.activeMs).toBe(105);
  expect(counts.events).toEqual({ table: { count: 2, ms: 130 }, alarm: { count: 1, ms: 5 } });
  expect(counts.storedBytes).toBe(8_192);
});

test("an event in progress counts in the active time, and once it is handled as an event", () => {
  const meter = new ClassMeter();
  const end = meter.start("a", 0).begin("exchange", 100);
  expect(meter.counts(25_100)).toMatchObject({ activeMs: 25_000, events: {} });
  end(26_100, 0);
  expect(meter.counts(30_000)).toMatchObject({
    activeMs: 26_000,
    events: { exchange: { count: 1, ms: 26_000 } },
  });
});

test("objects of a class add up, and one that starts again has its bytes once", () => {
  const meter = new ClassMeter();
  for (const id of ["a", "b", "a"]) meter.start(id, 0).begin("fetch", 0)(10, 1_000);
  expect(meter.counts(10)).toMatchObject({ activeMs: 30, storedBytes: 2_000, starts: { count: 3 } });
});

test("rows that an object reads before its first event are those of its start", () => {
  const meter = new ClassMeter();
  const object = meter.start("a", 100);
  object.countRows({ read: 20, written: 1 });
  const end = object.begin("table", 130);
  object.countRows({ read: 3, written: 0 });
  end(131, 0);
  const { starts, rows } = meter.counts(131);
  expect(starts).toEqual({ count: 1, ms: 30, rowsRead: 20 });
  expect(rows).toEqual({ read: 23, written: 1 });
});

test("a reset ends the active time, and events that end later are not counted", () => {
  const meter = new ClassMeter();
  const object = meter.start("a", 0);
  const end = object.begin("exchange", 0);
  object.end(40);
  end(1_000, 0);
  expect(meter.counts(2_000)).toMatchObject({ activeMs: 40, events: {} });
});

test("an event whose caller has gone counts for 30 s at most, and an object that starts again ends earlier ones", () => {
  const meter = new ClassMeter();
  meter.start("a", 0).begin("exchange", 1_000);
  expect(meter.counts(21_000).activeMs).toBe(20_000);
  expect(meter.counts(600_000).activeMs).toBe(30_000);
  const second = meter.start("b", 600_000);
  second.begin("exchange", 600_000);
  meter.start("b", 605_000).begin("table", 605_000)(605_001, 0);
  expect(meter.counts(700_000).activeMs).toBe(35_001);
});

test("an event in progress keeps an object active when an earlier one was dropped", () => {
  const meter = new ClassMeter();
  const object = meter.start("a", 0);
  object.begin("exchange", 0);
  const end = object.begin("exchange", 25_000);
  expect(meter.counts(40_000).activeMs).toBe(40_000);
  end(45_000, 0);
  expect(meter.counts(100_000).activeMs).toBe(45_000);
});
