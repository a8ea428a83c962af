// The meter: what one isolate counts. On the way of a request it costs a few additions; everything else is done when
// what was counted is taken, every two seconds at most.

import { Cell } from "./cell.ts";
import type { Delta, EntryDelta, TaskDelta } from "./delta.ts";

/** A task, or a server that stands for one. */
export type MeteredTask = {
  readonly taskId: string;
  readonly slot: number;
  readonly nodeId: string;
  /** A server's name; null for a task. */
  readonly server: string | null;
};

/** A service or a node. */
export type Named = { readonly id: string; readonly name: string };

export type MeterOptions = {
  /** Names this isolate. */
  readonly isolate: string;
  /** For how long from now a task is passed over, milliseconds. */
  readonly ejectedMs: (taskId: string, nowMs: number) => number;
  /** No answer begins later than this after it was asked for, milliseconds. */
  readonly longestMs: number;
};

type TaskCell = {
  readonly cell: Cell;
  about: Omit<TaskDelta, keyof EntryDelta | "ejectedMs">;
  idle: number;
  ejected: boolean;
};
type EntryCell = { readonly cell: Cell; about: Pick<EntryDelta, "service" | "node">; idle: number };

/** A turn lasts a minute, or as long as a request may wait. Milliseconds. */
const turnMs = 60_000;
/** A cell in which nothing was counted in so many takings is given up. */
const maxIdle = 300;
const nowhere: Named = { id: "", name: "" };

export class Meter {
  /** Where in the world this isolate runs; empty until the shell says so, which knows once a request has come. */
  place = "";
  /** Counts turns, see `Level.turn`. */
  turn = 0;
  readonly #options: MeterOptions;
  #turnedMs = Number.NEGATIVE_INFINITY;
  #seq = 0;
  readonly #tasks = new Map<string, TaskCell>();
  readonly #entries = new Map<string, EntryCell>();
  /** Cells by the objects of the routing table, so that a request finds its own without making up a key. */
  #taskCells = new WeakMap<MeteredTask, Cell>();
  #entryCells = new WeakMap<Named, WeakMap<Named, Cell>>();

  constructor(options: MeterOptions) {
    this.#options = options;
  }

  /** The cell of a task. */
  task(target: MeteredTask, service: Named): Cell {
    return this.#taskCells.get(target) ?? this.#findTask(target, service);
  }

  /** The cell of a service at a node's entry point; null where there is none. */
  entry(service: Named | null, node: Named | null): Cell {
    const cell = this.#entryCells.get(service ?? nowhere)?.get(node ?? nowhere);
    return cell ?? this.#findEntry(service, node);
  }

  /** What was counted since this was last asked, under the next number; null when that is nothing. */
  take(nowMs: number): Delta | null {
    this.#turnIfDue(nowMs);
    const tasks = [...this.#tasks.values()].flatMap((one) => this.#takeTask(one, nowMs) ?? []);
    const entries = [...this.#entries.values()].flatMap((one) => {
      const taken = one.cell.take();
      one.idle = taken === null ? one.idle + 1 : 0;
      return taken === null ? [] : [{ ...one.about, ...taken }];
    });
    this.#giveUpIdle();
    if (tasks.length === 0 && entries.length === 0) return null;
    this.#seq += 1;
    return { isolate: this.#options.isolate, seq: this.#seq, place: this.place || "unknown", tasks, entries };
  }

  #findTask(target: MeteredTask, service: Named): Cell {
    const { taskId: id, slot, nodeId, server } = target;
    const name = server ?? `${service.name}.${slot > 0 ? slot : nodeId}`;
    const about = { id, name, slot, nodeId, serviceId: service.id, serviceName: service.name };
    const known = this.#tasks.get(id);
    if (known !== undefined) known.about = about;
    const { cell } = known ?? { cell: new Cell() };
    if (known === undefined) this.#tasks.set(id, { cell, about, idle: 0, ejected: false });
    this.#taskCells.set(target, cell);
    return cell;
  }

  #findEntry(service: Named | null, node: Named | null): Cell {
    const key = `${service?.id ?? ""} ${node?.id ?? ""}`;
    const about = { service: named(service), node: named(node) };
    const known = this.#entries.get(key);
    if (known !== undefined) known.about = about;
    const { cell } = known ?? { cell: new Cell() };
    if (known === undefined) this.#entries.set(key, { cell, about, idle: 0 });
    const byNode = this.#entryCells.get(service ?? nowhere) ?? new WeakMap<Named, Cell>();
    this.#entryCells.set(service ?? nowhere, byNode.set(node ?? nowhere, cell));
    return cell;
  }

  #takeTask(one: TaskCell, nowMs: number): TaskDelta | null {
    const ejectedMs = Math.max(0, this.#options.ejectedMs(one.about.id, nowMs));
    const taken = one.cell.take();
    one.idle = taken === null ? one.idle + 1 : 0;
    // That it is passed over, or is no more, is told even where nothing was counted.
    if (taken === null && ejectedMs === 0 && !one.ejected) return null;
    one.ejected = ejectedMs > 0;
    const [open, queue] = [one.cell.open.now, one.cell.queue.now];
    const nothing = { counts: [], buckets: [], open, openMax: open, queue, queueMax: queue };
    return { ...one.about, ...(taken ?? nothing), ejectedMs };
  }

  #turnIfDue(nowMs: number): void {
    const lastsMs = Math.max(turnMs, this.#options.longestMs);
    if (Math.abs(nowMs - this.#turnedMs) < lastsMs) return;
    this.#turnedMs = nowMs;
    this.turn += 1;
    for (const { cell } of [...this.#tasks.values(), ...this.#entries.values()]) cell.turn();
  }

  /** Cells are found anew from here on, for a request that goes on counting in one given up would count in vain. */
  #giveUpIdle(): void {
    const before = this.#tasks.size + this.#entries.size;
    for (const cells of [this.#tasks, this.#entries] as Map<string, TaskCell | EntryCell>[]) {
      for (const [key, { idle, cell }] of cells) if (idle > maxIdle && cell.open.now === 0) cells.delete(key);
    }
    if (this.#tasks.size + this.#entries.size === before) return;
    this.#taskCells = new WeakMap();
    this.#entryCells = new WeakMap();
  }
}

/** A service or node of the routing table has more to it than is to be sent; the balancer as a node has no id. */
function named(one: Named | null): Named | null {
  return one === null || one.id === "" ? null : { id: one.id, name: one.name };
}
