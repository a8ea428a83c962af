// Changes: a plan in the making. Deciding reads the world and writes here; nothing else is touched.

import type { EventSubject } from "../model/event.ts";
import { isNodeDown, type MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { isAlive, type Task, taskName, taskStates } from "../model/task.ts";
import type { World } from "../model/world.ts";
import type { Plan } from "./plan.ts";

/** A node down for this long is taken to be gone, as in Swarm. */
const orphanedAfterMs = 24 * 60 * 60_000;

/** When a new task may start, and what to say until then. */
export type TaskStart = { readonly notBeforeMs: number; readonly err: string };

/** Which slot a new task is for: a number from 1, or a node of a global service. */
export type SlotKey = { readonly number: number; readonly nodeId: string | null };

export class PlanBuilder {
  readonly nowMs: number;
  #world: World;
  readonly #newId: () => string;
  readonly #tasks = new Map<string, Task>();
  readonly #removed = new Set<string>();
  readonly #services = new Map<string, Service>();
  readonly #events: Plan["events"][number][] = [];
  #wakeAtMs: number | null = null;

  constructor(world: World, at: { nowMs: number; newId: () => string }) {
    this.#world = world;
    this.nowMs = at.nowMs;
    this.#newId = at.newId;
  }

  /** The world as it was found, but with its services as they stand after the changes so far. */
  get world(): World {
    return this.#world;
  }

  /** The task as it stands after the changes so far; undefined once it is removed. */
  latest(task: Task): Task | undefined {
    return this.#removed.has(task.id) ? undefined : (this.#tasks.get(task.id) ?? task);
  }

  /** All tasks as they stand after the changes so far. */
  *allTasks(): Iterable<Task> {
    for (const task of this.world.tasks.values()) {
      const latest = this.latest(task);
      if (latest !== undefined) yield latest;
    }
    for (const task of this.#tasks.values()) if (!this.world.tasks.has(task.id)) yield task;
  }

  /** A new task of the service as it is now, waiting to be placed. */
  create(service: Service, slot: SlotKey, start: TaskStart, why: string): Task {
    const task: Task = {
      id: this.#newId(),
      serviceId: service.id,
      slot: slot.number,
      nodeId: null,
      ...(slot.nodeId !== null && { forNode: slot.nodeId }),
      run: service.spec.run,
      document: (service.document as { TaskTemplate?: unknown } | null)?.TaskTemplate ?? null,
      runHash: service.runHash,
      desired: "running",
      state: "pending",
      message: "pending task scheduling",
      err: start.err,
      stateSinceMs: this.nowMs,
      createdAtMs: this.nowMs,
      notBeforeMs: start.notBeforeMs,
      version: 1,
      endpoints: [],
      health: null,
      pid: null,
      exitCode: null,
    };
    this.#tasks.set(task.id, task);
    this.recordEvent("task.create", task, start.err === "" ? why : `${why}; ${start.err}`);
    return task;
  }

  /** Changes part of a task; its version rises once in a plan. */
  change(task: Task, part: Partial<Task>): Task {
    const latest = this.#tasks.get(task.id) ?? task;
    const raised = this.#tasks.has(task.id) ? latest.version : latest.version + 1;
    const changed = { ...latest, ...part, version: raised };
    this.#tasks.set(task.id, changed);
    return changed;
  }

  /** Assigns a pending task to a node. */
  assign(task: Task, node: MeshNode): void {
    const message =
      task.forNode === undefined
        ? "scheduler assigned task to node"
        : "scheduler confirmed task can run on preassigned node";
    const assigned = this.change(task, {
      nodeId: node.id,
      state: "assigned",
      message,
      err: "",
      stateSinceMs: this.nowMs,
    });
    this.recordEvent("task.assign", assigned, `to ${node.hostname}`);
  }

  /** Says why a task is still pending; a reason it already has is not recorded again. */
  setPendingReason(task: Task, reason: string): void {
    if (task.err !== reason) this.recordEvent("task.pending", this.change(task, { err: reason }), reason);
  }

  /** Wants a task stopped but remembered. One that no agent has heard of, or ever will, is forgotten at once. */
  stop(task: Task, why: string): void {
    const lostAtMs = this.#lostAtMs(task);
    if (taskStates[task.state] < taskStates.assigned || lostAtMs <= this.nowMs) {
      this.delete(task);
    } else {
      this.change(task, { desired: "shutdown" });
      this.recordEvent("task.shutdown", task, why);
      if (lostAtMs < Number.POSITIVE_INFINITY) this.wakeAt(lostAtMs);
    }
  }

  /** Gives up a living task whose agent will not be heard again: nobody else could ever say that it is dead. */
  orphanIfNodeGone(task: Task): Task {
    const node = this.world.nodes.get(task.nodeId ?? "");
    const mayBeHeard = node !== undefined && task.desired === "running";
    if (task.nodeId === null || !isAlive(task) || mayBeHeard) return task;
    const lostAtMs = this.#lostAtMs(task);
    if (lostAtMs > this.nowMs) {
      if (lostAtMs < Number.POSITIVE_INFINITY) this.wakeAt(lostAtMs);
      return task;
    }
    const err = node === undefined ? "its node was removed" : "its node has been down for a day";
    this.recordEvent("task.orphaned", task, err);
    return this.change(task, { state: "orphaned", err, stateSinceMs: this.nowMs });
  }

  /**
   * Wants a task stopped and forgotten: once it is dead, or at once where nobody would ever say that it is, since no
   * agent has heard of it or its node is gone or down.
   */
  remove(task: Task, why: string): void {
    const node = this.world.nodes.get(task.nodeId ?? "");
    const heardOf = taskStates[task.state] >= taskStates.assigned && node !== undefined && !isNodeDown(node);
    if (!isAlive(task) || !heardOf) {
      this.delete(task);
    } else if (task.desired !== "remove") {
      this.change(task, { desired: "remove" });
      this.recordEvent("task.remove", task, why);
    }
  }

  replaceService(service: Service): void {
    this.#services.set(service.id, service);
    this.#world = { ...this.#world, services: new Map(this.#world.services).set(service.id, service) };
  }

  delete(task: Task): void {
    this.#tasks.delete(task.id);
    if (this.world.tasks.has(task.id)) this.#removed.add(task.id);
  }

  /** Something becomes due at this moment by time alone. */
  wakeAt(atMs: number): void {
    this.#wakeAtMs = Math.min(this.#wakeAtMs ?? atMs, atMs);
  }

  recordEvent(action: string, task: Task, why: string): void {
    const name = taskName(this.world.services.get(task.serviceId)?.spec.name ?? task.serviceId, task);
    const subject: EventSubject = { type: "task", id: task.id, name };
    this.#events.push({ actor: "registry", action, subject, why });
  }

  recordServiceEvent(action: string, { id, spec }: Service, why: string): void {
    this.#events.push({ actor: "registry", action, subject: { type: "service", id, name: spec.name }, why });
  }

  build(): Plan {
    return {
      tasks: [...this.#tasks.values()],
      services: [...this.#services.values()],
      removed: [...this.#removed],
      wakeAtMs: this.#wakeAtMs,
      events: this.#events,
    };
  }

  /** When a task that is to stop counts as lost: its node removed, or down for a day. Never while it may be heard. */
  #lostAtMs(task: Task): number {
    const node = this.world.nodes.get(task.nodeId ?? "");
    if (node === undefined) return this.nowMs;
    return isNodeDown(node) ? node.stateSinceMs + orphanedAfterMs : Number.POSITIVE_INFINITY;
  }
}
