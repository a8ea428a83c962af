// A router that has not polled for a while: the registry regards it as disconnected, so its table may have
// tasks that are gone.

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

/** A router with version 1 of a table whose newest version is 2. */
async function router(delayMs: () => number) {
  const registry = { version: 1, problem: null as Error | null };
  const source = async () => {
    const { version, problem } = registry;
    const ms = delayMs();
    if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
    if (problem !== null) throw problem;
    return { version, text: printTable(tableOf(version)) };
  };
  const cache = new TableCache(source, () => Date.now());
  const first = cache.fresh();
  await vi.advanceTimersByTimeAsync(delayMs());
  await first;
  registry.version = 2;
  return { cache, registry };
}

/** Routes a request. @returns the table's version, and how long the request waited */
async function route(cache: TableCache): Promise<{ version: number | undefined; waitedMs: number }> {
  const startedMs = Date.now();
  let routed: { routes: Routes | null; atMs: number } | undefined;
  void Promise.resolve(cache.routes((work) => void work)).then((routes) => {
    routed = { routes, atMs: Date.now() };
  });
  for (let ms = 0; routed === undefined && ms <= 10_000; ms += 10) await vi.advanceTimersByTimeAsync(10);
  return { version: routed?.routes?.version, waitedMs: (routed?.atMs ?? Number.NaN) - startedMs };
}

test("[X46] a disconnected router fetches a fresh table before it routes", async () => {
  const { cache } = await router(() => 0);
  vi.advanceTimersByTime(disconnectedAfterMs);
  expect((await route(cache)).version).toBe(1);
  const { cache: disconnected } = await router(() => 0);
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  expect((await route(disconnected)).version).toBe(2);
});

test("[X46] a disconnected router waits at most 250 ms, then routes by its own table", async () => {
  let delayMs = 0;
  const { cache } = await router(() => delayMs);
  delayMs = 60_000;
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  const { version, waitedMs } = await route(cache);
  expect(version).toBe(1);
  expect(waitedMs).toBeGreaterThanOrEqual(reconnectWaitMs);
  expect(waitedMs).toBeLessThanOrEqual(reconnectWaitMs + 10);
});

test("[X46] no request waits for a registry that did not respond last time", async () => {
  let delayMs = 0;
  const { cache, registry } = await router(() => delayMs);
  registry.problem = new Error("down");
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  await route(cache);
  delayMs = 60_000;
  vi.advanceTimersByTime(disconnectedAfterMs + 1);
  expect(await route(cache)).toEqual({ version: 1, waitedMs: 0 });
});
