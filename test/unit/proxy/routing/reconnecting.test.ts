// A router that has been silent: the registry counts it as routing no more, so its table may name tasks that are gone.

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { printTable } from "../../../../src/domain/table/text.ts";
import type { Routes } from "../../../../src/proxy/routing/routes.ts";
import {
  disconnectedAfterMs,
  reconnectWaitMs,
  TableCache,
} from "../../../../src/proxy/routing/table-cache.ts";
import { tableOf } from "../../../support/dataplane.ts";

beforeEach(() => {
  vi.useFakeTimers({ now: 1_000_000 });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A router that holds version 1 of a mesh that has version 2 by now. */
async function router(answerAfterMs: () => number) {
  const now = { version: 1, asked: 0, problem: null as Error | null };
  const source = async () => {
    now.asked += 1;
    const { version, problem } = now;
    const ms = answerAfterMs();
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    if (problem !== null) throw problem;
    return { version, text: printTable(tableOf(version)) };
  };
  const cache = new TableCache(source, () => Date.now());
  const first = cache.fresh();
  await vi.advanceTimersByTimeAsync(answerAfterMs());
  await first;
  now.version = 2;
  return { cache, now };
}

/** The version a request routes by, and how long it waited. */
async function route(cache: TableCache): Promise<{ version: number | undefined; waitedMs: number }> {
  const startedMs = Date.now();
  let routed: { routes: Routes | null; atMs: number } | undefined;
  void Promise.resolve(cache.routes((work) => void work)).then((routes) => {
    routed = { routes, atMs: Date.now() };
  });
  for (let ms = 0; routed === undefined && ms <= 10_000; ms += 10) await vi.advanceTimersByTimeAsync(10);
  return { version: routed?.routes?.version, waitedMs: (routed?.atMs ?? Number.NaN) - startedMs };
}

test("[X46] a router that was silent looks at a fresh table before it routes", async () => {
  const { cache } = await router(() => 0);
  vi.advanceTimersByTime(disconnectedAfterMs);
  expect((await route(cache)).version).toBe(1);
  const { cache: silent } = await router(() => 0);
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  expect((await route(silent)).version).toBe(2);
});

test("[X46] it waits for that a quarter of a second at most, then routes by the table it has", async () => {
  let delayMs = 0;
  const { cache } = await router(() => delayMs);
  delayMs = 60_000;
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  const { version, waitedMs } = await route(cache);
  expect(version).toBe(1);
  expect(waitedMs).toBeGreaterThanOrEqual(reconnectWaitMs);
  expect(waitedMs).toBeLessThanOrEqual(reconnectWaitMs + 10);
});

test("[X46] while the registry is known to be away nobody waits for it", async () => {
  let delayMs = 0;
  const { cache, now } = await router(() => delayMs);
  now.problem = new Error("away");
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  await route(cache);
  delayMs = 60_000;
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  expect(await route(cache)).toEqual({ version: 1, waitedMs: 0 });
});
