// What is known of a mesh's traffic: figures of services, nodes, tasks, and of tasks as each place sees them.

import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";
import { count, type Figures, newFigures, newSeries } from "./figures.ts";
import { WaitSums, type Waits } from "./waits.ts";

export type Kind = "service" | "node" | "task" | "entry" | "place";

/** Figures of one thing, and how it is called. */
export type Item = { readonly kind: Kind; readonly key: string; about: About; readonly figures: Figures };

/** What a thing is called; of a task, an entry or a place also what it belongs to. */
export type About = {
  readonly id: string;
  readonly name: string;
  readonly serviceId: string;
  readonly nodeId: string;
  readonly slot: number;
  readonly place: string;
};

/** What one isolate says of itself and of tasks, in memory only: it says it again. */
export type IsolateState = {
  readonly id: string;
  readonly place: string;
  lastMs: number;
  /** Figures by task id. */
  readonly tasks: Map<string, Figures>;
  /** How many wait, by item, as last said; not where none does. */
  readonly waiting: Map<string, Waits>;
  /** Until when it passes tasks over, by the object's clock. */
  readonly ejectedUntilMs: Map<string, number>;
};

export type TelemetryState = {
  /** Since when is counted. */
  readonly sinceMs: number;
  readonly items: Map<string, Item>;
  readonly isolates: Map<string, IsolateState>;
  /** How many wait, in sum over these isolates. */
  readonly waits: WaitSums;
  /** Number of the last delta of each isolate; those that said something last come last. */
  readonly seqs: Map<string, number>;
  /** Figures that isolates have of their own, in sum. */
  ownFigures: number;
  /** Keys of items changed since they were last kept. */
  readonly changed: Set<string>;
};

/** Isolates whose delta numbers are remembered. One of fewer could be forgotten between a delta and the same one again. */
const maxSeqs = 5_000;
/** Figures kept of isolates' own, some 5 MB; beyond, only those of their place are. */
const maxOwnFigures = 5_000;
/** Things kept of each kind; beyond, those unheard for longest are forgotten. */
const most: Readonly<Record<Kind, number>> = {
  service: 2_000,
  node: 2_000,
  task: 12_000,
  entry: 20_000,
  place: 20_000,
};
const dayMs = 86_400_000;
/** A thing that nobody asks for is forgotten after so long, milliseconds. Tasks come and go; services stay. */
const keepMs: Readonly<Record<Kind, number>> = {
  service: 7 * dayMs,
  node: 7 * dayMs,
  task: dayMs,
  entry: 7 * dayMs,
  place: dayMs,
};
/** An isolate unheard for so long has ended, or has nothing to say; its place keeps what it counted. Milliseconds. */
export const isolateKeepMs = 60_000;

export function newState(nowMs: number): TelemetryState {
  return {
    sinceMs: nowMs,
    items: new Map(),
    isolates: new Map(),
    waits: new WaitSums(),
    seqs: new Map(),
    ownFigures: 0,
    changed: new Set(),
  };
}

/**
 * Counts a delta in, unless it was counted before: then nothing changes.
 *
 * @returns whether it was new
 * @see docs/spec.md J4
 */
export function addDelta(state: TelemetryState, delta: Delta, nowMs: number): boolean {
  const known = state.seqs.get(delta.isolate);
  if (known !== undefined && delta.seq <= known) return false;
  remember(state.seqs, delta);
  const isolate = isolateOf(state, delta, nowMs);
  const items = [
    ...delta.entries.flatMap((entry) => addEntry(state, isolate, entry, nowMs)),
    ...delta.tasks.map((task) => addTask(state, isolate, task, nowMs)),
  ];
  for (const item of items) raiseMost(state, item);
  return true;
}

function remember(seqs: Map<string, number>, { isolate, seq }: Delta): void {
  seqs.delete(isolate);
  seqs.set(isolate, seq);
  for (const oldest of seqs.keys()) {
    if (seqs.size <= maxSeqs) return;
    seqs.delete(oldest);
  }
}

function isolateOf(state: TelemetryState, { isolate: id, place }: Delta, nowMs: number): IsolateState {
  const known = state.isolates.get(id);
  if (known !== undefined) {
    known.lastMs = nowMs;
    return known;
  }
  const made = {
    id,
    place,
    lastMs: nowMs,
    tasks: new Map(),
    waiting: new Map(),
    ejectedUntilMs: new Map(),
  };
  state.isolates.set(id, made);
  return made;
}

/** @returns the items it was counted in */
function addEntry(state: TelemetryState, isolate: IsolateState, delta: EntryDelta, nowMs: number): Item[] {
  const { service, node } = delta;
  const belongs = { serviceId: service?.id ?? "", nodeId: node?.id ?? "" };
  const entry = itemOf(state, "entry", keyOfEntry(service?.id, node?.id), belongs, nowMs);
  keepWaiting(state, isolate, entry.key, delta);
  count(entry.figures, delta, nowMs, "entry");
  const items = [entry];
  if (service !== null) {
    const item = itemOf(state, "service", service.id, { id: service.id, name: service.name }, nowMs);
    count(item.figures, delta, nowMs, "entry");
    items.push(item);
  }
  if (node !== null) {
    const item = itemOf(state, "node", node.id, { id: node.id, name: node.name }, nowMs);
    count(item.figures, delta, nowMs, "entry");
    items.push(item);
  }
  return items;
}

function addTask(state: TelemetryState, isolate: IsolateState, delta: TaskDelta, nowMs: number): Item {
  const { id, name, slot, nodeId, serviceId, ejectedMs } = delta;
  const about = { id, name, slot, nodeId, serviceId };
  const task = itemOf(state, "task", id, about, nowMs);
  keepWaiting(state, isolate, task.key, delta);
  count(task.figures, delta, nowMs, "task");
  const { place } = isolate;
  const seen = itemOf(state, "place", `${place} ${id}`, { ...about, place }, nowMs);
  count(seen.figures, delta, nowMs, "task");
  countOwn(state, isolate, delta, nowMs);
  raiseService(state, delta);
  if (ejectedMs > 0) isolate.ejectedUntilMs.set(id, nowMs + ejectedMs);
  else isolate.ejectedUntilMs.delete(id);
  return task;
}

/** Where a task kept so many waiting, its service did: entries are told node by node. */
function raiseService({ items }: TelemetryState, { serviceId, openMax }: TaskDelta): void {
  const figures = items.get(`service ${serviceId}`)?.figures;
  if (figures !== undefined) figures.openMax = Math.max(figures.openMax, openMax);
}

/** What the isolate itself sees, as long as that is not too much to remember. */
function countOwn(state: TelemetryState, isolate: IsolateState, delta: TaskDelta, nowMs: number): void {
  const known = isolate.tasks.get(delta.id);
  if (known === undefined && state.ownFigures >= maxOwnFigures) return;
  const own = known ?? newFigures(nowMs, null);
  if (known === undefined) state.ownFigures += 1;
  isolate.tasks.set(delta.id, own);
  count(own, delta, nowMs, "task");
}

function keepWaiting(
  { waits }: TelemetryState,
  { waiting }: IsolateState,
  key: string,
  { open, queue }: Waits,
): void {
  waits.change(key, waiting.get(key) ?? { open: 0, queue: 0 }, { open, queue });
  if (open > 0 || queue > 0) waiting.set(key, { open, queue });
  else waiting.delete(key);
}

/** The most is that of all isolates together, as far as they told; an isolate alone may have had more in between. */
function raiseMost({ waits }: TelemetryState, { key, figures }: Item): void {
  const { open, queue } = waits.of(key);
  figures.openMax = Math.max(figures.openMax, open);
  figures.queueMax = Math.max(figures.queueMax, queue);
}

function keyOfEntry(serviceId = "", nodeId = ""): string {
  return `${serviceId} ${nodeId}`;
}

/** Only things that have a page of their own have series. */
const hasSeries: Readonly<Record<Kind, boolean>> = {
  service: true,
  node: true,
  task: true,
  entry: false,
  place: false,
};

/** So many nodes keep the histogram of each step, 30 KB each in memory; those beyond keep its percentiles. */
const maxNodeHistograms = 200;

/** @param histograms whether a series keeps the histogram of each step */
export function newItem(
  kind: Kind,
  key: string,
  about: Partial<About>,
  nowMs: number,
  histograms: boolean,
): Item {
  return {
    kind,
    key: `${kind} ${key}`,
    about: { id: "", name: "", serviceId: "", nodeId: "", slot: 0, place: "", ...about },
    figures: newFigures(nowMs, hasSeries[kind] ? newSeries(histograms) : null),
  };
}

function keepsHistograms({ items }: TelemetryState, kind: Kind): boolean {
  if (kind !== "node") return kind === "service";
  let nodes = 0;
  for (const item of items.values()) if (item.kind === "node") nodes += 1;
  return nodes < maxNodeHistograms;
}

function itemOf(state: TelemetryState, kind: Kind, key: string, about: Partial<About>, nowMs: number): Item {
  const known = state.items.get(`${kind} ${key}`);
  const item = known ?? newItem(kind, key, about, nowMs, keepsHistograms(state, kind));
  // A service may have been renamed, a task's node as well.
  if (known !== undefined) known.about = { ...known.about, ...about };
  else state.items.set(item.key, item);
  state.changed.add(item.key);
  return item;
}

/**
 * Forgets isolates that ended, and things that nobody has asked for in a long time, or so many that they are too many.
 *
 * @returns keys of the items forgotten
 */
export function forget(state: TelemetryState, nowMs: number): readonly string[] {
  for (const [id, { lastMs, tasks, waiting }] of state.isolates) {
    if (Math.abs(nowMs - lastMs) <= isolateKeepMs) continue;
    state.isolates.delete(id);
    for (const [key, waits] of waiting) state.waits.remove(key, waits);
    state.ownFigures -= tasks.size;
  }
  const gone = [...state.items.values()].filter(({ kind, figures }) => nowMs - figures.lastMs > keepMs[kind]);
  for (const { key } of gone) state.items.delete(key);
  const tooMany = surplus(state.items.values());
  for (const { key } of tooMany) state.items.delete(key);
  return [...gone, ...tooMany].map(({ key }) => key);
}

function surplus(items: Iterable<Item>): Item[] {
  const byKind = Map.groupBy(items, ({ kind }) => kind);
  return [...byKind].flatMap(([kind, all]) => {
    if (all.length <= most[kind]) return [];
    return all.sort((a, b) => a.figures.lastMs - b.figures.lastMs).slice(0, all.length - most[kind]);
  });
}
