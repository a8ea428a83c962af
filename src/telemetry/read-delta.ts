// Reading a delta: what an isolate sent, refused whole when any of it is not what a delta is. By hand, for there is no
// schema library in the data plane's reach.

import { MeshError } from "../domain/error.ts";
import { counterCount } from "./counters.ts";
import type { Delta } from "./delta.ts";
import { bucketCount } from "./histogram.ts";

/** Tasks, or entries, that one delta may tell of. */
const maxParts = 20_000;
/** Nothing is counted more often between two deltas, bytes included: a petabyte. */
const maxCount = 1e15;
/** An isolate passes a task over for no longer than an hour, milliseconds. */
const maxEjectedMs = 3_600_000;

/** @throws MeshError delta/invalid saying what is wrong */
export function readDelta(given: unknown): Delta {
  const delta = object(given, "delta");
  word(delta.isolate, "isolate");
  word(delta.place, "place");
  if (!Number.isSafeInteger(delta.seq) || Number(delta.seq) < 1) throw wrong("seq", delta.seq);
  for (const task of parts(delta.tasks, "tasks")) readTask(task);
  for (const entry of parts(delta.entries, "entries")) readEntry(entry);
  return given as Delta;
}

function readTask(given: unknown): void {
  const task = object(given, "task");
  for (const key of ["id", "serviceId"]) word(task[key], key);
  if (task.nodeId !== "") word(task.nodeId, "nodeId");
  for (const key of ["name", "serviceName"]) text(task[key], key);
  if (!isCount(task.slot, 1e9)) throw wrong("slot", task.slot);
  if (!isCount(task.ejectedMs, maxEjectedMs)) throw wrong("ejectedMs", task.ejectedMs);
  readFigures(task);
}

function readEntry(given: unknown): void {
  const entry = object(given, "entry");
  for (const key of ["service", "node"]) {
    if (entry[key] === null) continue;
    const { id, name } = object(entry[key], key);
    word(id, `${key}.id`);
    text(name, `${key}.name`);
  }
  readFigures(entry);
}

function readFigures(part: Record<string, unknown>): void {
  pairs(part.counts, "counts", counterCount);
  pairs(part.buckets, "buckets", bucketCount);
  for (const key of ["open", "openMax", "queue", "queueMax"]) {
    if (!isCount(part[key], 1e9)) throw wrong(key, part[key]);
  }
}

/** A counter of a newer release's is not read as one of ours: it is left out when it is added. */
function pairs(given: unknown, what: string, count: number): void {
  if (!Array.isArray(given) || given.length % 2 !== 0 || given.length > 4 * count) throw wrong(what, given);
  for (const value of given) if (!isCount(value, maxCount)) throw wrong(what, value);
}

function parts(given: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(given) || given.length > maxParts) throw wrong(what, given);
  return given;
}

function object(given: unknown, what: string): Record<string, unknown> {
  if (typeof given !== "object" || given === null) throw wrong(what, given);
  return given as Record<string, unknown>;
}

/** Ids are put together to keys with spaces between. */
function word(given: unknown, what: string): void {
  if (typeof given !== "string" || !/^\S{1,100}$/.test(given)) throw wrong(what, given);
}

function text(given: unknown, what: string): void {
  if (typeof given !== "string" || given.length > 200) throw wrong(what, given);
}

function isCount(given: unknown, most: number): given is number {
  return typeof given === "number" && given >= 0 && given <= most;
}

function wrong(what: string, given: unknown): MeshError {
  const read = JSON.stringify(given)?.slice(0, 80);
  return new MeshError("delta/invalid", `cannot read ${what} of a delta: ${read}`, {
    blame: "mesh",
    retry: "never",
  });
}
