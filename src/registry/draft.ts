// A draft: the world as one transaction changes it, with the events and messages that the change causes.

import type { EventSubject, NewEvent } from "../domain/model/event.ts";
import type { Network } from "../domain/model/network.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { printable } from "../domain/model/printable.ts";
import { type StaticServer, serverName } from "../domain/model/server.ts";
import type { Service } from "../domain/model/service.ts";
import { type Task, taskName } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import type { AddressRules } from "./addresses.ts";
import type { NodeProbe, SocketClose } from "./effects.ts";
import type { GatewayCheckRequest } from "./gateway-checks.ts";
import type { RegistryStore } from "./store.ts";

/** What a transaction depends on besides the world. */
export type DraftContext = {
  readonly store: RegistryStore;
  readonly nowMs: number;
  readonly newId: () => string;
  /** `length` random base-36 digits. */
  readonly newSecret: (length: number) => string;
  /** Under which texts are sealed in the database (sealed-text.ts). */
  readonly sealSecret: string;
  readonly addresses: AddressRules;
  /** Names of the regions that static servers are checked from, at least one. */
  readonly regions: readonly string[];
};

type Entities = { nodes: MeshNode; services: Service; tasks: Task; servers: StaticServer; networks: Network };

export class Draft {
  readonly context: DraftContext;
  readonly before: World;
  readonly events: NewEvent[] = [];
  readonly closes: SocketClose[] = [];
  readonly probes: NodeProbe[] = [];
  readonly gatewayChecks: GatewayCheckRequest[] = [];
  /** Nodes that get their assignment even if it did not change. */
  readonly resend = new Set<string>();
  /** Id of the node whose message the transaction handles; null for all other work. */
  sender: string | null = null;
  #world: World;
  /** The maps that this draft copied and may change. */
  readonly #ownMaps = new Set<ReadonlyMap<string, unknown>>();

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

  replaceWorld(world: World): void {
    this.#world = world;
  }

  /** Adds a node, service, task, server or network, or replaces the one with its id. */
  put<K extends keyof Entities>(kind: K, value: Entities[K]): void {
    this.#writable(kind).set(value.id, value);
  }

  remove(kind: keyof Entities, id: string): void {
    this.#writable(kind).delete(id);
  }

  /** @param why a sentence for a person, which may quote a node; may be empty */
  recordEvent(actor: string, action: string, subject: EventSubject, why = ""): void {
    this.events.push({ actor, action, subject, why: printable(why) });
  }

  /** Closes all sockets of a node after the transaction is saved. @param reason may quote a node */
  close(nodeId: string, code: number, reason: string): void {
    this.closes.push({ nodeId, code, reason: printable(reason) });
  }

  /** A map that this draft may change. Copies the map first unless the draft already did. */
  #writable<K extends keyof Entities>(kind: K): Map<string, Entities[K]> {
    const present = this.#world[kind] as ReadonlyMap<string, Entities[K]>;
    if (this.#ownMaps.has(present)) return present as Map<string, Entities[K]>;
    const copy = new Map(present);
    this.#ownMaps.add(copy);
    this.#world = { ...this.#world, [kind]: copy };
    return copy;
  }
}

export function meshSubject({ store }: Draft): EventSubject {
  return { type: "mesh", id: store.meta("meshId") ?? "", name: store.meta("meshName") ?? "" };
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
