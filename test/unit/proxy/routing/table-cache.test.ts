import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { printTable } from "../../../../src/domain/table/text.ts";
import { AttemptSigner } from "../../../../src/proxy/attempt-signer.ts";
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

/** A fake registry, the `afterVersion` of each request to it, and a cache in front of it. */
function registry(version: number) {
  const afterVersions: number[] = [];
  const state = {
    version,
    text: null as string | null,
    failure: null as Error | null,
    delayMs: 0,
    always: false,
  };
  const source = async (after: number) => {
    afterVersions.push(after);
    const { version, failure, delayMs, always } = state;
    const text = state.text ?? printTable(tableOf(version));
    if (delayMs > 0) await new Promise((resolve) => setTimeout(resolve, delayMs));
    if (failure !== null) throw failure;
    return { version, text: always || version > after ? text : null };
  };
  return { state, afterVersions, cache: new TableCache(source, () => Date.now()) };
}

/** The table's version at one request. Waits for the request's background work. */
async function versionNow(cache: TableCache): Promise<number | undefined> {
  const background: Promise<void>[] = [];
  const version = cache.current((work) => background.push(work))?.version;
  await Promise.all(background);
  return version;
}

test("[X46] a stale table is used at once and refreshed in the background, at most once per second", async () => {
  const { cache, state, afterVersions } = registry(1);
  expect((await cache.fresh())?.version).toBe(1);
  vi.advanceTimersByTime(refreshAfterMs);
  await versionNow(cache);
  expect(afterVersions).toEqual([-1]);
  state.version = 2;
  vi.advanceTimersByTime(1);
  expect(await versionNow(cache)).toBe(1);
  expect(await versionNow(cache)).toBe(2);
  expect(afterVersions).toEqual([-1, 1]);
});

test("[X46] requests during a refresh start no other", async () => {
  const { cache, state, afterVersions } = registry(1);
  await cache.fresh();
  state.delayMs = 500;
  vi.advanceTimersByTime(refreshAfterMs + 1);
  const background: Promise<void>[] = [];
  for (let i = 0; i < 5; i += 1) cache.current((work) => background.push(work));
  expect([background.length, afterVersions.length]).toEqual([1, 2]);
});

test("[X47] an unreachable registry, an older version and an unreadable table leave the table unchanged", async () => {
  const { cache, state } = registry(5);
  await cache.fresh();
  const failures = [
    () => (state.failure = new Error("down")),
    () => (state.version = 4),
    () => Object.assign(state, { version: 9, text: "waggle-table 99\n" }),
  ];
  for (const fail of failures) {
    Object.assign(state, { version: 5, text: null, failure: null });
    fail();
    vi.advanceTimersByTime(refreshAfterMs + 1);
    await versionNow(cache);
    expect(cache.problem).not.toBeNull();
    expect(await versionNow(cache)).toBe(5);
  }
  expect(cache.ageMs()).toBe(3 * (refreshAfterMs + 1));
});

test("[X47] a table that is older than the held one is not used, whatever version comes beside it", async () => {
  for (const sent of [{ version: 4 }, { version: 9, text: printTable(tableOf(4)) }]) {
    const { cache, state } = registry(5);
    await cache.fresh();
    Object.assign(state, { always: true, ...sent });
    vi.advanceTimersByTime(refreshAfterMs + 1);
    await versionNow(cache);
    expect(await versionNow(cache)).toBe(5);
  }
  const { cache, state } = registry(5);
  await cache.fresh();
  Object.assign(state, { always: true, version: 4 });
  vi.advanceTimersByTime(refreshAfterMs + 1);
  await versionNow(cache);
  expect(cache.problem).toBe("the registry has version 4, and this isolate has 5");
});

test("[X47] the age of an unchanged table counts from the last successful refresh", async () => {
  const { cache } = registry(5);
  await cache.fresh();
  vi.advanceTimersByTime(60_000);
  expect(cache.ageMs()).toBe(60_000);
  await versionNow(cache);
  expect(cache.ageMs()).toBe(0);
});

test("[X48] before a refusal a stale table is refreshed, and a fresh one is not", async () => {
  const { cache, state, afterVersions } = registry(1);
  await cache.fresh();
  state.version = 2;
  vi.advanceTimersByTime(freshMs);
  expect((await cache.fresh())?.version).toBe(1);
  vi.advanceTimersByTime(1);
  expect((await cache.fresh())?.version).toBe(2);
  expect(afterVersions).toHaveLength(2);
});

test("[X48] concurrent refusals share one refresh", async () => {
  const { cache, state, afterVersions } = registry(1);
  await cache.fresh();
  Object.assign(state, { version: 2, delayMs: 50 });
  vi.advanceTimersByTime(freshMs + 1);
  const all = Promise.all(Array.from({ length: 10 }, () => cache.fresh()));
  await vi.advanceTimersByTimeAsync(200);
  expect((await all).map((routes) => routes?.version)).toEqual(Array(10).fill(2));
  expect(afterVersions).toHaveLength(2);
});

test("[X48] the wait for a fresh table ends after two seconds with the current one", async () => {
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

test("[X46] the table is null before the first, which may have version 0", async () => {
  const { cache, state } = registry(0);
  expect(cache.current(() => undefined)).toBeNull();
  state.failure = new Error("down");
  expect(await cache.fresh()).toBeNull();
  state.failure = null;
  vi.advanceTimersByTime(freshMs + 1);
  expect((await cache.fresh())?.version).toBe(0);
});

test("[X160] without a table the steps of a request wait two seconds in all, and the reason is reported", async () => {
  const { cache, state, afterVersions } = registry(1);
  state.delayMs = 60_000;
  const startedMs = Date.now();
  const request = (async () => {
    expect(await cache.routes(() => undefined)).toBeNull();
    for (let step = 0; step < 3; step += 1) expect(await cache.fresh()).toBeNull();
    return Date.now() - startedMs;
  })();
  await vi.advanceTimersByTimeAsync(maxRefreshWaitMs);
  expect(await request).toBe(maxRefreshWaitMs);
  expect(cache.missingReason).toBe("the registry has not sent a routing table yet: it does not respond");
  expect(afterVersions).toHaveLength(1);
});

test("[X160] the next request asks the registry again, and is served once it responds", async () => {
  const { cache, state } = registry(1);
  state.delayMs = 60_000;
  const refused = cache.fresh();
  await vi.advanceTimersByTimeAsync(maxRefreshWaitMs);
  expect(await refused).toBeNull();
  state.delayMs = 0;
  await vi.advanceTimersByTimeAsync(500);
  expect((await cache.fresh())?.version).toBe(1);
});

test("[X161] a clock that was set back neither keeps a stale table nor extends a wait", async () => {
  const halfHourMs = 1_800_000;
  const { cache, state, afterVersions } = registry(1);
  await cache.fresh();
  vi.setSystemTime(Date.now() - halfHourMs);
  state.version = 2;
  await versionNow(cache);
  expect(cache.ageMs()).toBe(0);
  await vi.advanceTimersByTimeAsync(refreshAfterMs + 1);
  await versionNow(cache);
  expect(await versionNow(cache)).toBe(2);
  expect(afterVersions).toHaveLength(2);
  state.delayMs = 60_000;
  await vi.advanceTimersByTimeAsync(freshMs + 1);
  let hasWaited = false;
  const waiting = cache.fresh().then(() => {
    hasWaited = true;
  });
  await vi.advanceTimersByTimeAsync(1_000);
  vi.setSystemTime(Date.now() - halfHourMs);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(hasWaited).toBe(true);
  await waiting;
});

test("[U123] an offered table is used if the registry does not respond, and never replaces a newer one", async () => {
  const { cache, state } = registry(2);
  state.failure = new Error("no disk");
  cache.offer(printTable(tableOf(1)), {});
  expect((await cache.routes(() => undefined))?.version).toBe(1);
  expect(cache.problem).toBe("no disk");
  state.failure = null;
  vi.advanceTimersByTime(freshMs + 1);
  expect((await cache.fresh())?.version).toBe(2);
  cache.offer(printTable(tableOf(1)), {});
  expect(cache.held?.version).toBe(2);
  expect(() => cache.offer("no table", {})).toThrow();
});

test("[O88] a router without the key of its table fetches the table again, which brings the keys", async () => {
  const signer = new AttemptSigner("router");
  const afterVersions: number[] = [];
  const gatewayKeys = [{ id: "k1", secret: "s" }];
  const table = { ...tableOf(1), signingKey: "k1" };
  const source = async (after: number) => {
    afterVersions.push(after);
    return after < 1 ? { version: 1, text: printTable(table), gatewayKeys } : { version: 1, text: null };
  };
  const cache = new TableCache(source, Date.now, "", signer);
  cache.offer(printTable(table), {});
  expect(cache.hasKeys).toBe(false);
  await cache.fresh();
  expect([cache.hasKeys, cache.keys]).toEqual([true, { gatewayKeys }]);
  vi.advanceTimersByTime(freshMs + 1);
  await cache.fresh();
  expect(afterVersions).toEqual([-1, 1]);
  const restarted = new TableCache(source, Date.now, "", new AttemptSigner("next"));
  restarted.offer(printTable(table), cache.keys);
  expect(restarted.hasKeys).toBe(true);
});

test("[O210] an offered table without its key does not replace one that the router can sign for", async () => {
  const [oldKey, newKey] = [
    { id: "k1", secret: "s" },
    { id: "k2", secret: "t" },
  ];
  const sent = [
    { version: 1, text: printTable({ ...tableOf(1), signingKey: "k1" }), gatewayKeys: [oldKey] },
    { version: 2, text: printTable({ ...tableOf(2), signingKey: "k2" }), gatewayKeys: [oldKey, newKey] },
  ] as const;
  let newest: (typeof sent)[number] = sent[0];
  const cache = new TableCache(async () => newest, Date.now, "", new AttemptSigner("router"));
  await cache.fresh();
  newest = sent[1];
  cache.offer(sent[1].text, { gatewayKeys: [oldKey] });
  expect([cache.held?.version, cache.hasKeys]).toEqual([1, true]);
  // The next request fetches the table with its key.
  const refreshes: Promise<void>[] = [];
  vi.advanceTimersByTime(freshMs + 1_000);
  cache.routes((refresh) => refreshes.push(refresh));
  await Promise.all(refreshes);
  expect([cache.held?.version, cache.hasKeys]).toEqual([2, true]);
});
