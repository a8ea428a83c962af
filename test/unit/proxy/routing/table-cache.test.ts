import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { changeFormatLine } from "../../../../src/domain/table/change-text.ts";
import { PartsHash, tableHash } from "../../../../src/domain/table/parts-hash.ts";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { AttemptSigner } from "../../../../src/proxy/attempt-signer.ts";
import {
  type CachedTable,
  copyIntervalMs,
  copyRenewalMs,
  freshMs,
  maxCopyAgeMs,
  maxRefreshWaitMs,
  maxRoundTripMs,
  type SentTable,
  TableCache,
  type TableCopies,
} from "../../../../src/proxy/routing/table-cache.ts";
import { tableOf } from "../../../support/dataplane.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A fake registry, the `afterVersion` of each request to it, and a cache in front of it. */
function registry(version: number, copies?: TableCopies) {
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
  return { state, afterVersions, cache: new TableCache(source, { nowMs: () => Date.now(), copies }) };
}

const ignore = (): void => undefined;

test("[X46] the table held is used at once, however old, and no request waits for the registry", async () => {
  const { cache, state, afterVersions } = registry(1);
  expect((await cache.first(ignore))?.version).toBe(1);
  state.version = 2;
  vi.advanceTimersByTime(86_400_000);
  expect(cache.held?.version).toBe(1);
  expect((await cache.first(ignore))?.version).toBe(1);
  expect(afterVersions).toEqual([-1]);
});

test("[X46] a table is known to be old from when a gateway says so until the registry responds", async () => {
  const { cache } = registry(1);
  await cache.fresh();
  expect(cache.isExpired).toBe(false);
  vi.advanceTimersByTime(freshMs + 1);
  cache.expire(Date.now());
  expect(cache.isExpired).toBe(true);
  // The response to a call from before says nothing.
  cache.take({ version: 1, text: null }, Date.now() - 1);
  expect(cache.isExpired).toBe(true);
  await cache.fresh();
  expect(cache.isExpired).toBe(false);
});

test("[X46] while a call waits at the registry the table is the newest, until the call is lost", async () => {
  const { cache } = registry(1);
  await cache.fresh();
  vi.advanceTimersByTime(60_000);
  cache.beginWait(Date.now(), Date.now() + 27_000);
  expect(cache.ageMs()).toBe(60_000);
  vi.advanceTimersByTime(maxRoundTripMs);
  expect(cache.ageMs()).toBe(0);
  vi.advanceTimersByTime(26_000);
  expect(cache.ageMs()).toBe(87_000);
  cache.beginWait(Date.now() - 5_000, Date.now() + 20_000);
  cache.endWait();
  expect(cache.ageMs()).toBe(87_000);
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
    vi.advanceTimersByTime(1_000);
    expect((await cache.fresh())?.version).toBe(5);
    expect(cache.problem).not.toBeNull();
  }
  expect(cache.ageMs()).toBe(3_000);
});

test("[X47] a table that is older than the held one is not used, whatever version comes beside it", async () => {
  for (const sent of [{ version: 4 }, { version: 9, text: printTable(tableOf(4)) }]) {
    const { cache, state } = registry(5);
    await cache.fresh();
    Object.assign(state, { always: true, ...sent });
    vi.advanceTimersByTime(1_000);
    expect((await cache.fresh())?.version).toBe(5);
  }
  const { cache, state } = registry(5);
  await cache.fresh();
  Object.assign(state, { always: true, version: 4 });
  vi.advanceTimersByTime(1_000);
  await cache.fresh();
  expect(cache.problem).toBe("the registry has version 4, and this isolate has 5");
});

test("[X47] a registry whose tables this release cannot read is a problem, and the table stays", async () => {
  const { cache } = registry(5);
  await cache.fresh();
  cache.take({ version: 6, text: null, refusal: "deploy the release of the registry here too" }, Date.now());
  expect([cache.held?.version, cache.problem]).toEqual([5, "deploy the release of the registry here too"]);
});

test("[X47] the age of an unchanged table counts from the last successful refresh", async () => {
  const { cache } = registry(5);
  await cache.fresh();
  vi.advanceTimersByTime(60_000);
  expect(cache.ageMs()).toBe(60_000);
  await cache.fresh();
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
  expect(cache.held).toBeNull();
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
    expect(await cache.first(ignore)).toBeNull();
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
  // It counts as of now, and is refreshed when it is no longer fresh.
  await cache.fresh();
  await vi.advanceTimersByTimeAsync(freshMs + 1);
  expect((await cache.fresh())?.version).toBe(2);
  expect(cache.ageMs()).toBe(0);
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
  expect((await cache.first(ignore))?.version).toBe(1);
  await cache.fresh();
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
  const cache = new TableCache(source, { nowMs: Date.now, signer });
  cache.offer(printTable(table), {});
  expect(cache.hasKeys).toBe(false);
  await cache.fresh();
  expect([cache.hasKeys, cache.keys]).toEqual([true, { gatewayKeys }]);
  vi.advanceTimersByTime(freshMs + 1);
  await cache.fresh();
  expect(afterVersions).toEqual([-1, 1]);
  const restarted = new TableCache(source, { nowMs: Date.now, signer: new AttemptSigner("next") });
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
  const signer = new AttemptSigner("router");
  const cache = new TableCache(async () => newest, { nowMs: Date.now, signer });
  await cache.fresh();
  newest = sent[1];
  cache.offer(sent[1].text, { gatewayKeys: [oldKey] });
  expect([cache.held?.version, cache.hasKeys]).toEqual([1, true]);
  // The next request has the table fetched with its key.
  expect(cache.isExpired).toBe(true);
  vi.advanceTimersByTime(freshMs + 1_000);
  await cache.fresh();
  expect([cache.held?.version, cache.hasKeys]).toEqual([2, true]);
});

/** Copies in memory. */
function memoryCopies(first: CachedTable | null = null, delayMs = 0) {
  const written: CachedTable[] = [];
  const copies: TableCopies = {
    read: async () => {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return first;
    },
    write: async (copy) => {
      written.push(copy);
    },
  };
  return { copies, written };
}

const copyOf = (version: number, ageMs = 0): CachedTable => {
  const keys = { cookieKey: "c" };
  return { text: printTable(tableOf(version)), keys, asOfMs: Date.now() - ageMs };
};

/** The first table of a cache, and how long a request waited for it. */
async function firstOf(cache: TableCache, work: Promise<void>[] = []) {
  const startedMs = Date.now();
  const first = cache
    .first((background) => work.push(background))
    .then((routes) => {
      return { version: routes?.version ?? null, waitedMs: Date.now() - startedMs };
    });
  await vi.advanceTimersByTimeAsync(maxRefreshWaitMs);
  return first;
}

test("[X176] an isolate that starts takes a copy of the table or the registry's, whichever comes first", async () => {
  const { copies } = memoryCopies(copyOf(3), 5);
  const { cache, state, afterVersions } = registry(4, copies);
  state.delayMs = 150;
  const work: Promise<void>[] = [];
  expect(await firstOf(cache, work)).toEqual({ version: 3, waitedMs: 5 });
  expect([cache.cookieKey, afterVersions]).toEqual(["c", [-1]]);
  await Promise.all(work);
  expect(cache.held?.version).toBe(4);

  const slow = registry(4, memoryCopies(copyOf(3), 400).copies);
  slow.state.delayMs = 150;
  expect(await firstOf(slow.cache)).toEqual({ version: 4, waitedMs: 150 });
  expect(slow.cache.held?.version).toBe(4);
});

test("[X176] a copy up to a day old serves while the registry is away, and an older one does not", async () => {
  for (const [ageMs, version] of [
    [maxCopyAgeMs, 3],
    [maxCopyAgeMs + 2_000, null],
  ] as const) {
    const { cache, state } = registry(4, memoryCopies(copyOf(3, ageMs)).copies);
    state.failure = new Error("down");
    expect((await firstOf(cache)).version).toBe(version);
  }
  const { cache, state } = registry(4, memoryCopies(copyOf(3, 60_000)).copies);
  state.failure = new Error("down");
  await firstOf(cache);
  expect([cache.problem, cache.ageMs()]).toEqual(["down", 60_000 + maxRefreshWaitMs]);
});

test("[X177] the registry replaces a copy by its whole table, also by an older one", async () => {
  for (const version of [4, 3, 1]) {
    const { cache, afterVersions } = registry(version, memoryCopies(copyOf(3)).copies);
    await firstOf(cache);
    vi.advanceTimersByTime(freshMs + 1);
    expect((await cache.fresh())?.version).toBe(version);
    expect(afterVersions.slice(0, 2)).toEqual([-1, version]);
    expect(cache.problem).toBeNull();
  }
});

test("[X178] a copy is written for a newer table at most every ten seconds, and again after an hour", async () => {
  const { copies, written } = memoryCopies();
  const { cache, state } = registry(1, copies);
  await firstOf(cache);
  const versions = () => written.map(({ text }) => readTable(text).version);
  expect(versions()).toEqual([1]);
  state.version = 2;
  await cache.fresh();
  vi.advanceTimersByTime(copyIntervalMs - maxRefreshWaitMs - 1);
  await cache.saveCopy();
  expect(versions()).toEqual([1]);
  vi.advanceTimersByTime(1);
  await cache.saveCopy();
  await cache.saveCopy();
  expect(versions()).toEqual([1, 2]);
  vi.advanceTimersByTime(copyRenewalMs);
  await cache.fresh();
  await cache.saveCopy();
  expect(versions()).toEqual([1, 2, 2]);
  expect(written.at(-1)?.asOfMs).toBe(Date.now());
});

test("[X178] what comes from a copy is not written as one", async () => {
  const { copies, written } = memoryCopies(copyOf(3, 2 * copyRenewalMs));
  const { cache, state } = registry(4, copies);
  state.failure = new Error("down");
  await firstOf(cache);
  await cache.saveCopy();
  expect(written).toEqual([]);
});

test("[X185] a router applies a change to its table, and asks for the whole table if it cannot", async () => {
  const empty = { nodes: [], services: [], defaultService: null };
  const [before, after] = [
    { ...empty, version: 1, signingKey: null },
    { ...empty, version: 2, signingKey: "k2" },
  ];
  const changeTo = (hash: string) =>
    [changeFormatLine, "from 1", `to 2 ${hash}`, "default -", "key k2", ""].join("\n");
  let change = changeTo("0000000000000000");
  const afterVersions: number[] = [];
  const source = async (afterVersion: number): Promise<SentTable> => {
    afterVersions.push(afterVersion);
    if (afterVersions.length === 1) return { version: 1, text: printTable(before) };
    if (afterVersion === 1) return { version: 2, text: change };
    return { version: 2, text: printTable(after) };
  };
  const refreshed = async (cache: TableCache) => {
    vi.advanceTimersByTime(freshMs + 1);
    return (await cache.fresh())?.version;
  };
  const cache = new TableCache(source, { nowMs: () => Date.now() });
  expect([await refreshed(cache), await refreshed(cache)]).toEqual([1, 1]);
  expect(cache.problem).toContain("it does not lead to version 2");
  expect([await refreshed(cache), cache.problem, afterVersions]).toEqual([2, null, [-1, 1, -1]]);

  afterVersions.length = 0;
  change = changeTo(tableHash(after, PartsHash.empty()));
  const next = new TableCache(source, { nowMs: () => Date.now() });
  expect([await refreshed(next), await refreshed(next)]).toEqual([1, 2]);
  expect([next.problem, afterVersions]).toEqual([null, [-1, 1]]);
});

test("[X195] a change that another call has overtaken is left, and the router calls again at once", () => {
  const table = (version: number) => ({
    nodes: [],
    services: [],
    defaultService: null,
    version,
    signingKey: null,
  });
  const cache = new TableCache(() => Promise.reject(new Error("no refresh")), { nowMs: () => Date.now() });
  cache.take({ version: 20, text: printTable(table(20)) }, Date.now());
  const change = [changeFormatLine, "from 19", "to 21 0000000000000000", "default -", "key -", ""].join("\n");
  cache.take({ version: 21, text: change }, Date.now());
  expect([cache.held?.version, cache.problem, cache.isExpired, cache.knownVersion]).toEqual([
    20,
    null,
    true,
    20,
  ]);
  cache.take({ version: 21, text: change.replace("from 19", "from 21") }, Date.now());
  expect([cache.held?.version, cache.knownVersion]).toEqual([20, -1]);
  expect(cache.problem).toContain("it changes version 21, and the table has version 20");
});
