import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { printTable } from "../../../../src/domain/table/text.ts";
import {
  freshMs,
  maxRefreshWaitMs,
  refreshAfterMs,
  TableCache,
} from "../../../../src/proxy/routing/table-cache.ts";
import { tableOf } from "../../../support/dataplane.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A registry whose answers the test decides, and what it was asked. */
function registry(version: number) {
  const asked: number[] = [];
  const state = {
    version,
    text: null as string | null,
    failure: null as Error | null,
    delayMs: 0,
    always: false,
  };
  const source = async (after: number) => {
    asked.push(after);
    const { version, failure, delayMs, always } = state;
    const text = state.text ?? printTable(tableOf(version));
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (failure !== null) throw failure;
    return { version, text: always || version > after ? text : null };
  };
  return { state, asked, cache: new TableCache(source, () => Date.now()) };
}

/** One request's look at the table; waits for the work it leaves behind. */
async function look(cache: TableCache): Promise<number | undefined> {
  const left: Promise<void>[] = [];
  const version = cache.current((work) => left.push(work))?.version;
  await Promise.all(left);
  return version;
}

test("[X46] a stale table is served at once and renewed behind the request, once a second at most", async () => {
  const { cache, state, asked } = registry(1);
  expect((await cache.fresh())?.version).toBe(1);
  vi.advanceTimersByTime(refreshAfterMs);
  await look(cache);
  expect(asked).toEqual([-1]);
  state.version = 2;
  vi.advanceTimersByTime(1);
  expect(await look(cache)).toBe(1);
  expect(await look(cache)).toBe(2);
  expect(asked).toEqual([-1, 1]);
});

test("[X46] while one refresh is under way another request starts none", async () => {
  const { cache, state, asked } = registry(1);
  await cache.fresh();
  state.delayMs = 500;
  vi.advanceTimersByTime(refreshAfterMs + 1);
  const left: Promise<void>[] = [];
  for (let i = 0; i < 5; i += 1) cache.current((work) => left.push(work));
  expect([left.length, asked.length]).toEqual([1, 2]);
});

test("[X47] a registry that is away, an older version and a text that cannot be read leave the table as it was", async () => {
  const { cache, state } = registry(5);
  await cache.fresh();
  const spoil = [
    () => (state.failure = new Error("away")),
    () => (state.version = 4),
    () => Object.assign(state, { version: 9, text: "waggle-table 99\n" }),
  ];
  for (const change of spoil) {
    Object.assign(state, { version: 5, text: null, failure: null });
    change();
    vi.advanceTimersByTime(refreshAfterMs + 1);
    await look(cache);
    expect(cache.problem).not.toBeNull();
    expect(await look(cache)).toBe(5);
  }
  expect(cache.ageMs()).toBe(3 * (refreshAfterMs + 1));
});

test("[X47] an older table is not taken even when it is sent, nor one that says another version than its answer", async () => {
  for (const sent of [{ version: 4 }, { version: 9, text: printTable(tableOf(4)) }]) {
    const { cache, state } = registry(5);
    await cache.fresh();
    Object.assign(state, { always: true, ...sent });
    vi.advanceTimersByTime(refreshAfterMs + 1);
    await look(cache);
    expect(await look(cache)).toBe(5);
  }
  const { cache, state } = registry(5);
  await cache.fresh();
  Object.assign(state, { always: true, version: 4 });
  vi.advanceTimersByTime(refreshAfterMs + 1);
  await look(cache);
  expect(cache.problem).toBe("the registry has version 4 and this isolate 5");
});

test("[X47] what is known to be the newest is young, even if it has not changed for long", async () => {
  const { cache } = registry(5);
  await cache.fresh();
  vi.advanceTimersByTime(60_000);
  expect(cache.ageMs()).toBe(60_000);
  await look(cache);
  expect(cache.ageMs()).toBe(0);
});

test("[X48] who would refuse asks for a fresh table, unless it is fresh already", async () => {
  const { cache, state, asked } = registry(1);
  await cache.fresh();
  state.version = 2;
  vi.advanceTimersByTime(freshMs);
  expect((await cache.fresh())?.version).toBe(1);
  vi.advanceTimersByTime(1);
  expect((await cache.fresh())?.version).toBe(2);
  expect(asked).toHaveLength(2);
});

test("[X48] requests that would refuse together cause one refresh", async () => {
  const { cache, state, asked } = registry(1);
  await cache.fresh();
  Object.assign(state, { version: 2, delayMs: 50 });
  vi.advanceTimersByTime(freshMs + 1);
  const all = Promise.all(Array.from({ length: 10 }, () => cache.fresh()));
  await vi.advanceTimersByTimeAsync(200);
  expect((await all).map((routes) => routes?.version)).toEqual(Array(10).fill(2));
  expect(asked).toHaveLength(2);
});

test("[X48] the wait for a fresh table ends after two seconds, with what is held", async () => {
  const { cache, state } = registry(1);
  await cache.fresh();
  state.delayMs = 60_000;
  vi.advanceTimersByTime(freshMs + 1);
  const startedMs = Date.now();
  const waiting = cache.fresh();
  await vi.advanceTimersByTimeAsync(maxRefreshWaitMs);
  expect((await waiting)?.version).toBe(1);
  expect(Date.now() - startedMs).toBe(maxRefreshWaitMs);
});

test("[X46] before the first table there is none, and the first may have version 0", async () => {
  const { cache, state } = registry(0);
  expect(cache.current(() => undefined)).toBeNull();
  state.failure = new Error("away");
  expect(await cache.fresh()).toBeNull();
  state.failure = null;
  vi.advanceTimersByTime(freshMs + 1);
  expect((await cache.fresh())?.version).toBe(0);
});
