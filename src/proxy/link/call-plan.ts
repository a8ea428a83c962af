// When a router calls the registry: the decision, without clock, timer or call.
//
// A call brings counters, acknowledges a table and gets a newer one. It runs in the `waitUntil` of a request, which
// the platform ends 30 s after the response. So a runner, started at the end of one request, works for less than
// that, and the runner of a later request takes over. A busy router has a call waiting at the registry: one in
// 25 s, and a newer table comes at once. A quiet router calls once a minute while requests come, and once after the
// last of them, before the platform may evict its isolate. After its first minutes it rests: it calls only when its
// table and its counters are minutes old, or its counters are those of many requests.
//
// @see docs/decisions/0118-serve-first.md
// @see docs/decisions/0123-quiet-routers-rest.md

import { flushIntervalMs } from "../../telemetry/flusher.ts";

/** How long the call of a busy router waits at the registry, milliseconds; the registry allows no more. */
export const longWaitMs = 25_000;
/** A call that could wait for less than this is left to the next runner, milliseconds. */
const shortestWaitMs = 5_000;
/** How long a call may take beyond its wait, milliseconds; then it is lost. */
export const callTimeoutMs = 2_000;
/** How long a runner works, milliseconds. The platform allows 30 s after the response of its request. */
const runnerLifeMs = 29_000;
/** When a runner without a successor sends what is left, from its start. Milliseconds. */
const lastCallMs = runnerLifeMs - callTimeoutMs;
/** From the last request of a quiet router to its call, milliseconds. */
export const quietCallMs = 25_000;
/** A runner of this age leaves its work to the runner of the next request. Milliseconds. */
export const handOverMs = 5_000;
/**
 * Shortest time from one call of a quiet router to the next while requests come, milliseconds. Less than a minute,
 * after which telemetry counts the waiting requests of a silent isolate as ended.
 */
export const quietIntervalMs = 55_000;
/** From the first request of a router until it may rest, milliseconds: isolates that end early lose no counters. */
export const youngMs = 300_000;
/**
 * Mean time from one call of a router that rests to the next while requests come, milliseconds. Each call draws its
 * own, up to a fifth more or less, so that isolates that started together do not call together.
 */
export const restMs = 300_000;
const restSpread = 0.4;
/** A router with the counters of so many requests does not rest: it loses fewer when the platform evicts it. */
export const maxRestingRequests = 16;
/** Shortest time from the start of one call to the next, milliseconds. */
const callIntervalMs = 1_000;
/** Longest delay after failed calls, milliseconds. */
const maxBackoffMs = 10_000;

/** Length of a window in which requests are counted, milliseconds, and the requests in one that make a router busy. */
export const activityWindowMs = 10_000;
const busyRequests = 10;

/** What a router knows of its calls and requests. Times are epoch milliseconds. */
export type LinkState = {
  /** Start of the newest call; -Infinity before the first. */
  readonly calledMs: number;
  /** Until when the call under way may take; null: no call is under way. */
  readonly callUntilMs: number | null;
  /** The first request that no successful call has reported; null: each was. */
  readonly firstMs: number | null;
  /** Requests since then. */
  readonly unreported: number;
  /** The first request of this router; Infinity before it. */
  readonly bornMs: number;
  /** Drawn for the time until the next call, [0, 1). */
  readonly jitter: number;
  /** The last call has succeeded, and its counters are counted. */
  readonly isConfirmed: boolean;
  /** A request waits for long, or did at the last call. The gauges of a router that is silent for a minute expire. */
  readonly hasGauges: boolean;
  /** The table has static servers, for which no gateway corrects a choice by an old table. */
  readonly hasServers: boolean;
  /** No call begins before this, after a failed one. */
  readonly notBeforeMs: number;
  /** Start of the current window, its requests, and those of the window before it. */
  readonly windowMs: number;
  readonly windowRequests: number;
  readonly previousRequests: number;
  /** The table is known to be old. */
  readonly isExpired: boolean;
  /** The telemetry is looked at, so that counters are sent every two seconds. */
  readonly isWatched: boolean;
  /** A call may wait at the registry. Else the router counts as quiet. */
  readonly canWait: boolean;
};

/** The part of a request's `waitUntil` that calls. */
export type LinkRunner = {
  /** The end of its request, epoch milliseconds. */
  readonly startedMs: number;
  /** False once another runner has taken over. */
  readonly isNewest: boolean;
};

export type LinkStep =
  /** Calls now. The call may wait at the registry for so long, milliseconds. */
  | { readonly kind: "call"; readonly waitMs: number }
  /** Decides again then, epoch milliseconds, unless another runner has taken over. */
  | { readonly kind: "sleep"; readonly untilMs: number }
  /** Ends: there is nothing to do, or others do it. */
  | { readonly kind: "leave" };

const leave: LinkStep = { kind: "leave" };

/** What a runner does now. @see docs/spec.md X170-X175, X190-X194 */
export function nextStep(state: LinkState, runner: LinkRunner, nowMs: number): LinkStep {
  const { startedMs, isNewest } = runner;
  const isCalling = state.callUntilMs !== null && nowMs < state.callUntilMs;
  const leftMs = startedMs + lastCallMs - nowMs;
  if (!isNewest || isCalling || leftMs + callTimeoutMs < 0) return leave;
  const atMs = Math.max(dueMs(state, startedMs, nowMs), state.notBeforeMs, state.calledMs + callIntervalMs);
  if (atMs === Number.POSITIVE_INFINITY) return leave;
  if (atMs > nowMs) return atMs > nowMs + leftMs ? leave : { kind: "sleep", untilMs: atMs };
  if (!isBusy(state, nowMs)) return { kind: "call", waitMs: 0 };
  const wantedMs = state.isWatched ? flushIntervalMs : longWaitMs;
  if (leftMs >= Math.min(wantedMs, shortestWaitMs))
    return { kind: "call", waitMs: Math.min(wantedMs, leftMs) };
  // The next request of a busy router is near, and its runner can wait for longer.
  if (leftMs > 0) return { kind: "sleep", untilMs: nowMs + leftMs };
  return state.firstMs === null ? leave : { kind: "call", waitMs: 0 };
}

/** When the next call is due; Infinity: not before another request. */
function dueMs(state: LinkState, startedMs: number, nowMs: number): number {
  const { calledMs, firstMs, isExpired, isWatched, jitter } = state;
  if (isExpired || isBusy(state, nowMs)) return nowMs;
  if (firstMs === null) return Number.POSITIVE_INFINITY;
  // One call reports the requests of a page, not the first of them alone.
  const soonMs = firstMs + flushIntervalMs;
  if (isWatched) return soonMs;
  if (canRest(state, nowMs)) return Math.max(soonMs, calledMs + restMs * (1 + restSpread * (jitter - 0.5)));
  return Math.min(Math.max(soonMs, calledMs + quietIntervalMs), startedMs + quietCallMs);
}

/** True if a quiet router may leave its table and its counters for minutes. */
function canRest(state: LinkState, nowMs: number): boolean {
  if (state.hasServers || state.hasGauges || !state.isConfirmed) return false;
  return state.unreported < maxRestingRequests && nowMs - state.bornMs >= youngMs;
}

/** True if about one request a second came lately, and not only in one burst. */
function isBusy({ windowMs, windowRequests, previousRequests, canWait }: LinkState, nowMs: number): boolean {
  const elapsedMs = nowMs - windowMs;
  if (!canWait || elapsedMs >= 2 * activityWindowMs) return false;
  return (elapsedMs < activityWindowMs ? previousRequests : windowRequests) >= busyRequests;
}

/**
 * The delay after a failed call, milliseconds: any time up to a bound that doubles, so that the routers of a
 * registry that was reset do not call together.
 *
 * @param failures in a row, at least 1
 * @param random [0, 1)
 */
export function backoffMs(failures: number, random: number): number {
  return random * Math.min(maxBackoffMs, callIntervalMs * 2 ** (failures - 1));
}
