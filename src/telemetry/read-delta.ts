// Checks a delta from an isolate, and rejects it whole if any part is invalid. It is checked by hand: the
// data plane may not import a schema library.

import { MeshError } from "../domain/model/error.ts";
import { counterCount } from "./counters.ts";
import type { Delta } from "./delta.ts";
import { histogramBucketCount } from "./histogram.ts";

/** Limit of tasks, and of entries, in one delta. */
const maxParts = 20_000;
/** Limit of one counter in one delta; for bytes, a petabyte. */
const maxDeltaCount = 1e15;
/** Limit of slices, of the length of one, and of a time: the year 2255. Milliseconds. */
const maxDeltaSlices = 300;
const maxSliceMs = 3_600_000;
const maxTimeMs = Number.MAX_SAFE_INTEGER / 1_000;
/** An ejection lasts at most an hour. Milliseconds. */
const maxEjectedMs = 3_600_000;

/** @throws MeshError delta/invalid */
export function readDelta(value: unknown): Delta {
  const delta = readObject(value, "delta");
  checkWord(delta.isolate, "isolate");
  checkWord(delta.colo, "colo");
  if (delta.times !== undefined) checkTimes(delta.times);
  if (!Number.isSafeInteger(delta.seq) || Number(delta.seq) < 1) throw invalidDelta("seq", delta.seq);
  for (const task of readParts(delta.tasks, "tasks")) checkTask(task);
  for (const entry of readParts(delta.entries, "entries")) checkEntry(entry);
  return value as Delta;
}

function checkTimes(value: unknown): void {
  const { takenMs, sentMs = 0, slicesMs } = readObject(value, "times");
  if (!isCount(takenMs, maxTimeMs)) throw invalidDelta("takenMs", takenMs);
  if (!isCount(sentMs, maxTimeMs)) throw invalidDelta("sentMs", sentMs);
  if (!Array.isArray(slicesMs) || slicesMs.length === 0 || slicesMs.length > maxDeltaSlices)
    throw invalidDelta("slicesMs", slicesMs);
  for (const lengthMs of slicesMs)
    if (!isCount(lengthMs, maxSliceMs)) throw invalidDelta("slicesMs", lengthMs);
}

function checkTask(value: unknown): void {
  const task = readObject(value, "task");
  for (const key of ["id", "serviceId"]) checkWord(task[key], key);
  if (task.nodeId !== "") checkWord(task.nodeId, "nodeId");
  for (const key of ["name", "serviceName"]) checkNameText(task[key], key);
  if (!isCount(task.slot, 1e9)) throw invalidDelta("slot", task.slot);
  if (!isCount(task.ejectedMs, maxEjectedMs)) throw invalidDelta("ejectedMs", task.ejectedMs);
  checkMetrics(task);
}

function checkEntry(value: unknown): void {
  const entry = readObject(value, "entry");
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
  if (part.slices !== undefined) checkSlices(part.slices);
  for (const key of ["open", "openMax", "queue", "queueMax"]) {
    if (!isCount(part[key], 1e9)) throw invalidDelta(key, part[key]);
  }
}

function checkSlices(value: unknown): void {
  if (!Array.isArray(value) || value.length > 2 * maxDeltaSlices) throw invalidDelta("slices", value);
  for (const number of value) if (!isCount(number, maxDeltaCount)) throw invalidDelta("slices", number);
}

/** Accepts the indexes of a newer release's counters, which `addSparse` skips. */
function checkSparseArray(value: unknown, field: string, count: number): void {
  if (!Array.isArray(value) || value.length % 2 !== 0 || value.length > 4 * count)
    throw invalidDelta(field, value);
  for (const number of value) if (!isCount(number, maxDeltaCount)) throw invalidDelta(field, number);
}

function readParts(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value) || value.length > maxParts) throw invalidDelta(field, value);
  return value;
}

function readObject(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null) throw invalidDelta(field, value);
  return value as Record<string, unknown>;
}

/** An id of ASCII without spaces, since keys join ids with spaces and rows have a limit of bytes. */
function checkWord(value: unknown, field: string): void {
  if (typeof value !== "string" || !/^[!-~]{1,100}$/.test(value)) throw invalidDelta(field, value);
}

function checkNameText(value: unknown, field: string): void {
  if (typeof value !== "string" || value.length > 200) throw invalidDelta(field, value);
}

function isCount(value: unknown, max: number): value is number {
  return typeof value === "number" && value >= 0 && value <= max;
}

function invalidDelta(field: string, value: unknown): MeshError {
  const text = JSON.stringify(value)?.slice(0, 80);
  return new MeshError("delta/invalid", `cannot read ${field} of a delta: ${text}`, {
    blame: "mesh",
    retry: "never",
  });
}
