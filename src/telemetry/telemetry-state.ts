// The telemetry state: traffic totals of services, nodes, entries and tasks, and of tasks by colo.

import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";
import { type GaugeValues, QueueGauges } from "./queue-gauges.ts";
import { addToTotals, newTimeSeriesPair, newTotals, type Totals } from "./totals.ts";

/** An `entry` is a service at a node's entry point; a `colo` is a task as one colo sees it. */
export type ItemKind = "service" | "node" | "task" | "entry" | "colo";

export type TelemetryItem = {
  readonly kind: ItemKind;
  readonly key: string;
  labels: ItemLabels;
  readonly totals: Totals;
};

/** Identifies an item: its id and name, and the service, node, slot and colo it belongs to. */
export type ItemLabels = {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  readonly nodeId: string;
  readonly slot: number;
  readonly colo: string;
};

/** The latest report of one isolate. Kept in memory only, since the isolate reports again. */
export type IsolateState = {
  readonly id: string;
  readonly colo: string;
  lastMs: number;
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
  readonly isolates: Map<string, IsolateState>;
  /** The gauges of these isolates, summed. */
  readonly queueGauges: QueueGauges;
  /** The number of each isolate's last delta, least recent isolate first. */
  readonly lastSeqs: Map<string, number>;
  /** How many totals isolates have of their own. */
  isolateTotals: number;
  /** Keys of items changed since the last save. */
  readonly changedKeys: Set<string>;
};

/** Isolates whose delta numbers are kept: enough for a number to be there when its delta is sent again. */
const maxSeqs = 5_000;
/** Totals kept for single isolates, about 5 MB; more are counted by colo only. */
const maxIsolateTotals = 5_000;
/** Items kept of each kind; over the limit, the least recently counted ones are removed. */
const maxItems: Readonly<Record<ItemKind, number>> = {
  service: 2_000,
  node: 2_000,
  task: 12_000,
  entry: 20_000,
  colo: 20_000,
};
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
    isolates: new Map(),
    queueGauges: new QueueGauges(),
    lastSeqs: new Map(),
    isolateTotals: 0,
    changedKeys: new Set(),
  };
}

/**
 * Applies a delta, unless it was applied before.
 *
 * @returns true if it was new
 * @see docs/spec.md J4
 */
export function addDelta(state: TelemetryState, delta: Delta, nowMs: number): boolean {
  const known = state.lastSeqs.get(delta.isolate);
  if (known !== undefined && delta.seq <= known) return false;
  recordSeq(state.lastSeqs, delta);
  const isolate = findOrAddIsolate(state, delta, nowMs);
  const items = [
    ...delta.entries.flatMap((entry) => addEntry(state, isolate, entry, nowMs)),
    ...delta.tasks.map((task) => addTask(state, isolate, task, nowMs)),
  ];
  for (const item of items) raiseMaxima(state, item);
  return true;
}

function recordSeq(seqs: Map<string, number>, { isolate, seq }: Delta): void {
  seqs.delete(isolate);
  seqs.set(isolate, seq);
  for (const oldest of seqs.keys()) {
    if (seqs.size <= maxSeqs) return;
    seqs.delete(oldest);
  }
}

function findOrAddIsolate(state: TelemetryState, { isolate: id, colo }: Delta, nowMs: number): IsolateState {
  const known = state.isolates.get(id);
  if (known !== undefined) {
    known.lastMs = nowMs;
    return known;
  }
  const made = {
    id,
    colo,
    lastMs: nowMs,
    tasks: new Map(),
    gauges: new Map(),
    ejectedUntilMs: new Map(),
  };
  state.isolates.set(id, made);
  return made;
}

/** @returns the items that count it */
function addEntry(
  state: TelemetryState,
  isolate: IsolateState,
  delta: EntryDelta,
  nowMs: number,
): TelemetryItem[] {
  const { service, node } = delta;
  const owner = { serviceId: service?.id ?? "", nodeId: node?.id ?? "" };
  const entry = findOrAddItem(state, "entry", entryKey(service?.id, node?.id), owner, nowMs);
  updateGauges(state, isolate, entry.key, delta);
  addToTotals(entry.totals, delta, nowMs, "entry");
  const items = [entry];
  if (service !== null) {
    const item = findOrAddItem(state, "service", service.id, { id: service.id, name: service.name }, nowMs);
    addToTotals(item.totals, delta, nowMs, "entry");
    items.push(item);
  }
  if (node !== null) {
    const item = findOrAddItem(state, "node", node.id, { id: node.id, name: node.name }, nowMs);
    addToTotals(item.totals, delta, nowMs, "entry");
    items.push(item);
  }
  return items;
}

function addTask(
  state: TelemetryState,
  isolate: IsolateState,
  delta: TaskDelta,
  nowMs: number,
): TelemetryItem {
  const { id, name, slot, nodeId, serviceId, ejectedMs } = delta;
  const labels = { id, name, slot, nodeId, serviceId };
  const task = findOrAddItem(state, "task", id, labels, nowMs);
  updateGauges(state, isolate, task.key, delta);
  addToTotals(task.totals, delta, nowMs, "task");
  const { colo } = isolate;
  const inColo = findOrAddItem(state, "colo", `${colo} ${id}`, { ...labels, colo }, nowMs);
  addToTotals(inColo.totals, delta, nowMs, "task");
  addToIsolate(state, isolate, delta, nowMs);
  raiseServiceMax(state, delta);
  if (ejectedMs > 0) isolate.ejectedUntilMs.set(id, nowMs + ejectedMs);
  else isolate.ejectedUntilMs.delete(id);
  return task;
}

/** A service's maximum is at least that of each of its tasks; its entries only have those of single nodes. */
function raiseServiceMax({ items }: TelemetryState, { serviceId, openMax }: TaskDelta): void {
  const totals = items.get(`service ${serviceId}`)?.totals;
  if (totals !== undefined) totals.openMax = Math.max(totals.openMax, openMax);
}

/** Counts for the isolate itself, up to the limit of such totals. */
function addToIsolate(state: TelemetryState, isolate: IsolateState, delta: TaskDelta, nowMs: number): void {
  const known = isolate.tasks.get(delta.id);
  if (known === undefined && state.isolateTotals >= maxIsolateTotals) return;
  const totals = known ?? newTotals(nowMs, null);
  if (known === undefined) state.isolateTotals += 1;
  isolate.tasks.set(delta.id, totals);
  addToTotals(totals, delta, nowMs, "task");
}

function updateGauges(
  { queueGauges }: TelemetryState,
  { gauges }: IsolateState,
  key: string,
  { open, queue }: GaugeValues,
): void {
  queueGauges.replace(key, gauges.get(key) ?? { open: 0, queue: 0 }, { open, queue });
  if (open > 0 || queue > 0) gauges.set(key, { open, queue });
  else gauges.delete(key);
}

/** Raises the maxima to the sum over isolates. An isolate's own maximum between two deltas may be higher. */
function raiseMaxima({ queueGauges }: TelemetryState, { key, totals }: TelemetryItem): void {
  const { open, queue } = queueGauges.get(key);
  totals.openMax = Math.max(totals.openMax, open);
  totals.queueMax = Math.max(totals.queueMax, queue);
}

function entryKey(serviceId = "", nodeId = ""): string {
  return `${serviceId} ${nodeId}`;
}

/** Items with a page of their own have time series. */
const hasSeries: Readonly<Record<ItemKind, boolean>> = {
  service: true,
  node: true,
  task: true,
  entry: false,
  colo: false,
};

/** Nodes that keep the histogram of each bin, 30 KB a node in memory; other nodes keep percentiles only. */
const maxNodeHistograms = 200;

/** @param hasHistograms whether its series keep the histogram of each bin */
export function newItem(
  kind: ItemKind,
  key: string,
  labels: Partial<ItemLabels>,
  nowMs: number,
  hasHistograms: boolean,
): TelemetryItem {
  return {
    kind,
    key: `${kind} ${key}`,
    labels: { id: "", name: "", serviceId: "", nodeId: "", slot: 0, colo: "", ...labels },
    totals: newTotals(nowMs, hasSeries[kind] ? newTimeSeriesPair(hasHistograms) : null),
  };
}

function shouldKeepHistograms({ items }: TelemetryState, kind: ItemKind): boolean {
  if (kind !== "node") return kind === "service";
  let nodes = 0;
  for (const item of items.values()) if (item.kind === "node") nodes += 1;
  return nodes < maxNodeHistograms;
}

function findOrAddItem(
  state: TelemetryState,
  kind: ItemKind,
  key: string,
  labels: Partial<ItemLabels>,
  nowMs: number,
): TelemetryItem {
  const known = state.items.get(`${kind} ${key}`);
  const item = known ?? newItem(kind, key, labels, nowMs, shouldKeepHistograms(state, kind));
  // A service may have a new name, and so may a task's node.
  if (known !== undefined) known.labels = { ...known.labels, ...labels };
  else state.items.set(item.key, item);
  state.changedKeys.add(item.key);
  return item;
}

/**
 * Removes isolates that ended, items without traffic for long, and items over the limits.
 *
 * @returns keys of the removed items
 */
export function removeExpired(state: TelemetryState, nowMs: number): readonly string[] {
  for (const [id, { lastMs, tasks, gauges }] of state.isolates) {
    if (Math.abs(nowMs - lastMs) <= isolateTimeoutMs) continue;
    state.isolates.delete(id);
    for (const [key, values] of gauges) state.queueGauges.remove(key, values);
    state.isolateTotals -= tasks.size;
  }
  const expired = [...state.items.values()].filter(
    ({ kind, totals }) => nowMs - totals.lastMs > itemRetentionMs[kind],
  );
  for (const { key } of expired) state.items.delete(key);
  const overLimit = itemsOverLimit(state.items.values());
  for (const { key } of overLimit) state.items.delete(key);
  return [...expired, ...overLimit].map(({ key }) => key);
}

function itemsOverLimit(items: Iterable<TelemetryItem>): TelemetryItem[] {
  const byKind = Map.groupBy(items, ({ kind }) => kind);
  return [...byKind].flatMap(([kind, all]) => {
    if (all.length <= maxItems[kind]) return [];
    return all.sort((a, b) => a.totals.lastMs - b.totals.lastMs).slice(0, all.length - maxItems[kind]);
  });
}
