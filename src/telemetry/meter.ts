// The meter: all metrics of one isolate. A request only adds to them; taking a delta does the rest.

import type { Delta, DeltaTimes, EntryDelta, TaskDelta } from "./delta.ts";
import { MetricSet } from "./metrics.ts";

/** A task or a static server. */
type MeteredTask = {
  readonly taskId: string;
  readonly slot: number;
  readonly nodeId: string;
  /** A static server's name; null for a task. */
  readonly server: string | null;
};

/** A service or a node. */
export type MeteredEntity = { readonly id: string; readonly name: string };

type MeterOptions = {
  /** The id of this isolate. */
  readonly isolate: string;
  /** For how long from now a task is ejected, milliseconds. */
  readonly ejectedMs: (taskId: string, nowMs: number) => number;
};

type TaskMetrics = {
  readonly metrics: MetricSet;
  labels: Omit<TaskDelta, keyof EntryDelta | "ejectedMs">;
  idleTakes: number;
  wasEjected: boolean;
};
type EntryMetrics = {
  readonly metrics: MetricSet;
  labels: Pick<EntryDelta, "service" | "node">;
  idleTakes: number;
};

/** The shortest time of a generation, milliseconds. */
const generationMs = 60_000;
/** A request that waits renews its gauge increments this often, so that they do not expire. Milliseconds. */
export const renewMs = generationMs / 2;
/**
 * Requests are counted by slices of this length, milliseconds: half a bin of the telemetry object, so that a bin has
 * the requests that ended in it however late they are reported.
 */
const sliceMs = 5_000;
/** Most slices of one delta; what ends later is in the last one. */
const maxSlices = 120;
/** Longest slice in which no request ended, milliseconds: what ended before it is too old for any series. */
const maxEmptySliceMs = 3_600_000;
/** A metric set without a change in this many takes is dropped. */
const maxIdleTakes = 300;
const noEntity: MeteredEntity = { id: "", name: "" };

/** @see docs/decisions/0033-counting-in-the-isolate.md */
export class Meter {
  /** The data center of this isolate; empty until the shell knows it from the first request. */
  colo = "";
  /** The number of the current generation of gauge increments, see `Gauge`. */
  generation = 0;
  /** From when on a request that ends must call `endSlice` before it is counted, epoch milliseconds. */
  sliceEndMs = Number.NEGATIVE_INFINITY;
  readonly #options: MeterOptions;
  #rotatedMs = Number.NEGATIVE_INFINITY;
  #seq = 0;
  #takenMs = Number.NEGATIVE_INFINITY;
  /** Start of the slice in which requests are counted; null: none has ended since the last delta. */
  #sliceStartMs: number | null = null;
  #endedSlicesMs: number[] = [];
  readonly #tasks = new Map<string, TaskMetrics>();
  readonly #entries = new Map<string, EntryMetrics>();
  /**
   * Metric sets by the objects of the routing table, so that a request finds its own without building a key.
   */
  #taskMetrics = new WeakMap<MeteredTask, MetricSet>();
  #entryMetrics = new WeakMap<MeteredEntity, WeakMap<MeteredEntity, MetricSet>>();

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** The metrics of a task. */
  task(target: MeteredTask, service: MeteredEntity): MetricSet {
    return this.#taskMetrics.get(target) ?? this.#findTask(target, service);
  }

  /**
   * The metrics of a service at a node's entry point; null if no service matched, or no node could be picked.
   */
  entry(service: MeteredEntity | null, node: MeteredEntity | null): MetricSet {
    const metrics = this.#entryMetrics.get(service ?? noEntity)?.get(node ?? noEntity);
    return metrics ?? this.#findEntry(service, node);
  }

  /** Begins the slice in which a request that ends now is counted. */
  endSlice(nowMs: number): void {
    let startMs = nowMs;
    if (this.#sliceStartMs !== null) {
      this.#closeSlice(sliceMs);
      // Slices in which no request ended are one.
      const emptyMs = Math.floor((nowMs - this.sliceEndMs) / sliceMs) * sliceMs;
      if (emptyMs > 0) this.#closeSlice(Math.min(emptyMs, maxEmptySliceMs));
      startMs = this.sliceEndMs + emptyMs;
    }
    this.#sliceStartMs = startMs;
    const isLast = this.#endedSlicesMs.length >= maxSlices;
    this.sliceEndMs = isLast ? Number.POSITIVE_INFINITY : startMs + sliceMs;
  }

  #closeSlice(lengthMs: number): void {
    this.#endedSlicesMs.push(lengthMs);
    for (const { metrics } of this.#tasks.values()) metrics.endSlice(this.#endedSlicesMs.length);
    for (const { metrics } of this.#entries.values()) metrics.endSlice(this.#endedSlicesMs.length);
  }

  /** Ends the slices of a delta. Connections of mode tcp are counted without a time. */
  #takeTimes(nowMs: number): DeltaTimes {
    const startMs = this.#sliceStartMs ?? Math.max(this.#takenMs, nowMs - sliceMs);
    const slicesMs = [...this.#endedSlicesMs, Math.max(0, nowMs - startMs)];
    this.#endedSlicesMs = [];
    this.#sliceStartMs = null;
    this.sliceEndMs = Number.NEGATIVE_INFINITY;
    this.#takenMs = nowMs;
    return { takenMs: nowMs, slicesMs };
  }

  /** The measurements since the last call, under the next number; null without measurements. */
  take(nowMs: number): Delta | null {
    this.#rotateIfDue(nowMs);
    const times = this.#takeTimes(nowMs);
    const tasks = [...this.#tasks.values()].flatMap((task) => this.#takeTask(task, nowMs) ?? []);
    const entries = [...this.#entries.values()].flatMap((entry) => {
      const report = entry.metrics.take();
      entry.idleTakes = report === null ? entry.idleTakes + 1 : 0;
      return report === null ? [] : [{ ...entry.labels, ...report }];
    });
    this.#dropIdle();
    if (tasks.length === 0 && entries.length === 0) return null;
    this.#seq += 1;
    const { isolate } = this.#options;
    return { isolate, seq: this.#seq, colo: this.colo || "unknown", times, tasks, entries };
  }

  #findTask(target: MeteredTask, service: MeteredEntity): MetricSet {
    const { taskId: id, slot, nodeId, server } = target;
    const name = server ?? `${service.name}.${slot > 0 ? slot : nodeId}`;
    const labels = { id, name, slot, nodeId, serviceId: service.id, serviceName: service.name };
    const known = this.#tasks.get(id);
    if (known !== undefined) known.labels = labels;
    const { metrics } = known ?? { metrics: new MetricSet("task") };
    if (known === undefined) this.#tasks.set(id, { metrics, labels, idleTakes: 0, wasEjected: false });
    this.#taskMetrics.set(target, metrics);
    return metrics;
  }

  #findEntry(service: MeteredEntity | null, node: MeteredEntity | null): MetricSet {
    const key = `${service?.id ?? ""} ${node?.id ?? ""}`;
    const labels = { service: toEntity(service), node: toEntity(node) };
    const known = this.#entries.get(key);
    if (known !== undefined) known.labels = labels;
    const { metrics } = known ?? { metrics: new MetricSet("entry") };
    if (known === undefined) this.#entries.set(key, { metrics, labels, idleTakes: 0 });
    const byNode = this.#entryMetrics.get(service ?? noEntity) ?? new WeakMap<MeteredEntity, MetricSet>();
    this.#entryMetrics.set(service ?? noEntity, byNode.set(node ?? noEntity, metrics));
    return metrics;
  }

  #takeTask(task: TaskMetrics, nowMs: number): TaskDelta | null {
    const ejectedMs = Math.max(0, this.#options.ejectedMs(task.labels.id, nowMs));
    const report = task.metrics.take();
    task.idleTakes = report === null ? task.idleTakes + 1 : 0;
    // An ejection, and its end, is reported even without traffic.
    if (report === null && ejectedMs === 0 && !task.wasEjected) return null;
    task.wasEjected = ejectedMs > 0;
    const [open, queue] = [task.metrics.open.value, task.metrics.queue.value];
    const unchanged = { counts: [], buckets: [], open, openMax: open, queue, queueMax: queue };
    return { ...task.labels, ...(report ?? unchanged), ejectedMs };
  }

  #rotateIfDue(nowMs: number): void {
    if (Math.abs(nowMs - this.#rotatedMs) < generationMs) return;
    this.#rotatedMs = nowMs;
    this.generation += 1;
    for (const { metrics } of [...this.#tasks.values(), ...this.#entries.values()]) metrics.rotate();
  }

  /** Drops idle metric sets, and the lookups: they would still find a dropped set, which is never taken. */
  #dropIdle(): void {
    const sizeBefore = this.#tasks.size + this.#entries.size;
    for (const sets of [this.#tasks, this.#entries] as Map<string, TaskMetrics | EntryMetrics>[]) {
      for (const [key, { idleTakes, metrics }] of sets)
        if (idleTakes > maxIdleTakes && metrics.open.value === 0) sets.delete(key);
    }
    if (this.#tasks.size + this.#entries.size === sizeBefore) return;
    this.#taskMetrics = new WeakMap();
    this.#entryMetrics = new WeakMap();
  }
}

/** The part of a service or node that is sent. The edge, as a node, has no id. */
function toEntity(entity: MeteredEntity | null): MeteredEntity | null {
  return entity === null || entity.id === "" ? null : { id: entity.id, name: entity.name };
}
