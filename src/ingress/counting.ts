// Counting: records one request in the meter. Nothing here awaits, builds a string or changes the request.

import type { Failure } from "../proxy/http/failure.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { counterIndex, refusalCounter, statusClassCounters } from "../telemetry/counters.ts";
import { recordLatency } from "../telemetry/histogram.ts";
import { type Meter, type MeteredEntity, renewMs } from "../telemetry/meter.ts";
import type { MetricSet } from "../telemetry/metrics.ts";
import { type Attempt, isUndelivered, type Outcome } from "./attempt.ts";
import type { Forwarding, ForwardState } from "./forwarding.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/** Where a request is counted: at the targets of its service, and at the service's entry at one node. */
export type CountedAt = {
  readonly meter: Meter;
  readonly service: MeteredEntity;
  readonly entry: MetricSet;
};

/** `first`: no attempt before it; `retry`: the one before failed; `hedge`: the one before is still open. */
export type AttemptReason = "first" | "retry" | "hedge";

/** A request starts to wait for a response. */
export function countWaiting({ meter, entry }: CountedAt, state: ForwardState, nowMs: number): void {
  entry.open.increment();
  state.openGeneration = meter.generation;
  state.renewedMs = nowMs;
}

export function countWaited({ meter, entry }: CountedAt, { openGeneration }: ForwardState): void {
  entry.open.decrement(meter.generation - openGeneration);
}

/** A request joins the queue. */
export function countQueued({ meter, entry }: CountedAt, state: ForwardState): void {
  entry.queue.increment();
  state.queueGeneration = meter.generation;
}

export function countDequeued({ meter, entry }: CountedAt, state: ForwardState): void {
  if (state.queueGeneration !== null) entry.queue.decrement(meter.generation - state.queueGeneration);
  state.queueGeneration = null;
}

/**
 * Counts a request that waits on as waiting now, if that is due, and has the gauges sent: perhaps no other
 * request ends meanwhile.
 *
 * @param attempts the ones under way
 */
export function renewWaits(
  { incoming, countedAt, state }: Forwarding,
  attempts: readonly Attempt[],
  nowMs: number,
): void {
  if (countedAt === null || Math.abs(nowMs - state.renewedMs) < renewMs) return;
  const { meter, service, entry } = countedAt;
  const { generation } = meter;
  state.renewedMs = nowMs;
  entry.open.renew(generation - state.openGeneration);
  state.openGeneration = generation;
  if (state.queueGeneration !== null) {
    entry.queue.renew(generation - state.queueGeneration);
    state.queueGeneration = generation;
  }
  for (const attempt of attempts) {
    meter.task(attempt.target, service).open.renew(generation - attempt.generation);
    attempt.generation = generation;
  }
  incoming.plane.link.waits(nowMs, incoming.waitUntil);
}

/**
 * A request is sent to a target.
 *
 * @param failed the target that failed before it
 */
export function countSent(at: CountedAt, target: Target, reason: AttemptReason, failed: Target | null): void {
  const task = at.meter.task(target, at.service);
  const { entry } = at;
  task.add(counterIndex.attempts);
  entry.add(counterIndex.attempts);
  task.open.increment();
  if (reason === "first") return;
  const counter = reason === "retry" ? counterIndex.retries : counterIndex.hedges;
  task.add(counter);
  entry.add(counter);
  if (reason === "hedge" || failed === null) return;
  at.meter.task(failed, at.service).add(counterIndex.redispatches);
  entry.add(counterIndex.redispatches);
}

/**
 * An attempt has ended.
 *
 * @param isTargets a failure is the target's, not perhaps the client's
 */
export function countOutcome(
  at: CountedAt,
  { target, generation }: Attempt,
  outcome: Outcome,
  elapsedMs: number,
  isTargets: boolean,
): void {
  const task = at.meter.task(target, at.service);
  task.open.decrement(at.meter.generation - generation);
  if (outcome === "body-broken" || outcome === "body-stalled") return;
  if (!(outcome instanceof Response)) {
    const isConnection = isTargets || isUndelivered(outcome);
    const error = isConnection ? counterIndex.connectErrors : counterIndex.responseErrors;
    task.add(error);
    at.entry.add(error);
    return;
  }
  recordLatency(task.tally.buckets, elapsedMs);
  task.add(counterIndex.tookMs, elapsedMs);
}

/** An attempt is abandoned: another target responded first, or it timed out. */
export function countGivenUp(at: CountedAt, { target, generation }: Attempt, isTimeout: boolean): void {
  const task = at.meter.task(target, at.service);
  task.open.decrement(at.meter.generation - generation);
  if (isTimeout) countBoth(at, target, counterIndex.timeouts);
}

/** A hedge's response came first. */
export function countHedgeWon(at: CountedAt, target: Target): void {
  countBoth(at, target, counterIndex.hedgesWon);
}

/** A target is ejected. */
export function countEjection(at: CountedAt, target: Target): void {
  countBoth(at, target, counterIndex.ejections);
}

/** More than half of the targets are ejected, so all are used (panic). */
export function countPanic(at: CountedAt): void {
  at.entry.add(counterIndex.panics);
}

/**
 * A request has ended.
 *
 * @returns true if the response has a body whose bytes are still to be counted, as no header says their number
 */
export function countRequest(
  meter: Meter,
  incoming: ProxyRequest,
  { choice, node, target, clientBody }: ForwardState,
  result: Response | Failure,
  nowMs: number,
): boolean {
  const { method, bodyBytes, receivedMs } = incoming;
  if (nowMs >= meter.sliceEndMs) meter.endSlice(nowMs);
  const bytesIn = bodyBytes ?? clientBody?.passedBytes ?? 0;
  const bytesOut = result instanceof Response ? bytesOf(result, method) : 0;
  const end = { target, result, bytesIn, bytesOut: bytesOut ?? 0, elapsedMs: nowMs - receivedMs };
  countEnd(meter, choice?.route.service ?? null, node === "direct" ? null : node, end);
  return bytesOut === null;
}

/** Counts bytes of a body after its request was counted. */
export function countLate(
  { plane: { meter, link, nowMs }, waitUntil }: ProxyRequest,
  { choice, node, target }: ForwardState,
  counter: number,
  bytes: number,
): void {
  if (meter === null || bytes === 0) return;
  const service = choice?.route.service ?? null;
  // Metric sets are looked up again: those of an idle service are dropped, and a body may take hours.
  meter.entry(service, node === "direct" ? null : node).add(counter, bytes);
  if (target !== null && service !== null) meter.task(target, service).add(counter, bytes);
  link.schedule(nowMs(), waitUntil);
}

/** How a request ended. */
type RequestEnd = {
  /** The target of the last attempt; null if no attempt was made. */
  readonly target: Target | null;
  readonly result: Response | Failure;
  /** Bytes of the bodies, as far as they are known. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  readonly elapsedMs: number;
};

/**
 * A request has ended.
 *
 * @param service null if the request matched no service
 * @param node null if no node was picked
 */
function countEnd(
  meter: Meter,
  service: MeteredEntity | null,
  node: MeteredEntity | null,
  { target, result, bytesIn, bytesOut, elapsedMs }: RequestEnd,
): void {
  const entry = meter.entry(service, node);
  const isResponse = result instanceof Response;
  const responseClass = statusClassCounters[Math.trunc(result.status / 100)] ?? counterIndex.responsesOther;
  addEnd(entry, responseClass, bytesIn, bytesOut);
  recordLatency(entry.tally.buckets, elapsedMs);
  entry.add(counterIndex.tookMs, elapsedMs);
  if (!isResponse) entry.add(refusalCounter(result.status));
  if (target === null || service === null) return;
  const task = meter.task(target, service);
  if (isResponse) addEnd(task, responseClass, bytesIn, bytesOut);
  else task.add(counterIndex.requests);
}

function addEnd(metrics: MetricSet, responseClass: number, bytesIn: number, bytesOut: number): void {
  metrics.add(counterIndex.requests);
  metrics.add(responseClass);
  if (bytesIn > 0) metrics.add(counterIndex.bytesIn, bytesIn);
  if (bytesOut > 0) metrics.add(counterIndex.bytesOut, bytesOut);
}

/** Bytes by Content-Length; null for a body without it. */
function bytesOf({ status, headers, body }: Response, method: string): number | null {
  if (method === "HEAD" || status === 304 || status === 101) return 0;
  const length = headers.get("content-length");
  return length === null && body !== null ? null : Number(length) || 0;
}

function countBoth(at: CountedAt, target: Target, counter: number): void {
  at.meter.task(target, at.service).add(counter);
  at.entry.add(counter);
}
