// A draft: the world as one transaction is making it, with what happened on the way. Nothing counts until it is saved.

import type { EventSubject, NewEvent } from "../domain/model/event.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { type StaticServer, serverName } from "../domain/model/server.ts";
import type { Service } from "../domain/model/service.ts";
import { type Task, taskName } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import type { NodeProbe, SocketClose } from "./effects.ts";
import type { RegistryStore } from "./store.ts";

/** What a transaction decides by besides the world. */
export type DraftContext = {
  readonly store: RegistryStore;
  readonly nowMs: number;
  readonly newId: () => string;
  /** `length` random base-36 digits. */
  readonly newSecret: (length: number) => string;
  /** `edge`: a task is dialled by DNS name only. `local`: by its node's own address. */
  readonly mode: "edge" | "local";
  /** Names of the regions that static servers are checked from. */
  readonly regions: readonly string[];
};

type Entities = { nodes: MeshNode; services: Service; tasks: Task; servers: StaticServer };

export class Draft {
  readonly context: DraftContext;
  readonly before: World;
  readonly events: NewEvent[] = [];
  readonly closes: SocketClose[] = [];
  readonly probes: NodeProbe[] = [];
  /** Nodes that are sent their assignment though it may not have changed. */
  readonly resend = new Set<string>();
  #world: World;
  readonly #own = new Set<ReadonlyMap<string, unknown>>();

  constructor(before: World, context: DraftContext) {
    this.before = before;
    this.#world = before;
    this.context = context;
  }

  get world(): World {
    return this.#world;
  }

  get nowMs(): number {
    return this.context.nowMs;
  }

  get store(): RegistryStore {
    return this.context.store;
  }

  /** Takes another world in place of the present one. */
  replaceWorld(world: World): void {
    this.#world = world;
  }

  /** Adds a node, service, task or server, or puts it in the place of the one with its id. */
  put<K extends keyof Entities>(kind: K, value: Entities[K]): void {
    this.#writable(kind).set(value.id, value);
  }

  remove(kind: keyof Entities, id: string): void {
    this.#writable(kind).delete(id);
  }

  /** Notes an event; `why` is a sentence for a person and may be empty. */
  recordEvent(actor: string, action: string, subject: EventSubject, why = ""): void {
    this.events.push({ actor, action, subject, why });
  }

  /** Closes every socket of a node once the transaction stands. */
  close(nodeId: string, code: number, reason: string): void {
    this.closes.push({ nodeId, code, reason });
  }

  /** A map of this draft's own: the world it started from, and any it was given, stay as they are. */
  #writable<K extends keyof Entities>(kind: K): Map<string, Entities[K]> {
    const present = this.#world[kind] as ReadonlyMap<string, Entities[K]>;
    if (this.#own.has(present)) return present as Map<string, Entities[K]>;
    const copy = new Map(present);
    this.#own.add(copy);
    this.#world = { ...this.#world, [kind]: copy };
    return copy;
  }
}

export function nodeSubject(node: MeshNode): EventSubject {
  return { type: "node", id: node.id, name: node.hostname };
}

export function serviceSubject(service: Service): EventSubject {
  return { type: "service", id: service.id, name: service.spec.name };
}

export function serverSubject(world: World, server: StaticServer): EventSubject {
  const service = world.services.get(server.serviceId)?.spec.name ?? server.serviceId;
  return { type: "server", id: server.id, name: serverName(service, server) };
}

export function taskSubject(world: World, task: Task): EventSubject {
  const service = world.services.get(task.serviceId)?.spec.name ?? task.serviceId;
  return { type: "task", id: task.id, name: taskName(service, task) };
}
