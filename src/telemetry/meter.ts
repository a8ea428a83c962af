// The meter: what one isolate counts. On the way of a request it costs a few additions; everything else is done when
// what was counted is taken, every two seconds at most.

import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";
import { MetricSet } from "./metrics.ts";

/** A task, or a server that stands for one. */
export type MeteredTask = {
  readonly taskId: string;
  readonly slot: number;
  readonly nodeId: string;
  /** A server's name; null for a task. */
  readonly server: string | null;
};

/** A service or a node. */
export type MeteredEntity = { readonly id: string; readonly name: string };

export type MeterOptions = {
  /** Names this isolate. */
  readonly isolate: string;
  /** For how long from now a task is passed over, milliseconds. */
  readonly ejectedMs: (taskId: string, nowMs: number) => number;
  /** No answer begins later than this after it was asked for, milliseconds. */
  readonly maxResponseMs: number;
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

/** A turn lasts a minute, or as long as a request may wait. Milliseconds. */
const generationMs = 60_000;
/** A cell in which nothing was counted in so many takings is given up. */
const maxIdleTakes = 300;
const noEntity: MeteredEntity = { id: "", name: "" };

export class Meter {
  /** Where in the world this isolate runs; empty until the shell says so, which knows once a request has come. */
  colo = "";
  /** Counts turns, see `Level.turn`. */
  generation = 0;
  readonly #options: MeterOptions;
  #rotatedMs = Number.NEGATIVE_INFINITY;
  #seq = 0;
  readonly #tasks = new Map<string, TaskMetrics>();
  readonly #entries = new Map<string, EntryMetrics>();
  /** Cells by the objects of the routing table, so that a request finds its own without making up a key. */
  #taskMetrics = new WeakMap<MeteredTask, MetricSet>();
  #entryMetrics = new WeakMap<MeteredEntity, WeakMap<MeteredEntity, MetricSet>>();

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** The cell of a task. */
  task(target: MeteredTask, service: MeteredEntity): MetricSet {
    return this.#taskMetrics.get(target) ?? this.#findTask(target, service);
  }

  /** The cell of a service at a node's entry point; null where there is none. */
  entry(service: MeteredEntity | null, node: MeteredEntity | null): MetricSet {
    const cell = this.#entryMetrics.get(service ?? noEntity)?.get(node ?? noEntity);
    return cell ?? this.#findEntry(service, node);
  }

  /** What was counted since this was last asked, under the next number; null when that is nothing. */
  take(nowMs: number): Delta | null {
    this.#rotateIfDue(nowMs);
    const tasks = [...this.#tasks.values()].flatMap((one) => this.#takeTask(one, nowMs) ?? []);
    const entries = [...this.#entries.values()].flatMap((one) => {
      const taken = one.metrics.take();
      one.idleTakes = taken === null ? one.idleTakes + 1 : 0;
      return taken === null ? [] : [{ ...one.labels, ...taken }];
    });
    this.#dropIdle();
    if (tasks.length === 0 && entries.length === 0) return null;
    this.#seq += 1;
    return { isolate: this.#options.isolate, seq: this.#seq, colo: this.colo || "unknown", tasks, entries };
  }

  #findTask(target: MeteredTask, service: MeteredEntity): MetricSet {
    const { taskId: id, slot, nodeId, server } = target;
    const name = server ?? `${service.name}.${slot > 0 ? slot : nodeId}`;
    const about = { id, name, slot, nodeId, serviceId: service.id, serviceName: service.name };
    const known = this.#tasks.get(id);
    if (known !== undefined) known.labels = about;
    const { metrics } = known ?? { metrics: new MetricSet() };
    if (known === undefined) this.#tasks.set(id, { metrics, labels: about, idleTakes: 0, wasEjected: false });
    this.#taskMetrics.set(target, metrics);
    return metrics;
  }

  #findEntry(service: MeteredEntity | null, node: MeteredEntity | null): MetricSet {
    const key = `${service?.id ?? ""} ${node?.id ?? ""}`;
    const about = { service: toEntity(service), node: toEntity(node) };
    const known = this.#entries.get(key);
    if (known !== undefined) known.labels = about;
    const { metrics } = known ?? { metrics: new MetricSet() };
    if (known === undefined) this.#entries.set(key, { metrics, labels: about, idleTakes: 0 });
    const byNode = this.#entryMetrics.get(service ?? noEntity) ?? new WeakMap<MeteredEntity, MetricSet>();
    this.#entryMetrics.set(service ?? noEntity, byNode.set(node ?? noEntity, metrics));
    return metrics;
  }

  #takeTask(one: TaskMetrics, nowMs: number): TaskDelta | null {
    const ejectedMs = Math.max(0, this.#options.ejectedMs(one.labels.id, nowMs));
    const taken = one.metrics.take();
    one.idleTakes = taken === null ? one.idleTakes + 1 : 0;
    // That it is passed over, or is no more, is told even where nothing was counted.
    if (taken === null && ejectedMs === 0 && !one.wasEjected) return null;
    one.wasEjected = ejectedMs > 0;
    const [open, queue] = [one.metrics.open.value, one.metrics.queue.value];
    const nothing = { counts: [], buckets: [], open, openMax: open, queue, queueMax: queue };
    return { ...one.labels, ...(taken ?? nothing), ejectedMs };
  }

  #rotateIfDue(nowMs: number): void {
    const lastsMs = Math.max(generationMs, this.#options.maxResponseMs);
    if (Math.abs(nowMs - this.#rotatedMs) < lastsMs) return;
    this.#rotatedMs = nowMs;
    this.generation += 1;
    for (const { metrics } of [...this.#tasks.values(), ...this.#entries.values()]) metrics.rotate();
  }

  /** Cells are found anew from here on, for a request that goes on counting in one given up would count in vain. */
  #dropIdle(): void {
    const before = this.#tasks.size + this.#entries.size;
    for (const cells of [this.#tasks, this.#entries] as Map<string, TaskMetrics | EntryMetrics>[]) {
      for (const [key, { idleTakes, metrics }] of cells)
        if (idleTakes > maxIdleTakes && metrics.open.value === 0) cells.delete(key);
    }
    if (this.#tasks.size + this.#entries.size === before) return;
    this.#taskMetrics = new WeakMap();
    this.#entryMetrics = new WeakMap();
  }
}

/** A service or node of the routing table has more to it than is to be sent; the balancer as a node has no id. */
function toEntity(one: MeteredEntity | null): MeteredEntity | null {
  return one === null || one.id === "" ? null : { id: one.id, name: one.name };
}
