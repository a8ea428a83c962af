// Reading a snapshot out of what is known.

import { counter, countsOf } from "./counters.ts";
import type { Figures } from "./figures.ts";
import { countOf, percentile } from "./histogram.ts";
import { recentOf, trendOf } from "./recent.ts";
import type {
  EntryTraffic,
  Latency,
  NodeTraffic,
  PlaceTraffic,
  SeenTask,
  ServiceTraffic,
  Snapshot,
  SnapshotFilter,
  StepSeries,
  TaskTraffic,
  Traffic,
  TrafficSeries,
} from "./snapshot.ts";
import { toSparse } from "./sparse.ts";
import { type Steps, stepCount } from "./steps.ts";
import type { Tally } from "./tally.ts";
import { type IsolateState, type Item, isolateKeepMs, type TelemetryState } from "./telemetry-state.ts";
import { WaitSums, type Waits } from "./waits.ts";

/** What is known at a moment, services, nodes and tasks by name. */
export function snapshot(state: TelemetryState, nowMs: number, filter: SnapshotFilter = {}): Snapshot {
  const reader = new Reader(state, nowMs, filter);
  return {
    atMs: nowMs,
    sinceMs: state.sinceMs,
    services: reader.services(),
    nodes: reader.nodes(),
    strays: reader.entriesOf(""),
    places: filter.places === true ? reader.places() : [],
  };
}

class Reader {
  readonly #nowMs: number;
  readonly #filter: SnapshotFilter;
  readonly #items: Readonly<Record<Item["kind"], readonly Item[]>>;
  readonly #isolates: readonly IsolateState[];
  readonly #waits: WaitSums;

  constructor(state: TelemetryState, nowMs: number, filter: SnapshotFilter) {
    this.#nowMs = nowMs;
    this.#filter = filter;
    const byKind = Map.groupBy(state.items.values(), ({ kind }) => kind);
    const of = (kind: Item["kind"]) => (byKind.get(kind) ?? []).sort(byName);
    const nodes = of("node");
    const asked = nodes.find(({ about }) => filter.node === about.id || filter.node === about.name);
    const onNode = ({ about }: Item) => filter.node === undefined || about.nodeId === asked?.about.id;
    this.#items = {
      service: of("service"),
      node: nodes,
      task: filter.tasks === false ? [] : of("task").filter(onNode),
      entry: filter.tasks === false ? [] : of("entry").filter(onNode),
      place: of("place").filter(onNode),
    };
    this.#isolates = [...state.isolates.values()].filter(
      ({ lastMs }) => Math.abs(nowMs - lastMs) <= isolateKeepMs,
    );
    this.#waits = waitsOf(this.#isolates);
  }

  services(): ServiceTraffic[] {
    const tasks = Map.groupBy(this.#items.task, ({ about }) => about.serviceId);
    return this.#asked("service").map((item) => ({
      id: item.about.id,
      name: item.about.name,
      ...this.#traffic(item.figures, this.#waits.of(item.key)),
      series: this.#series(item.figures),
      tasks: (tasks.get(item.about.id) ?? []).map((task) => this.#task(task)),
      entries: this.entriesOf(item.about.id),
    }));
  }

  nodes(): NodeTraffic[] {
    return this.#asked("node").map(({ about, key, figures }) => ({
      id: about.id,
      name: about.name,
      ...this.#traffic(figures, this.#waits.of(key)),
      series: this.#series(figures),
    }));
  }

  entriesOf(serviceId: string): EntryTraffic[] {
    return this.#items.entry
      .filter(({ about }) => about.serviceId === serviceId)
      .map(({ about, key, figures }) => ({
        nodeId: about.nodeId,
        ...this.#traffic(figures, this.#waits.of(key)),
      }));
  }

  places(): PlaceTraffic[] {
    const asked = new Set(this.#asked("service").map(({ about }) => about.id));
    const seen = this.#items.place.filter(({ about }) => asked.has(about.serviceId));
    const services = new Map(seen.map(({ about }) => [about.id, about.serviceId]));
    return [...Map.groupBy(seen, ({ about }) => about.place)].map(([place, tasks]) => {
      const isolates = this.#isolates.filter((isolate) => isolate.place === place);
      const seenThere = this.#seer(isolates);
      return {
        place,
        tasks: tasks.map(({ about, figures }) => seenThere(about.id, about.serviceId, figures)),
        isolates: isolates.map((isolate) => {
          const seenByIt = this.#seer([isolate]);
          return {
            id: isolate.id,
            lastMs: isolate.lastMs,
            tasks: [...isolate.tasks].flatMap(([id, figures]) => {
              const serviceId = services.get(id);
              return serviceId === undefined ? [] : [seenByIt(id, serviceId, figures)];
            }),
          };
        }),
      };
    });
  }

  #asked(kind: "service" | "node"): readonly Item[] {
    const ref = this.#filter[kind];
    return this.#items[kind].filter(
      ({ about }) => ref === undefined || about.id === ref || about.name === ref,
    );
  }

  #task({ about, key, figures }: Item): TaskTraffic {
    const { id, name, slot, nodeId } = about;
    return {
      id,
      name,
      slot,
      nodeId,
      ...this.#traffic(figures, this.#waits.of(key)),
      series: this.#series(figures),
      ejectedBy: this.#ejectedBy(id, this.#isolates),
    };
  }

  /** Reads tasks as these isolates see them; who waits is added up once for all of them. */
  #seer(
    isolates: readonly IsolateState[],
  ): (taskId: string, serviceId: string, figures: Figures) => SeenTask {
    const waits = waitsOf(isolates);
    return (taskId, serviceId, figures) => ({
      taskId,
      serviceId,
      ...this.#traffic(figures, waits.of(`task ${taskId}`)),
      ejectedBy: this.#ejectedBy(taskId, isolates),
    });
  }

  #ejectedBy(taskId: string, isolates: readonly IsolateState[]): number {
    return isolates.filter(({ ejectedUntilMs }) => (ejectedUntilMs.get(taskId) ?? 0) > this.#nowMs).length;
  }

  #traffic(figures: Figures, waits: Waits): Traffic {
    const { tally, openMax, queueMax, rateMax, firstMs, lastMs, series } = figures;
    return {
      counts: countsOf(tally.counts),
      open: { now: waits.open, max: openMax },
      queue: { now: waits.queue, max: queueMax },
      rate: { now: series?.tens.rate(this.#nowMs) ?? 0, max: rateMax },
      latency: latencyOf(tally),
      recent: series === null ? null : recentOf(series.tens, this.#nowMs),
      trend: series === null || this.#filter.trend !== true ? [] : trendOf(series.tens, this.#nowMs),
      firstMs,
      lastMs,
    };
  }

  #series({ series }: Figures): TrafficSeries {
    if (series === null || this.#filter.series !== true) return null;
    return {
      tens: stepSeries(series.tens, this.#nowMs),
      minutes: stepSeries(series.minutes, this.#nowMs),
    };
  }
}

function waitsOf(isolates: readonly IsolateState[]): WaitSums {
  const sums = new WaitSums();
  for (const { waiting } of isolates) for (const [key, waits] of waiting) sums.add(key, waits);
  return sums;
}

function latencyOf({ counts, buckets }: Tally): Latency {
  const count = countOf(buckets);
  return {
    count,
    avgMs: count === 0 ? 0 : (counts[counter.tookMs] ?? 0) / count,
    p50Ms: percentile(buckets, 0.5),
    p95Ms: percentile(buckets, 0.95),
    p99Ms: percentile(buckets, 0.99),
    buckets: toSparse(buckets),
  };
}

/** All steps up to now, those in which nothing came included. */
function stepSeries(steps: Steps, nowMs: number): StepSeries {
  const last = Math.floor(nowMs / steps.stepMs);
  const byNumber = new Map(steps.list().map((step) => [step.number, step]));
  const all = Array.from({ length: stepCount }, (_, at) => byNumber.get(last - stepCount + 1 + at));
  return {
    stepMs: steps.stepMs,
    startMs: (last - stepCount + 1) * steps.stepMs,
    requests: all.map((step) => step?.requests ?? 0),
    failed: all.map((step) => step?.failed ?? 0),
    p50Ms: all.map((step) => step?.p50Ms ?? 0),
    p95Ms: all.map((step) => step?.p95Ms ?? 0),
    p99Ms: all.map((step) => step?.p99Ms ?? 0),
    buckets: steps.keepsBuckets ? all.map((step) => step?.buckets ?? []) : null,
  };
}

/** By code unit: the same everywhere. */
function byName(a: Item, b: Item): number {
  const [one, other] = [`${a.about.name} ${a.key}`, `${b.about.name} ${b.key}`];
  return one < other ? -1 : one > other ? 1 : 0;
}
