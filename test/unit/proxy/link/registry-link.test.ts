import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { seededRandom } from "../../../../src/local/platform/seeded-random.ts";
import {
  longWaitMs,
  maxRestingRequests,
  quietCallMs,
  quietIntervalMs,
  restMs,
  youngMs,
} from "../../../../src/proxy/link/call-plan.ts";
import { trustedForMs } from "../../../../src/proxy/routing/table-cache.ts";
import { flushIntervalMs } from "../../../../src/telemetry/flusher.ts";
import { serviceOf } from "../../../support/dataplane.ts";
import { LinkWorld, oneWayMs } from "../../../support/link-world.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

const seconds = (count: number) => vi.advanceTimersByTimeAsync(count * 1_000);

/** Sends a request every `everyMs` for some time. */
async function traffic(world: LinkWorld, everyMs: number, forMs: number): Promise<void> {
  for (let ms = 0; ms < forMs; ms += everyMs) {
    world.request();
    await vi.advanceTimersByTimeAsync(everyMs);
  }
}

/** A router that has had two requests a second for a while. */
async function busyRouter(): Promise<LinkWorld> {
  const world = new LinkWorld();
  await traffic(world, 500, 60_000);
  world.calls.length = 0;
  return world;
}

test("[X170] a busy router has one call waiting at the registry, and makes no other", async () => {
  const world = await busyRouter();
  await traffic(world, 500, 120_000);
  expect(world.calls.length).toBeLessThanOrEqual(5);
  expect(world.calls.map(({ waitMs }) => waitMs)).toEqual(world.calls.map(() => longWaitMs));
});

test("[X170] a newer table reaches a busy router in one round trip", async () => {
  const world = await busyRouter();
  await traffic(world, 500, 10_000);
  world.change();
  await vi.advanceTimersByTimeAsync(oneWayMs);
  expect(world.tables.held?.version).toBe(world.version);
  // It waits again at once, which tells the registry that it routes by the table.
  await vi.advanceTimersByTimeAsync(1);
  expect(world.callsUnderWay).toBe(1);
});

test("[X170] one burst of requests does not make a router busy", async () => {
  const world = new LinkWorld();
  await traffic(world, 50, 2_000);
  await seconds(60);
  expect(world.calls.map(({ waitMs }) => waitMs)).toEqual([0]);
  expect(world.counted).toBe(world.sent);
});

test("[X171] a quiet router calls two seconds after the first request, then once a minute while requests come", async () => {
  const world = new LinkWorld();
  const startedMs = Date.now();
  await traffic(world, 5_000, 300_000);
  const startsMs = world.calls.map((call) => call.startedMs - startedMs);
  expect(startsMs[0]).toBe(flushIntervalMs);
  expect(world.calls.every(({ waitMs }) => waitMs === 0)).toBe(true);
  for (const [index, startMs] of startsMs.entries()) {
    if (index > 0) expect(startMs - (startsMs[index - 1] ?? 0)).toBeGreaterThanOrEqual(quietIntervalMs);
  }
  expect(startsMs.length).toBe(6);
});

test("[X171] a quiet router sends what it counted about 25 s after its last request", async () => {
  const world = new LinkWorld();
  world.request();
  await seconds(10);
  await traffic(world, 3_000, 9_000);
  expect(world.counted).toBe(1);
  const lastMs = Date.now() - 3_000;
  await seconds(40);
  expect(world.counted).toBe(4);
  const callMs = (world.calls.at(-1)?.startedMs ?? 0) - lastMs;
  expect(callMs).toBeGreaterThanOrEqual(quietCallMs - 6_000);
  expect(callMs).toBeLessThanOrEqual(quietCallMs);
  expect(world.calls).toHaveLength(2);
});

test("[X171] a request after hours costs one call", async () => {
  const world = new LinkWorld();
  for (let hour = 0; hour < 3; hour += 1) {
    world.request();
    await seconds(3_600);
  }
  expect([world.calls.length, world.counted]).toEqual([3, 3]);
});

/** A router that has had a request every 50 seconds until it rests. */
async function restingRouter(): Promise<LinkWorld> {
  const world = new LinkWorld();
  await traffic(world, 50_000, youngMs + restMs);
  world.calls.length = 0;
  return world;
}

test("[X190] a quiet router older than five minutes calls about once in five minutes, and not after its last request", async () => {
  const world = await restingRouter();
  await traffic(world, 50_000, 3_600_000);
  expect(world.calls.length).toBeGreaterThanOrEqual(9);
  expect(world.calls.length).toBeLessThanOrEqual(3_600_000 / restMs);
  const { length } = world.calls;
  await traffic(world, 20_000, 100_000);
  await seconds(86_400);
  expect(world.calls.length).toBeLessThanOrEqual(length + 1);
  // What it counted before the silence comes with its next request.
  world.request();
  await seconds(3);
  expect(world.counted).toBe(world.sent);
});

test("[X190] routers that started together call at different times", async () => {
  const worlds = [0, 0.25, 0.5, 0.75].map((random) => new LinkWorld(false, true, random));
  for (let ms = 0; ms < youngMs + 2 * restMs; ms += 25_000) {
    for (const world of worlds) world.request();
    await seconds(25);
  }
  expect(new Set(worlds.map(({ calls }) => calls.at(-1)?.startedMs)).size).toBe(worlds.length);
});

test("[X191] a router with the counters of 16 requests calls soon", async () => {
  const world = await restingRouter();
  world.request();
  await seconds(restMs / 1_000);
  world.request();
  await seconds(60);
  const before = world.counted;
  await traffic(world, 3_000, (maxRestingRequests - 1) * 3_000);
  expect(world.counted).toBe(before);
  world.request();
  await seconds(10);
  expect(world.counted).toBe(world.sent);
});

test("[X191] a request that waits for long is reported within a minute", async () => {
  const world = await restingRouter();
  world.request();
  await seconds(60);
  world.calls.length = 0;
  world.waits();
  await seconds(60);
  expect(world.calls).toHaveLength(1);
});

test("[X191] a router that rests and whose call failed calls again before the work of its request ends", async () => {
  const world = await restingRouter();
  await seconds(2 * (restMs / 1_000));
  world.behavior = "fails";
  world.request();
  await seconds(10);
  expect(world.calls).toHaveLength(1);
  world.behavior = "responds";
  await seconds(20);
  expect([world.counted, world.tables.problem]).toEqual([world.sent, null]);
});

test("[X191] a router whose table has a static server does not rest", async () => {
  const server = { id: "server1", name: "old", weight: 1, origin: "http://127.0.0.1:1" };
  const world = new LinkWorld();
  world.services = [{ ...serviceOf("my-web", 8080, []), servers: [server] }];
  await traffic(world, 20_000, youngMs + restMs);
  world.calls.length = 0;
  for (let sent = 0; sent < 90; sent += 1) {
    world.request();
    await seconds(20);
    expect(world.tables.ageMs()).toBeLessThan(trustedForMs);
  }
  expect(world.calls.length).toBeGreaterThan(20);
});

test("[X192] a router that rests becomes busy, learns that the telemetry is watched, and fetches a table that is old", async () => {
  const busy = await restingRouter();
  await traffic(busy, 500, 60_000);
  expect(busy.callsUnderWay).toBe(1);
  const watched = await restingRouter();
  watched.isWatched = true;
  await seconds(2 * (restMs / 1_000));
  watched.request();
  await seconds(3);
  for (let turn = 0; turn < 5; turn += 1) {
    watched.request();
    await seconds(5);
    expect(watched.counted).toBe(watched.sent);
  }
  const old = await restingRouter();
  old.request();
  await seconds(30);
  old.version = 2;
  old.tables.expire(Date.now());
  old.request();
  await vi.advanceTimersByTimeAsync(2 * oneWayMs);
  expect(old.tables.held?.version).toBe(2);
});

test("[X194] fifty isolates that share a request each second make less than one call in five seconds", async () => {
  const worlds = Array.from({ length: 50 }, (_, at) => new LinkWorld(false, true, at / 50));
  const random = seededRandom(1);
  const share = async (forMs: number) => {
    for (let ms = 0; ms < forMs; ms += 1_000) {
      worlds[Math.floor(random() * worlds.length)]?.request();
      await seconds(1);
    }
  };
  await share(youngMs + restMs);
  const calls = () => worlds.reduce((sum, world) => sum + world.calls.length, 0);
  const before = calls();
  await share(1_800_000);
  expect(calls() - before).toBeLessThan(1_800 / 5);
  expect(calls() - before).toBeGreaterThan(1_800 / 10);
});

test("[X171] without a request no call is made", async () => {
  const world = new LinkWorld();
  world.request();
  await seconds(60);
  world.calls.length = 0;
  await seconds(86_400);
  expect(world.calls).toEqual([]);
});

test("[X172] while the telemetry is watched, counters are sent every two seconds while there is traffic", async () => {
  for (const everyMs of [500, 4_000]) {
    const world = new LinkWorld();
    world.isWatched = true;
    await traffic(world, everyMs, 60_000);
    world.calls.length = 0;
    await traffic(world, everyMs, 40_000);
    expect(world.calls.length).toBeGreaterThanOrEqual(everyMs === 500 ? 17 : 9);
    expect(world.calls.every(({ waitMs }) => waitMs <= flushIntervalMs)).toBe(true);
    await seconds(4);
    expect(world.counted).toBe(world.sent);
    world.isWatched = false;
    await traffic(world, everyMs, 10_000);
    world.calls.length = 0;
    await traffic(world, everyMs, 60_000);
    expect(world.calls.length).toBeLessThanOrEqual(4);
  }
});

test("[X172] where calls cost nothing, counters are sent every two seconds", async () => {
  const world = new LinkWorld(true);
  for (let turn = 0; turn < 5; turn += 1) {
    world.request();
    await seconds(flushIntervalMs / 1_000 + 1);
    expect(world.counted).toBe(world.sent);
  }
});

test("[X172] a router on a machine, whose process gives it the tables, calls every two seconds and never waits", async () => {
  const world = new LinkWorld(true, false);
  await traffic(world, 100, 60_000);
  expect(world.calls.every(({ waitMs }) => waitMs === 0)).toBe(true);
  expect(world.calls.length).toBeLessThanOrEqual(60_000 / flushIntervalMs);
  await seconds(4);
  expect(world.counted).toBe(world.sent);
});

test("[X173] a table that a gateway calls old is fetched at the end of that request", async () => {
  const world = new LinkWorld();
  world.request();
  await seconds(10);
  world.version = 2;
  world.tables.expire(Date.now());
  world.request();
  await vi.advanceTimersByTimeAsync(2 * oneWayMs);
  expect([world.tables.held?.version, world.calls.length]).toEqual([2, 2]);
});

test("[X174] counters that were not acknowledged are sent again under their number, and count once", async () => {
  for (const behavior of ["fails", "is silent", "loses replies", "does not count"] as const) {
    const world = new LinkWorld();
    world.behavior = behavior;
    await traffic(world, 500, 90_000);
    world.behavior = "responds";
    await traffic(world, 500, 30_000);
    await seconds(60);
    expect([behavior, world.counted]).toEqual([behavior, world.sent]);
  }
});

test("[X174] a quiet router whose call failed calls again before the work of its request ends", async () => {
  const world = new LinkWorld();
  world.behavior = "fails";
  world.request();
  await seconds(10);
  world.behavior = "responds";
  await seconds(20);
  expect([world.counted, world.tables.problem]).toEqual([1, null]);
});

test("[X174] a registry that fails gets few calls, later and later", async () => {
  const world = new LinkWorld();
  world.behavior = "fails";
  await traffic(world, 500, 120_000);
  expect(world.calls.length).toBeLessThanOrEqual(35);
  const gapsMs = world.calls
    .slice(1)
    .map(({ startedMs }, at) => startedMs - (world.calls[at]?.startedMs ?? 0));
  expect(Math.min(...gapsMs)).toBeGreaterThanOrEqual(1_000);
  expect(world.tables.problem).toBe("the object was reset");
});

test("[X175] a call that ended with its request, without a word, is noticed by its time", async () => {
  const world = await busyRouter();
  // The platform cancels the call under way and all that its request has started.
  await seconds(60);
  world.request(3_000);
  await traffic(world, 500, 40_000);
  world.change();
  await traffic(world, 500, 2_000);
  expect(world.tables.held?.version).toBe(world.version);
  await seconds(60);
  expect(world.counted).toBe(world.sent);
});

test("[X161] a clock that was set back by an hour does not keep a router from calling", async () => {
  for (const everyMs of [500, 5_000]) {
    const world = new LinkWorld();
    await traffic(world, everyMs, 60_000);
    vi.setSystemTime(Date.now() - 3_600_000);
    await traffic(world, everyMs, 90_000);
    world.change();
    await traffic(world, everyMs, 70_000);
    expect(world.tables.held?.version).toBe(world.version);
    await seconds(60);
    expect(world.counted).toBe(world.sent);
  }
});
