// Reading a delta: what an isolate sent, refused whole when any of it is not what a delta is. By hand, for there is no
// schema library in the data plane's reach.

import { MeshError } from "../domain/model/error.ts";
import { counterCount } from "./counters.ts";
import type { Delta } from "./delta.ts";
import { histogramBucketCount } from "./histogram.ts";

/** Tasks, or entries, that one delta may tell of. */
const maxParts = 20_000;
/** Nothing is counted more often between two deltas, bytes included: a petabyte. */
const maxDeltaCount = 1e15;
/** An isolate passes a task over for no longer than an hour, milliseconds. */
const maxEjectedMs = 3_600_000;

/** @throws MeshError delta/invalid saying what is wrong */
export function readDelta(given: unknown): Delta {
  const delta = readObject(given, "delta");
  checkWord(delta.isolate, "isolate");
  checkWord(delta.colo, "colo");
  if (!Number.isSafeInteger(delta.seq) || Number(delta.seq) < 1) throw invalidDelta("seq", delta.seq);
  for (const task of readParts(delta.tasks, "tasks")) checkTask(task);
  for (const entry of readParts(delta.entries, "entries")) checkEntry(entry);
  return given as Delta;
}

function checkTask(given: unknown): void {
  const task = readObject(given, "task");
  for (const key of ["id", "serviceId"]) checkWord(task[key], key);
  if (task.nodeId !== "") checkWord(task.nodeId, "nodeId");
  for (const key of ["name", "serviceName"]) checkNameText(task[key], key);
  if (!isCount(task.slot, 1e9)) throw invalidDelta("slot", task.slot);
  if (!isCount(task.ejectedMs, maxEjectedMs)) throw invalidDelta("ejectedMs", task.ejectedMs);
  checkMetrics(task);
}

function checkEntry(given: unknown): void {
  const entry = readObject(given, "entry");
  for (const key of ["service", "node"]) {
    if (entry[key] === null) continue;
    const { id, name } = readObject(entry[key], key);
    checkWord(id, `${key}.id`);
    checkNameText(name, `${key}.name`);
  }
  checkMetrics(entry);
}

function checkMetrics(part: Record<string, unknown>): void {
  checkSparseArray(part.counts, "counts", counterCount);
  checkSparseArray(part.buckets, "buckets", histogramBucketCount);
  for (const key of ["open", "openMax", "queue", "queueMax"]) {
    if (!isCount(part[key], 1e9)) throw invalidDelta(key, part[key]);
  }
}

/** A counter of a newer release's is not read as one of ours: it is left out when it is added. */
function checkSparseArray(given: unknown, what: string, count: number): void {
  if (!Array.isArray(given) || given.length % 2 !== 0 || given.length > 4 * count)
    throw invalidDelta(what, given);
  for (const value of given) if (!isCount(value, maxDeltaCount)) throw invalidDelta(what, value);
}

function readParts(given: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(given) || given.length > maxParts) throw invalidDelta(what, given);
  return given;
}

function readObject(given: unknown, what: string): Record<string, unknown> {
  if (typeof given !== "object" || given === null) throw invalidDelta(what, given);
  return given as Record<string, unknown>;
}

/** Ids are put together to keys with spaces between. */
function checkWord(given: unknown, what: string): void {
  if (typeof given !== "string" || !/^\S{1,100}$/.test(given)) throw invalidDelta(what, given);
}

function checkNameText(given: unknown, what: string): void {
  if (typeof given !== "string" || given.length > 200) throw invalidDelta(what, given);
}

function isCount(given: unknown, most: number): given is number {
  return typeof given === "number" && given >= 0 && given <= most;
}

function invalidDelta(what: string, given: unknown): MeshError {
  const read = JSON.stringify(given)?.slice(0, 80);
  return new MeshError("delta/invalid", `cannot read ${what} of a delta: ${read}`, {
    blame: "mesh",
    retry: "never",
  });
}
