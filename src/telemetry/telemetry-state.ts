// What is known of a mesh's traffic: figures of services, nodes, tasks, and of tasks as each colo sees them.

import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";
import { type GaugeValues, QueueGauges } from "./queue-gauges.ts";
import { addToTotals, newTimeSeriesPair, newTotals, type Totals } from "./totals.ts";

export type ItemKind = "service" | "node" | "task" | "entry" | "colo";

/** Figures of one thing, and how it is called. */
export type TelemetryItem = {
  readonly kind: ItemKind;
  readonly key: string;
  labels: ItemLabels;
  readonly totals: Totals;
};

/** What a thing is called; of a task, an entry or a colo also what it belongs to. */
export type ItemLabels = {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  readonly nodeId: string;
  readonly slot: number;
  readonly colo: string;
};

/** What one isolate says of itself and of tasks, in memory only: it says it again. */
export type IsolateState = {
  readonly id: string;
  readonly colo: string;
  lastMs: number;
  /** Figures by task id. */
  readonly tasks: Map<string, Totals>;
  /** How many wait, by item, as last said; not where none does. */
  readonly gauges: Map<string, GaugeValues>;
  /** Until when it passes tasks over, by the object's clock. */
  readonly ejectedUntilMs: Map<string, number>;
};

export type TelemetryState = {
  /** Since when is counted. */
  readonly sinceMs: number;
  readonly items: Map<string, TelemetryItem>;
  readonly isolates: Map<string, IsolateState>;
  /** How many wait, in sum over these isolates. */
  readonly queueGauges: QueueGauges;
  /** Number of the last delta of each isolate; those that said something last come last. */
  readonly lastSeqs: Map<string, number>;
  /** Figures that isolates have of their own, in sum. */
  isolateTotals: number;
  /** Keys of items changed since they were last kept. */
  readonly changedKeys: Set<string>;
};

/** Isolates whose delta numbers are remembered. One of fewer could be forgotten between a delta and the same one again. */
const maxSeqs = 5_000;
/** Figures kept of isolates' own, some 5 MB; beyond, only those of their colo are. */
const maxIsolateTotals = 5_000;
/** Things kept of each kind; beyond, those unheard for longest are forgotten. */
const maxItems: Readonly<Record<ItemKind, number>> = {
  service: 2_000,
  node: 2_000,
  task: 12_000,
  entry: 20_000,
  colo: 20_000,
};
const dayMs = 86_400_000;
/** A thing that nobody asks for is forgotten after so long, milliseconds. Tasks come and go; services stay. */
const itemRetentionMs: Readonly<Record<ItemKind, number>> = {
  service: 7 * dayMs,
  node: 7 * dayMs,
  task: dayMs,
  entry: 7 * dayMs,
  colo: dayMs,
};
/** An isolate unheard for so long has ended, or has nothing to say; its colo keeps what it counted. Milliseconds. */
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
 * Counts a delta in, unless it was counted before: then nothing changes.
 *
 * @returns whether it was new
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

/** @returns the items it was counted in */
function addEntry(
  state: TelemetryState,
  isolate: IsolateState,
  delta: EntryDelta,
  nowMs: number,
): TelemetryItem[] {
  const { service, node } = delta;
  const belongs = { serviceId: service?.id ?? "", nodeId: node?.id ?? "" };
  const entry = findOrAddItem(state, "entry", entryKey(service?.id, node?.id), belongs, nowMs);
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
  const about = { id, name, slot, nodeId, serviceId };
  const task = findOrAddItem(state, "task", id, about, nowMs);
  updateGauges(state, isolate, task.key, delta);
  addToTotals(task.totals, delta, nowMs, "task");
  const { colo } = isolate;
  const seen = findOrAddItem(state, "colo", `${colo} ${id}`, { ...about, colo }, nowMs);
  addToTotals(seen.totals, delta, nowMs, "task");
  addToIsolate(state, isolate, delta, nowMs);
  raiseServiceMax(state, delta);
  if (ejectedMs > 0) isolate.ejectedUntilMs.set(id, nowMs + ejectedMs);
  else isolate.ejectedUntilMs.delete(id);
  return task;
}

/** Where a task kept so many waiting, its service did: entries are told node by node. */
function raiseServiceMax({ items }: TelemetryState, { serviceId, openMax }: TaskDelta): void {
  const figures = items.get(`service ${serviceId}`)?.totals;
  if (figures !== undefined) figures.openMax = Math.max(figures.openMax, openMax);
}

/** What the isolate itself sees, as long as that is not too much to remember. */
function addToIsolate(state: TelemetryState, isolate: IsolateState, delta: TaskDelta, nowMs: number): void {
  const known = isolate.tasks.get(delta.id);
  if (known === undefined && state.isolateTotals >= maxIsolateTotals) return;
  const own = known ?? newTotals(nowMs, null);
  if (known === undefined) state.isolateTotals += 1;
  isolate.tasks.set(delta.id, own);
  addToTotals(own, delta, nowMs, "task");
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

/** The most is that of all isolates together, as far as they told; an isolate alone may have had more in between. */
function raiseMaxima({ queueGauges }: TelemetryState, { key, totals }: TelemetryItem): void {
  const { open, queue } = queueGauges.get(key);
  totals.openMax = Math.max(totals.openMax, open);
  totals.queueMax = Math.max(totals.queueMax, queue);
}

function entryKey(serviceId = "", nodeId = ""): string {
  return `${serviceId} ${nodeId}`;
}

/** Only things that have a page of their own have series. */
const hasSeries: Readonly<Record<ItemKind, boolean>> = {
  service: true,
  node: true,
  task: true,
  entry: false,
  colo: false,
};

/** So many nodes keep the histogram of each step, 30 KB each in memory; those beyond keep its percentiles. */
const maxNodeHistograms = 200;

/** @param histograms whether a series keeps the histogram of each step */
export function newItem(
  kind: ItemKind,
  key: string,
  about: Partial<ItemLabels>,
  nowMs: number,
  histograms: boolean,
): TelemetryItem {
  return {
    kind,
    key: `${kind} ${key}`,
    labels: { id: "", name: "", serviceId: "", nodeId: "", slot: 0, colo: "", ...about },
    totals: newTotals(nowMs, hasSeries[kind] ? newTimeSeriesPair(histograms) : null),
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
  about: Partial<ItemLabels>,
  nowMs: number,
): TelemetryItem {
  const known = state.items.get(`${kind} ${key}`);
  const item = known ?? newItem(kind, key, about, nowMs, shouldKeepHistograms(state, kind));
  // A service may have been renamed, a task's node as well.
  if (known !== undefined) known.labels = { ...known.labels, ...about };
  else state.items.set(item.key, item);
  state.changedKeys.add(item.key);
  return item;
}

/**
 * Forgets isolates that ended, and things that nobody has asked for in a long time, or so many that they are too many.
 *
 * @returns keys of the items forgotten
 */
export function removeExpired(state: TelemetryState, nowMs: number): readonly string[] {
  for (const [id, { lastMs, tasks, gauges }] of state.isolates) {
    if (Math.abs(nowMs - lastMs) <= isolateTimeoutMs) continue;
    state.isolates.delete(id);
    for (const [key, waits] of gauges) state.queueGauges.remove(key, waits);
    state.isolateTotals -= tasks.size;
  }
  const gone = [...state.items.values()].filter(
    ({ kind, totals }) => nowMs - totals.lastMs > itemRetentionMs[kind],
  );
  for (const { key } of gone) state.items.delete(key);
  const tooMany = itemsOverLimit(state.items.values());
  for (const { key } of tooMany) state.items.delete(key);
  return [...gone, ...tooMany].map(({ key }) => key);
}

function itemsOverLimit(items: Iterable<TelemetryItem>): TelemetryItem[] {
  const byKind = Map.groupBy(items, ({ kind }) => kind);
  return [...byKind].flatMap(([kind, all]) => {
    if (all.length <= maxItems[kind]) return [];
    return all.sort((a, b) => a.totals.lastMs - b.totals.lastMs).slice(0, all.length - maxItems[kind]);
  });
}
