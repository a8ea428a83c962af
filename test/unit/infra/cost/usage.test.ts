// The model of a mesh's usage: how calls of isolates saturate, and what grows with the mesh.

import { expect, test } from "vitest";
import { readPrices } from "../../../../infra/cost/prices.ts";
import { readScenario, scenarioOfSize } from "../../../../infra/cost/scenarios.ts";
import {
  activeShare,
  type CallPoint,
  callsOf,
  changedItems,
  collected,
  directCalls,
  type Rates,
  rowsOf,
  savesOf,
  usageOf,
} from "../../../../infra/cost/usage.ts";
import { someRates } from "./rates.ts";

const prices = readPrices();
const everySecond: CallPoint = { requestsPerSecond: 1, intervalSeconds: 1, msPerCall: 500 };

test("an isolate calls with each rare request, and once in each interval with many", () => {
  expect(callsOf([everySecond], 0.5, 50).perSecond).toBeCloseTo(0.5, 1);
  expect(callsOf([everySecond], 5_000, 50).perSecond).toBeCloseTo(50, 0);
  expect(callsOf([everySecond], 0, 50).perSecond).toBe(0);
});

test("the interval lies between those of measured isolates by the time between their requests, and stays beyond them", () => {
  const points = [
    { ...everySecond, requestsPerSecond: 0.1, intervalSeconds: 60 },
    { ...everySecond, requestsPerSecond: 10, intervalSeconds: 20 },
  ];
  const interval = (each: number) => 1 / callsOf(points, each, 1).perSecond - 1 / each;
  expect([0.01, 0.1, 1, 10, 100].map((each) => Math.round(interval(each)))).toEqual([60, 60, 24, 20, 20]);
});

test("what is collected happens as often as its events at first, and once in each window at most", () => {
  expect(collected(0.01, 5)).toBeCloseTo(0.0095, 4);
  expect(collected(1_000, 5)).toBeCloseTo(0.2, 3);
  expect(collected(3, 0)).toBe(3);
});

test("an isolate that calls after 16 requests is predicted between two measured ones", () => {
  const points = [0.1, 0.5].map((each) => ({
    ...everySecond,
    requestsPerSecond: each,
    intervalSeconds: 15 / each,
  }));
  expect(callsOf(points, 0.2, 1).perSecond).toBeCloseTo(0.2 / 16, 6);
});

test("a call saves what an alarm would, if the last save is long enough ago", () => {
  const often = savesOf(directCalls(100), 5);
  expect(often.perSecond).toBeCloseTo(0.2, 2);
  expect(often.alarmsPerSecond).toBeCloseTo(0.2, 2);
  const seldom = savesOf(directCalls(0.01), 5);
  expect(seldom.perSecond).toBeCloseTo(0.01, 3);
  expect(seldom.alarmsPerSecond).toBeCloseTo(0.01 * 0.05, 3);
  const relayed = savesOf({ perSecond: 0.1, windowSeconds: 10, randomPerSecond: 50 }, 5);
  expect(relayed).toEqual({ perSecond: 0.1, alarmsPerSecond: 0 });
});

test("an object is active for the time of its events, and never longer than always", () => {
  expect(activeShare(0.01)).toBeCloseTo(0.01, 3);
  expect(activeShare(100)).toBe(1);
});

test("one waiting isolate keeps an object active for its wait, and several that wait often for nearly always", () => {
  expect(activeShare(0, { callers: 1, load: 0.9 })).toBeCloseTo(0.9);
  expect(activeShare(0, { callers: 2, load: 1.8 })).toBeCloseTo(0.99);
  expect(activeShare(0, { callers: 500, load: 0.05 })).toBeCloseTo(0.05, 2);
});

test("few requests change few items, and many change all of them once", () => {
  const sizes = { nodes: 3, services: 1, tasks: 6, places: 4 };
  expect(changedItems(sizes, 0.01)).toBeCloseTo(5 * 0.01, 3);
  expect(changedItems(sizes, 1e6)).toBeCloseTo(1 + 3 + 4 + 6 + 24);
});

test("rows of items lie between measured ones, and do not grow beyond the largest", () => {
  const points = [
    { items: 2, written: 3, stored: 5 },
    { items: 10, written: 11, stored: 21 },
  ];
  const rows = (kind: "written" | "stored") =>
    [1, 2, 6, 10, 1_000].map((items) => rowsOf(points, kind, items));
  expect(rows("written")).toEqual([3, 3, 7, 11, 11]);
  expect(rows("stored")).toEqual([5, 5, 13, 21, 21]);
});

test("an idle mesh has alarms and no calls, and each alarm starts the registry again", () => {
  const idle = scenarioOfSize({ nodes: 3, isolates: 50, requestsPerSecond: 0, transport: "direct" });
  const { usage } = usageOf({ ...idle, replacementsPerDay: 0 }, someRates, prices);
  const { idle: alarms } = someRates.registry.alarmsPerSecond;
  expect(usage.requests).toBe(0);
  expect(usage.objectRequests).toBeCloseTo(alarms);
  const { fixed, perEntry } = someRates.registry.rowsReadPerStart;
  expect(usage.rowsRead).toBeCloseTo(alarms * (someRates.registry.rowsReadPerAlarm + fixed + 9 * perEntry));
});

test("a tunnel takes one request to an object and its messages for each request, and keeps its object active", () => {
  const size = { nodes: 3, isolates: 50, requestsPerSecond: 100 } as const;
  const direct = usageOf(scenarioOfSize({ ...size, transport: "direct" }), someRates, prices);
  const tunnel = usageOf(scenarioOfSize({ ...size, transport: "tunnel" }), someRates, prices);
  const vpc = usageOf(scenarioOfSize({ ...size, transport: "vpc" }), someRates, prices);
  expect(tunnel.usage.objectRequests - direct.usage.objectRequests).toBeCloseTo(
    100 * (someRates.tunnel.calls + someRates.tunnel.messages / prices.objects.messagesPerRequest),
  );
  expect(tunnel.usage.gbSeconds).toBeGreaterThan(direct.usage.gbSeconds);
  expect(vpc.usage).toEqual(direct.usage);
});

test("a replaced task ends the wait of each isolate, and adds no time in which the registry is active", () => {
  const scenario = scenarioOfSize({ nodes: 3, isolates: 50, requestsPerSecond: 100, transport: "direct" });
  const calm = usageOf({ ...scenario, replacementsPerDay: 0 }, someRates, prices);
  const changing = usageOf({ ...scenario, replacementsPerDay: 86_400 }, someRates, prices);
  const more = 50 * someRates.replacement.callsOfIsolate;
  expect(changing.loads.registry - calm.loads.registry).toBeCloseTo(more);
  expect(changing.usage.gbSeconds).toBeCloseTo(calm.usage.gbSeconds);
});

test("if the registry hands counters on, the telemetry gets at most one call in each window", () => {
  const rates: Rates = {
    ...someRates,
    telemetryCalls: [],
    relayWindows: [{ requestsPerSecond: 1, windowSeconds: 2 }],
  };
  const scenario = scenarioOfSize({
    nodes: 3,
    isolates: 5_000,
    requestsPerSecond: 50_000,
    transport: "direct",
  });
  expect(usageOf(scenario, rates, prices).loads.telemetry).toBeLessThan(1);
});

test("usage never falls when there are more requests, isolates or nodes", () => {
  const base = { nodes: 10, isolates: 20, requestsPerSecond: 10, transport: "tunnel" } as const;
  for (const more of [{ requestsPerSecond: 40 }, { isolates: 80 }, { nodes: 40 }]) {
    const small = usageOf(scenarioOfSize(base), someRates, prices).usage;
    const large = usageOf(scenarioOfSize({ ...base, ...more }), someRates, prices).usage;
    expect(large.objectRequests).toBeGreaterThanOrEqual(small.objectRequests);
    expect(large.gbSeconds).toBeGreaterThanOrEqual(small.gbSeconds * (1 - 1e-9));
  }
});

test("arguments describe a mesh of usual proportions", () => {
  const scenario = readScenario({ nodes: "100", rate: "0.5", isolates: "400", transport: "tunnel" });
  expect(scenario).toMatchObject({ nodes: 100, services: 10, tasks: 200, isolates: 400, places: 300 });
  expect(scenario).toMatchObject({ requestsPerSecond: 0.5, transport: "tunnel" });
});

test.each([
  [{ nodes: "three" }, 'cannot read --nodes "three": it is a whole number from 0 to 10000'],
  [{ nodes: "10001" }, 'cannot read --nodes "10001": it is a whole number from 0 to 10000'],
  [{ nodes: "" }, 'cannot read --nodes "": it is a whole number from 0 to 10000'],
  [{ isolates: "0" }, 'cannot read --isolates "0": it is a whole number from 1 to 100000'],
  [{ rate: "-1" }, 'cannot read --rate "-1": it is requests a second, such as 0.5 or 100, up to 1000000'],
  [{ rate: "1e3" }, 'cannot read --rate "1e3": it is requests a second, such as 0.5 or 100, up to 1000000'],
  [{ rate: "NaN" }, 'cannot read --rate "NaN": it is requests a second, such as 0.5 or 100, up to 1000000'],
  [{ transport: "vpn" }, 'cannot read --transport "vpn": it is direct, tunnel, vpc'],
])("unreadable arguments are refused with what would work: %j", (args, message) => {
  expect(() => readScenario(args)).toThrow(message);
});
