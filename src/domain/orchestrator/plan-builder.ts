// The plan under construction: reconciling reads the world through it and records every change in it.

import type { EventSubject } from "../model/event.ts";
import { isNodeDown, type MeshNode } from "../model/node.ts";
import type { Service } from "../model/service.ts";
import { type FailureStreak, isAlive, type Task, taskName, taskStates } from "../model/task.ts";
import type { World } from "../model/world.ts";
import { type NodeTasks, wantedOnNode } from "../scheduler/node-info.ts";
import type { Plan } from "./plan.ts";

/** After this long a node that is down counts as lost, and its tasks become orphaned, as in Swarm. */
const orphanedAfterMs = 24 * 60 * 60_000;

/** The earliest start of a new task, and the reason shown until then. */
export type TaskStart = {
  readonly notBeforeMs: number;
  readonly err: string;
  readonly failures?: FailureStreak;
};

/** The slot of a new task: its number from 1, or the node of a global service. */
type SlotKey = { readonly number: number; readonly nodeId: string | null };

export class PlanBuilder {
  readonly nowMs: number;
  #world: World;
  readonly #newId: () => string;
  readonly #tasks = new Map<string, Task>();
  readonly #removed = new Set<string>();
  readonly #services = new Map<string, Service>();
  readonly #events: Plan["events"][number][] = [];
  readonly #wakes = new Map<string, number>();

  constructor(world: World, at: { nowMs: number; newId: () => string }) {
    this.#world = world;
    this.nowMs = at.nowMs;
    this.#newId = at.newId;
  }

  /** The world as passed in, except that its services include the changes so far. */
  get world(): World {
    return this.#world;
  }

  /** The task with the changes so far; undefined if the plan deletes it. */
  latest(task: Task): Task | undefined {
    return this.#removed.has(task.id) ? undefined : (this.#tasks.get(task.id) ?? task);
  }

  /**
   * The tasks of each node with the changes so far, and the nodes that have fewer than before.
   *
   * @param before those of the world
   */
  nodeTasks(before: NodeTasks): { readonly nodeTasks: NodeTasks; readonly emptiedNodes: readonly string[] } {
    const change = new Map<string, number>();
    const count = (task: Task | undefined, by: number) => {
      const nodeId = wantedOnNode(task);
      if (nodeId !== null) change.set(nodeId, (change.get(nodeId) ?? 0) + by);
    };
    for (const [id, task] of this.#tasks) {
      count(this.world.tasks.get(id), -1);
      count(task, 1);
    }
    for (const id of this.#removed) count(this.world.tasks.get(id), -1);
    const nodeTasks: NodeTasks = {
      wantedOn: (nodeId) => before.wantedOn(nodeId) + (change.get(nodeId) ?? 0),
      tasksOn: (nodeId) => [...before.tasksOn(nodeId)].flatMap((task) => this.latest(task) ?? []),
    };
    return { nodeTasks, emptiedNodes: [...change].filter(([, by]) => by < 0).map(([nodeId]) => nodeId) };
  }

  /** Creates a pending task from the service's current spec. */
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
      ...(service.job && { jobIteration: service.job.iteration }),
      desired: "running",
      state: "pending",
      message: "pending task scheduling",
      err: start.err,
      stateSinceMs: this.nowMs,
      createdAtMs: this.nowMs,
      notBeforeMs: start.notBeforeMs,
      ...(start.failures && { failures: start.failures }),
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

  /** Changes some fields of a task. Its version rises by one per plan, however often it changes. */
  change(task: Task, fields: Partial<Task>): Task {
    const latest = this.#tasks.get(task.id) ?? task;
    const version = this.#tasks.has(task.id) ? latest.version : latest.version + 1;
    const changed = { ...latest, ...fields, version };
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

  /** Sets the reason why a task is still pending; an unchanged reason is not recorded again. */
  setPendingReason(task: Task, reason: string): void {
    if (task.err !== reason) this.recordEvent("task.pending", this.change(task, { err: reason }), reason);
  }

  /**
   * Sets the desired state to `shutdown`; the dead task stays in the history. Deletes the task instead if it
   * is not assigned yet, or if its node is lost.
   */
  stop(task: Task, why: string): void {
    const lostAtMs = this.#lostAtMs(task);
    if (taskStates[task.state] < taskStates.assigned || lostAtMs <= this.nowMs) {
      this.delete(task);
    } else {
      this.change(task, { desired: "shutdown" });
      this.recordEvent("task.shutdown", task, why);
      if (lostAtMs < Number.POSITIVE_INFINITY) this.wakeAt(lostAtMs, task.serviceId);
    }
  }

  /**
   * Orphans a task that no agent can report dead: its node was removed, or it should stop and its node has
   * been down for a day.
   */
  orphanIfNodeLost(task: Task): Task {
    const node = this.world.nodes.get(task.nodeId ?? "");
    if (task.nodeId === null || !isAlive(task)) return task;
    if (node !== undefined && task.desired === "running") return task;
    const lostAtMs = this.#lostAtMs(task);
    if (lostAtMs > this.nowMs) {
      if (lostAtMs < Number.POSITIVE_INFINITY) this.wakeAt(lostAtMs, task.serviceId);
      return task;
    }
    const err = node === undefined ? "its node was removed" : "its node has been down for a day";
    this.recordEvent("task.orphaned", task, err);
    return this.change(task, { state: "orphaned", err, stateSinceMs: this.nowMs });
  }

  /**
   * Sets the desired state to `remove`; the task is deleted once it is dead. Deletes it now if no agent can
   * report that: the task is not assigned yet, or its node was removed or is down.
   */
  remove(task: Task, why: string): void {
    const node = this.world.nodes.get(task.nodeId ?? "");
    const isAssigned = taskStates[task.state] >= taskStates.assigned;
    const canBeReported = isAssigned && node !== undefined && !isNodeDown(node);
    if (!isAlive(task) || !canBeReported) {
      this.delete(task);
    } else if (task.desired !== "remove") {
      this.change(task, { desired: "remove" });
      this.recordEvent("task.remove", task, why);
    }
  }

  /** Replaces a service; `world` shows the new one from here on. */
  replaceService(service: Service): void {
    this.#services.set(service.id, service);
    this.#world = { ...this.#world, services: new Map(this.#world.services).set(service.id, service) };
  }

  /** Deletes a task's record. */
  delete(task: Task): void {
    this.#tasks.delete(task.id);
    if (this.world.tasks.has(task.id)) this.#removed.add(task.id);
  }

  /** Asks to reconcile a service again at this time. */
  wakeAt(atMs: number, serviceId: string): void {
    this.#wakes.set(serviceId, Math.min(this.#wakes.get(serviceId) ?? atMs, atMs));
  }

  recordEvent(action: string, task: Task, why: string): void {
    const name = taskName(this.world.services.get(task.serviceId)?.spec.name ?? task.serviceId, task);
    const subject: EventSubject = { type: "task", id: task.id, name };
    this.#events.push({ actor: "registry", action, subject, why });
  }

  /** @param changes of the service's spec */
  recordServiceEvent(
    action: string,
    { id, spec }: Service,
    why: string,
    changes: readonly string[] = [],
  ): void {
    const subject: EventSubject = { type: "service", id, name: spec.name };
    this.#events.push({ actor: "registry", action, subject, why, ...(changes.length > 0 && { changes }) });
  }

  build(): Plan {
    return {
      tasks: [...this.#tasks.values()],
      services: [...this.#services.values()],
      removed: [...this.#removed],
      wakes: this.#wakes,
      events: this.#events,
    };
  }

  /**
   * When a stopping task counts as lost: now if its node was removed, after a day if it is down, else never.
   */
  #lostAtMs(task: Task): number {
    const node = this.world.nodes.get(task.nodeId ?? "");
    if (node === undefined) return this.nowMs;
    return isNodeDown(node) ? node.stateSinceMs + orphanedAfterMs : Number.POSITIVE_INFINITY;
  }
}
