// The telemetry state: traffic totals of services, nodes, entries and tasks, and of tasks by colo.

import type { Covered } from "./coverage.ts";
import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";
import { type DeltaArrival, type DeltaSpans, spansOf, wholeSpan } from "./delta-spans.ts";
import {
  type Detail,
  type ItemKind,
  type ItemLabels,
  isolateBytes,
  maxIsolateBytes,
  newItem,
  othersId,
  type TelemetryItem,
} from "./items.ts";
import { type GaugeValues, QueueGauges } from "./queue-gauges.ts";
import { RoomForItems } from "./room.ts";
import { addToTotals, newTotals, type Totals } from "./totals.ts";

/** The latest report of one isolate. Kept in memory only, since the isolate reports again. */
export type IsolateState = Covered & {
  readonly id: string;
  readonly colo: string;
  lastMs: number;
  coveredMs: number | null;
  /** By task id. */
  readonly tasks: Map<string, Totals>;
  /** The latest gauges by item, without those that are zero. */
  readonly gauges: Map<string, GaugeValues>;
  /** End of each ejection by task id, by the object's clock. */
  readonly ejectedUntilMs: Map<string, number>;
};

export type TelemetryState = {
  /** The start of counting. */
  sinceMs: number;
  readonly items: Map<string, TelemetryItem>;
  /** The memory of items, by kind and detail. */
  readonly room: RoomForItems;
  readonly isolates: Map<string, IsolateState>;
  /** The gauges of these isolates, summed. */
  readonly queueGauges: QueueGauges;
  /** The number of each isolate's last delta, least recent isolate first. */
  readonly lastSeqs: Map<string, number>;
  /** Deltas applied so far, which numbers them. */
  line: number;
  /** Keys of items changed since they were stored. */
  readonly changedKeys: Set<string>;
  /** Keys of removed items that are stored. */
  readonly removedKeys: Set<string>;
};

/** Isolates whose delta numbers are kept: enough for a number to be there when its delta is sent again. */
const maxSeqs = 5_000;
const dayMs = 86_400_000;
/** An item without traffic is removed after this time, milliseconds. Tasks come and go; services stay. */
const itemRetentionMs: Readonly<Record<ItemKind, number>> = {
  service: 7 * dayMs,
  node: 7 * dayMs,
  task: dayMs,
  entry: 7 * dayMs,
  colo: dayMs,
};
/** An isolate without a delta for this long is removed; its colo keeps its counts. Milliseconds. */
export const isolateTimeoutMs = 60_000;

export function newTelemetryState(nowMs: number): TelemetryState {
  return {
    sinceMs: nowMs,
    items: new Map(),
    room: new RoomForItems(),
    isolates: new Map(),
    queueGauges: new QueueGauges(),
    lastSeqs: new Map(),
    line: 0,
    changedKeys: new Set(),
    removedKeys: new Set(),
  };
}

/** A delta on its way into the state. */
type Arriving = {
  readonly state: TelemetryState;
  readonly isolate: IsolateState;
  readonly spans: DeltaSpans;
  readonly nowMs: number;
};

/**
 * Applies a delta, unless it was applied before.
 *
 * @returns true if it was new
 * @see docs/spec.md J4
 */
export function addDelta(state: TelemetryState, delta: Delta, arrival: DeltaArrival): boolean {
  const known = state.lastSeqs.get(delta.isolate);
  if (known !== undefined && delta.seq <= known) return false;
  replayDelta(state, delta, arrival, state.line + 1);
  return true;
}

/**
 * Applies a delta under a number that it got earlier, to items that were stored without it.
 *
 * @param line greater than those before it
 */
export function replayDelta(state: TelemetryState, delta: Delta, arrival: DeltaArrival, line: number): void {
  const { nowMs } = arrival;
  state.line = line;
  recordSeq(state.lastSeqs, delta);
  const spans = spansOf(delta.times, arrival);
  const arriving = { state, isolate: findOrAddIsolate(state, delta, spans, nowMs), spans, nowMs };
  const items = [
    ...delta.entries.flatMap((entry) => addEntry(arriving, entry)),
    ...delta.tasks.map((task) => addTask(arriving, task)),
  ];
  for (const item of items) raiseMaxima(state, item);
}

function recordSeq(seqs: Map<string, number>, { isolate, seq }: Delta): void {
  const latest = Math.max(seq, seqs.get(isolate) ?? 0);
  seqs.delete(isolate);
  seqs.set(isolate, latest);
  for (const oldest of seqs.keys()) {
    if (seqs.size <= maxSeqs) return;
    seqs.delete(oldest);
  }
}

function findOrAddIsolate(
  state: TelemetryState,
  { isolate: id, colo, times }: Delta,
  spans: DeltaSpans,
  nowMs: number,
): IsolateState {
  const report = { lastMs: nowMs, coveredMs: times === undefined ? null : wholeSpan(spans).toMs };
  const known = state.isolates.get(id);
  if (known !== undefined) return Object.assign(known, report);
  const made = { id, colo, ...report, tasks: new Map(), gauges: new Map(), ejectedUntilMs: new Map() };
  // Without room the isolate counts, but has no view of its own.
  if (takeIsolateRoom(state, isolateBytes.isolate)) state.isolates.set(id, made);
  return made;
}

function takeIsolateRoom({ room }: TelemetryState, bytes: number): boolean {
  if (room.isolateBytes + bytes > maxIsolateBytes) return false;
  room.isolateBytes += bytes;
  return true;
}

/** @returns the items that count it */
function addEntry(arriving: Arriving, delta: EntryDelta): TelemetryItem[] {
  const { state } = arriving;
  const service = delta.service === null ? null : findOrAddOwn(arriving, "service", delta.service);
  const node = delta.node === null ? null : findOrAddOwn(arriving, "node", delta.node);
  const owner = { serviceId: service?.labels.id ?? "", nodeId: node?.labels.id ?? "" };
  const entry =
    findOrAddItem(arriving, "entry", entryKey(owner.serviceId, owner.nodeId), owner) ??
    othersOf(arriving, "entry", entryKey(owner.serviceId, othersId), { ...owner, nodeId: othersId });
  updateGauges(arriving, entry.key, delta);
  const items = [entry, service, node].filter((item) => item !== null);
  for (const item of items) addToItem(state, item, delta, arriving.spans, "entry");
  return items;
}

/** A service or node; the others of its kind if there is no room for it. */
function findOrAddOwn(
  arriving: Arriving,
  kind: "service" | "node",
  { id, name }: { readonly id: string; readonly name: string },
): TelemetryItem {
  return (
    findOrAddItem(arriving, kind, id, { id, name }) ??
    othersOf(arriving, kind, othersId, { id: othersId, name: "(others)" })
  );
}

function addTask(arriving: Arriving, delta: TaskDelta): TelemetryItem {
  const { state, isolate, spans, nowMs } = arriving;
  const { id, name, slot, nodeId, ejectedMs } = delta;
  const serviceId = listedServiceId(state, delta.serviceId);
  const labels = { id, name, slot, nodeId, serviceId };
  const others = { id: `${othersId}.${serviceId}`, name: "(others)", slot: 0, nodeId: "", serviceId };
  const task = findOrAddItem(arriving, "task", id, labels) ?? othersOf(arriving, "task", others.id, others);
  updateGauges(arriving, task.key, delta);
  addToItem(state, task, delta, spans, "task");
  const { colo } = isolate;
  const inColo = findOrAddItem(arriving, "colo", `${colo} ${id}`, { ...labels, colo });
  if (inColo !== null) addToItem(state, inColo, delta, spans, "task");
  addToIsolate(arriving, delta);
  raiseServiceMax(state, serviceId, delta.openMax);
  setEjection(state, isolate, id, ejectedMs > 0 ? nowMs + ejectedMs : null);
  return task;
}

/** The id under which a task's service is listed: that of the others if there was no room for it. */
function listedServiceId({ items }: TelemetryState, id: string): string {
  return items.has(`service ${id}`) || !items.has(`service ${othersId}`) ? id : othersId;
}

/** A service's maximum is at least that of each of its tasks; its entries only have those of single nodes. */
function raiseServiceMax({ items }: TelemetryState, serviceId: string, openMax: number): void {
  const totals = items.get(`service ${serviceId}`)?.totals;
  if (totals !== undefined) totals.openMax = Math.max(totals.openMax, openMax);
}

/** Counts a delta, unless the item was stored with it. */
function addToItem(
  { line, changedKeys }: TelemetryState,
  item: TelemetryItem,
  delta: EntryDelta | TaskDelta,
  spans: DeltaSpans,
  kind: "entry" | "task",
): void {
  if (line <= item.storedLine) return;
  addToTotals(item.totals, delta, spans, kind);
  changedKeys.add(item.key);
}

/** Counts for the isolate itself, if there is room for such totals. */
function addToIsolate({ state, isolate, spans, nowMs }: Arriving, delta: TaskDelta): void {
  const known = isolate.tasks.get(delta.id);
  if (known === undefined && !takeIsolateRoom(state, isolateBytes.totals)) return;
  const totals = known ?? newTotals(nowMs, null);
  isolate.tasks.set(delta.id, totals);
  addToTotals(totals, delta, spans, "task");
}

function setEjection(
  state: TelemetryState,
  { ejectedUntilMs }: IsolateState,
  taskId: string,
  untilMs: number | null,
): void {
  if (untilMs === null) {
    if (ejectedUntilMs.delete(taskId)) state.room.isolateBytes -= isolateBytes.entry;
  } else if (ejectedUntilMs.has(taskId) || takeIsolateRoom(state, isolateBytes.entry)) {
    ejectedUntilMs.set(taskId, untilMs);
  }
}

function updateGauges({ state, isolate }: Arriving, key: string, { open, queue }: GaugeValues): void {
  const { gauges } = isolate;
  const before = gauges.get(key);
  const hasValues = open > 0 || queue > 0;
  if (before === undefined && (!hasValues || !takeIsolateRoom(state, isolateBytes.entry))) return;
  state.queueGauges.replace(key, before ?? { open: 0, queue: 0 }, { open, queue });
  if (hasValues) gauges.set(key, { open, queue });
  else if (gauges.delete(key)) state.room.isolateBytes -= isolateBytes.entry;
}

/** Raises the maxima to the sum over isolates. An isolate's own maximum between two deltas may be higher. */
function raiseMaxima({ queueGauges }: TelemetryState, { key, totals }: TelemetryItem): void {
  const { open, queue } = queueGauges.get(key);
  totals.openMax = Math.max(totals.openMax, open);
  totals.queueMax = Math.max(totals.queueMax, queue);
}

function entryKey(serviceId: string, nodeId: string): string {
  return `${serviceId} ${nodeId}`;
}

/** Null if there is no room for one more. */
function findOrAddItem(
  arriving: Arriving,
  kind: ItemKind,
  key: string,
  labels: Partial<ItemLabels>,
): TelemetryItem | null {
  const { state, nowMs } = arriving;
  const known = state.items.get(`${kind} ${key}`);
  if (known !== undefined) {
    relabel(state, known, labels);
    return known;
  }
  const detail =
    state.room.detailFor(kind) ?? (removeIdle(state, kind, nowMs) ? state.room.detailFor(kind) : null);
  if (detail === null) {
    state.room.leftOutMs.set(kind, nowMs);
    return null;
  }
  return addItem(arriving, kind, key, labels, detail);
}

/** The item that counts what there is no room for, so that sums stay right. Never refused: there are few. */
function othersOf(
  arriving: Arriving,
  kind: ItemKind,
  key: string,
  labels: Partial<ItemLabels>,
): TelemetryItem {
  return (
    arriving.state.items.get(`${kind} ${key}`) ??
    addItem(arriving, kind, key, labels, kind === "service" || kind === "node" ? "recent" : "sums")
  );
}

function addItem(
  { state, spans }: Arriving,
  kind: ItemKind,
  key: string,
  labels: Partial<ItemLabels>,
  detail: Detail,
): TelemetryItem {
  const item = newItem(kind, key, labels, wholeSpan(spans).toMs, detail);
  putItem(state, item);
  return item;
}

export function putItem(state: TelemetryState, item: TelemetryItem): void {
  state.items.set(item.key, item);
  state.room.add(item, 1);
  state.removedKeys.delete(item.key);
}

/** A service may have a new name, and so may a task's node. */
function relabel(state: TelemetryState, item: TelemetryItem, labels: Partial<ItemLabels>): void {
  const isSame = (Object.keys(labels) as (keyof ItemLabels)[]).every(
    (name) => labels[name] === item.labels[name],
  );
  if (isSame) return;
  state.room.add(item, -1);
  item.labels = { ...item.labels, ...labels };
  state.room.add(item, 1);
  state.changedKeys.add(item.key);
}

/** An item that counted within this time is not removed to make room, milliseconds. */
const recentlyCountedMs = 600_000;
/** Between two searches for items to remove, milliseconds: each walks all items. */
const searchGapMs = 10_000;

/** Removes items of a kind that are idle, to make room. @returns false if all have counted recently */
function removeIdle(state: TelemetryState, kind: ItemKind, nowMs: number): boolean {
  const { items, room } = state;
  const sinceMs = nowMs - (room.searchedMs.get(kind) ?? Number.NEGATIVE_INFINITY);
  if (sinceMs >= 0 && sinceMs < searchGapMs) return false;
  room.searchedMs.set(kind, nowMs);
  const idle = [...items.values()]
    .filter((item) => item.kind === kind && nowMs - item.totals.lastMs > recentlyCountedMs)
    .sort((a, b) => a.totals.lastMs - b.totals.lastMs);
  // Several at once, because the search is long.
  for (const item of idle.slice(0, Math.ceil(idle.length / 10))) removeItem(state, item);
  return idle.length > 0;
}

function removeItem(state: TelemetryState, item: TelemetryItem): void {
  state.items.delete(item.key);
  state.room.add(item, -1);
  state.changedKeys.delete(item.key);
  if (item.storedLine >= 0) state.removedKeys.add(item.key);
}

/** Removes isolates that ended, and items without traffic for long. */
export function removeExpired(state: TelemetryState, nowMs: number): void {
  for (const [id, { lastMs, tasks, gauges, ejectedUntilMs }] of state.isolates) {
    if (Math.abs(nowMs - lastMs) <= isolateTimeoutMs) continue;
    state.isolates.delete(id);
    for (const [key, values] of gauges) state.queueGauges.remove(key, values);
    const entries = gauges.size + ejectedUntilMs.size;
    state.room.isolateBytes -=
      isolateBytes.isolate + entries * isolateBytes.entry + tasks.size * isolateBytes.totals;
  }
  for (const item of [...state.items.values()])
    if (nowMs - item.totals.lastMs > itemRetentionMs[item.kind]) removeItem(state, item);
}
