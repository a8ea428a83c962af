// Counting one request: what the meter hears of it on its way. Nothing here waits, looks anything up by a made-up key, or
// changes what becomes of the request.

import type { Outcome } from "../proxy/attempt.ts";
import type { Failure } from "../proxy/failure.ts";
import type { Target } from "../proxy/ring.ts";
import type { Cell } from "../telemetry/cell.ts";
import { classOf, counter, refusalOf } from "../telemetry/counters.ts";
import type { Meter, Named } from "../telemetry/meter.ts";

/** Where a request is counted: at its service and the node it came in at. */
export type Counted = { readonly meter: Meter; readonly service: Named; readonly node: Named };

/** Why a task is asked: as the first one, in place of one that failed, or beside one that keeps the request waiting. */
export type Why = "first" | "retry" | "hedge";

/** A request waits for a task's answer. Returns the meter's turn, for when it waits no longer. */
export function countWaiting({ meter, service, node }: Counted): number {
  meter.entry(service, node).open.came();
  return meter.turn;
}

export function countWaited({ meter, service, node }: Counted, turn: number): void {
  meter.entry(service, node).open.went(meter.turn - turn);
}

/** A request gets in line for a task. Returns the meter's turn, for when it leaves it. */
export function countInLine({ meter, service, node }: Counted): number {
  meter.entry(service, node).queue.came();
  return meter.turn;
}

export function countOutOfLine({ meter, service, node }: Counted, turn: number): void {
  meter.entry(service, node).queue.went(meter.turn - turn);
}

/**
 * A task is asked.
 *
 * @param failed the task that failed before it
 */
export function countSent(counted: Counted, target: Target, why: Why, failed: Target | null): void {
  const task = taskCell(counted, target);
  const entry = entryCell(counted);
  task.add(counter.attempts);
  entry.add(counter.attempts);
  task.open.came();
  if (why === "first") return;
  task.add(why === "retry" ? counter.retries : counter.hedges);
  entry.add(why === "retry" ? counter.retries : counter.hedges);
  if (why === "hedge" || failed === null) return;
  taskCell(counted, failed).add(counter.redispatches);
  entry.add(counter.redispatches);
}

/**
 * An attempt has ended.
 *
 * @param timed its failure is the task's: no body was streaming to it
 */
export function countOutcome(
  counted: Counted,
  target: Target,
  turn: number,
  outcome: Outcome,
  tookMs: number,
  timed: boolean,
): void {
  const task = taskCell(counted, target);
  task.open.went(counted.meter.turn - turn);
  if (outcome === "failed") {
    const error = timed ? counter.connectErrors : counter.responseErrors;
    task.add(error);
    entryCell(counted).add(error);
    return;
  }
  task.took(tookMs);
  task.add(counter.tookMs, tookMs);
}

/** An attempt is waited for no longer: another task answered first, or its time is over. */
export function countGivenUp(counted: Counted, target: Target, turn: number, isTimeout: boolean): void {
  const task = taskCell(counted, target);
  task.open.went(counted.meter.turn - turn);
  if (!isTimeout) return;
  task.add(counter.timeouts);
  entryCell(counted).add(counter.timeouts);
}

/** The answer of a task that was asked beside another one came first. */
export function countHedgeWon(counted: Counted, target: Target): void {
  taskCell(counted, target).add(counter.hedgesWon);
  entryCell(counted).add(counter.hedgesWon);
}

/** Requests pass a task over from now on. */
export function countEjection(counted: Counted, target: Target): void {
  taskCell(counted, target).add(counter.ejections);
  entryCell(counted).add(counter.ejections);
}

/** So many tasks are passed over that all are used. */
export function countPanic(counted: Counted): void {
  entryCell(counted).add(counter.panics);
}

/** What a request came to. */
export type Ending = {
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
export function countEnd(meter: Meter, service: Named | null, node: Named | null, ending: Ending): void {
  const { target, result, bytesIn, tookMs } = ending;
  const entry = meter.entry(service, node);
  const bytesOut = result instanceof Response ? bytesOf(result, ending.method) : 0;
  const klass = classOf(result.status);
  addEnd(entry, klass, bytesIn ?? 0, bytesOut);
  entry.took(tookMs);
  entry.add(counter.tookMs, tookMs);
  if (!(result instanceof Response)) entry.add(refusalOf(result.status));
  if (target === null || service === null) return;
  const task = meter.task(target, service);
  if (result instanceof Response) addEnd(task, klass, bytesIn ?? 0, bytesOut);
  else task.add(counter.requests);
}

function addEnd(cell: Cell, klass: number, bytesIn: number, bytesOut: number): void {
  cell.add(counter.requests);
  cell.add(klass);
  if (bytesIn > 0) cell.add(counter.bytesIn, bytesIn);
  if (bytesOut > 0) cell.add(counter.bytesOut, bytesOut);
}

/** By Content-Length: following a body would cost it the runtime's own streaming. */
function bytesOf({ status, headers }: Response, method: string): number {
  if (method === "HEAD" || status === 304) return 0;
  return Number(headers.get("content-length")) || 0;
}

function taskCell({ meter, service }: Counted, target: Target): Cell {
  return meter.task(target, service);
}

function entryCell({ meter, service, node }: Counted): Cell {
  return meter.entry(service, node);
}
