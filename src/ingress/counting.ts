// Counting one request: what the meter hears of it on its way. Nothing here waits, looks anything up by a made-up key, or
// changes what becomes of the request.

import type { Outcome } from "../proxy/http/dial.ts";
import type { Failure } from "../proxy/http/failure.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { counterIndex, refusalCounter, responseClassCounter } from "../telemetry/counters.ts";
import type { Meter, MeteredEntity } from "../telemetry/meter.ts";
import type { MetricSet } from "../telemetry/metrics.ts";

/** Where a request is counted: at its service and the node it came in at. */
export type CountedAt = {
  readonly meter: Meter;
  readonly service: MeteredEntity;
  readonly node: MeteredEntity;
};

/** Why a task is asked: as the first one, in place of one that failed, or beside one that keeps the request waiting. */
export type AttemptReason = "first" | "retry" | "hedge";

/** A request waits for a task's answer. Returns the meter's turn, for when it waits no longer. */
export function countWaiting({ meter, service, node }: CountedAt): number {
  meter.entry(service, node).open.increment();
  return meter.generation;
}

export function countWaited({ meter, service, node }: CountedAt, turn: number): void {
  meter.entry(service, node).open.decrement(meter.generation - turn);
}

/** A request gets in line for a task. Returns the meter's turn, for when it leaves it. */
export function countInLine({ meter, service, node }: CountedAt): number {
  meter.entry(service, node).queue.increment();
  return meter.generation;
}

export function countOutOfLine({ meter, service, node }: CountedAt, turn: number): void {
  meter.entry(service, node).queue.decrement(meter.generation - turn);
}

/**
 * A task is asked.
 *
 * @param failed the task that failed before it
 */
export function countSent(
  counted: CountedAt,
  target: Target,
  why: AttemptReason,
  failed: Target | null,
): void {
  const task = taskCell(counted, target);
  const entry = entryCell(counted);
  task.add(counterIndex.attempts);
  entry.add(counterIndex.attempts);
  task.open.increment();
  if (why === "first") return;
  task.add(why === "retry" ? counterIndex.retries : counterIndex.hedges);
  entry.add(why === "retry" ? counterIndex.retries : counterIndex.hedges);
  if (why === "hedge" || failed === null) return;
  taskCell(counted, failed).add(counterIndex.redispatches);
  entry.add(counterIndex.redispatches);
}

/**
 * An attempt has ended.
 *
 * @param timed its failure is the task's: no body was streaming to it
 */
export function countOutcome(
  counted: CountedAt,
  target: Target,
  turn: number,
  outcome: Outcome,
  tookMs: number,
  timed: boolean,
): void {
  const task = taskCell(counted, target);
  task.open.decrement(counted.meter.generation - turn);
  if (outcome === "failed") {
    const error = timed ? counterIndex.connectErrors : counterIndex.responseErrors;
    task.add(error);
    entryCell(counted).add(error);
    return;
  }
  task.observeLatency(tookMs);
  task.add(counterIndex.tookMs, tookMs);
}

/** An attempt is waited for no longer: another task answered first, or its time is over. */
export function countGivenUp(counted: CountedAt, target: Target, turn: number, isTimeout: boolean): void {
  const task = taskCell(counted, target);
  task.open.decrement(counted.meter.generation - turn);
  if (!isTimeout) return;
  task.add(counterIndex.timeouts);
  entryCell(counted).add(counterIndex.timeouts);
}

/** The answer of a task that was asked beside another one came first. */
export function countHedgeWon(counted: CountedAt, target: Target): void {
  taskCell(counted, target).add(counterIndex.hedgesWon);
  entryCell(counted).add(counterIndex.hedgesWon);
}

/** Requests pass a task over from now on. */
export function countEjection(counted: CountedAt, target: Target): void {
  taskCell(counted, target).add(counterIndex.ejections);
  entryCell(counted).add(counterIndex.ejections);
}

/** So many tasks are passed over that all are used. */
export function countPanic(counted: CountedAt): void {
  entryCell(counted).add(counterIndex.panics);
}

/** What a request came to. */
export type RequestEnd = {
  /** The task asked last; null: none was. */
  readonly target: Target | null;
  readonly result: Response | Failure;
  readonly method: string;
  /** Null: not known beforehand. */
  readonly bytesIn: number | null;
  readonly tookMs: number;
};

/**
 * A request has ended.
 *
 * @param service null: for none of the mesh
 * @param node null: none could be picked
 */
export function countEnd(
  meter: Meter,
  service: MeteredEntity | null,
  node: MeteredEntity | null,
  ending: RequestEnd,
): void {
  const { target, result, bytesIn, tookMs } = ending;
  const entry = meter.entry(service, node);
  const bytesOut = result instanceof Response ? bytesOf(result, ending.method) : 0;
  const klass = responseClassCounter(result.status);
  addEnd(entry, klass, bytesIn ?? 0, bytesOut);
  entry.observeLatency(tookMs);
  entry.add(counterIndex.tookMs, tookMs);
  if (!(result instanceof Response)) entry.add(refusalCounter(result.status));
  if (target === null || service === null) return;
  const task = meter.task(target, service);
  if (result instanceof Response) addEnd(task, klass, bytesIn ?? 0, bytesOut);
  else task.add(counterIndex.requests);
}

function addEnd(cell: MetricSet, klass: number, bytesIn: number, bytesOut: number): void {
  cell.add(counterIndex.requests);
  cell.add(klass);
  if (bytesIn > 0) cell.add(counterIndex.bytesIn, bytesIn);
  if (bytesOut > 0) cell.add(counterIndex.bytesOut, bytesOut);
}

/** By Content-Length: following a body would cost it the runtime's own streaming. */
function bytesOf({ status, headers }: Response, method: string): number {
  if (method === "HEAD" || status === 304) return 0;
  return Number(headers.get("content-length")) || 0;
}

function taskCell({ meter, service }: CountedAt, target: Target): MetricSet {
  return meter.task(target, service);
}

function entryCell({ meter, service, node }: CountedAt): MetricSet {
  return meter.entry(service, node);
}
