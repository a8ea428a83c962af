// A draft: the world as one transaction changes it, with the events and messages that the change causes. The world
// before stays readable, and comes back if the transaction fails.

import type { EventSubject, NewEvent } from "../domain/model/event.ts";
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
import { changesBetween, VersionedMap } from "./versioned-map.ts";
import type { Entities, WorldIndex } from "./world-index.ts";

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

/** A world whose maps have versions. */
export type VersionedWorld = { readonly [K in keyof Entities]: VersionedMap<Entities[K]> };

/** The first versions of a world's maps. */
export function firstVersions({ nodes, services, tasks, servers, networks }: World): VersionedWorld {
  return {
    nodes: new VersionedMap(new Map(nodes)),
    services: new VersionedMap(new Map(services)),
    tasks: new VersionedMap(new Map(tasks)),
    servers: new VersionedMap(new Map(servers)),
    networks: new VersionedMap(new Map(networks)),
  };
}

export class Draft {
  readonly context: DraftContext;
  readonly before: VersionedWorld;
  /** Follows the world of the draft. */
  readonly index: WorldIndex;
  readonly events: NewEvent[] = [];
  readonly closes: SocketClose[] = [];
  readonly probes: NodeProbe[] = [];
  readonly gatewayChecks: GatewayCheckRequest[] = [];
  /** True if the keys of gateways changed, which routers have as well. */
  hasNewKeys = false;
  /** Nodes that get their assignment even if it did not change. */
  readonly resend = new Set<string>();
  /** Id of the node whose message the draft handles now; null for all other work. */
  sender: string | null = null;
  /** By event, the node whose message caused it. */
  readonly #senders = new Map<NewEvent, string>();
  #world: VersionedWorld;

  constructor(before: VersionedWorld, index: WorldIndex, context: DraftContext) {
    this.before = before;
    this.#world = before;
    this.index = index;
    this.context = context;
  }

  get world(): VersionedWorld {
    return this.#world;
  }

  get nowMs(): number {
    return this.context.nowMs;
  }

  get store(): RegistryStore {
    return this.context.store;
  }

  /** Adds a node, service, task, server or network, or replaces the one with its id. */
  put<K extends keyof Entities>(kind: K, value: Entities[K]): void {
    const map = this.#writable(kind);
    this.index.replace(kind, map.get(value.id), value);
    map.set(value.id, value);
  }

  remove<K extends keyof Entities>(kind: K, id: string): void {
    const map = this.#writable(kind);
    this.index.replace(kind, map.get(id), undefined);
    map.delete(id);
  }

  /** By id, what the entries that the draft touched were before; undefined: it was added. */
  touched<K extends keyof Entities>(kind: K): ReadonlyMap<string, Entities[K] | undefined> {
    return changesBetween<Entities[K]>(this.before[kind], this.#world[kind]);
  }

  /** Takes all changes of the world back. The draft must not be used any more. */
  undo(): void {
    for (const kind of Object.keys(this.before) as (keyof Entities)[]) this.#undoKind(kind);
  }

  /**
   * @param why a sentence for a person, which may quote a node; may be empty
   * @param changes of a service's spec
   */
  recordEvent(
    actor: string,
    action: string,
    subject: EventSubject,
    why = "",
    changes: readonly string[] = [],
  ): void {
    const event = { actor, action, subject, why: printable(why), ...(changes.length > 0 && { changes }) };
    this.events.push(event);
    if (this.sender !== null) this.#senders.set(event, this.sender);
  }

  /** Id of the node whose message caused an event; null if none did. */
  senderOf(event: NewEvent): string | null {
    return this.#senders.get(event) ?? null;
  }

  /** Closes all sockets of a node after the transaction is saved. @param reason may quote a node */
  close(nodeId: string, code: number, reason: string): void {
    this.closes.push({ nodeId, code, reason: printable(reason) });
  }

  #undoKind<K extends keyof Entities>(kind: K): void {
    const map: ReadonlyMap<string, Entities[K]> = this.#world[kind];
    for (const [id, value] of this.touched(kind)) this.index.replace(kind, map.get(id), value);
    this.before[kind].undo();
  }

  /** The version of a map that this draft may change. */
  #writable<K extends keyof Entities>(kind: K): VersionedMap<Entities[K]> {
    const present: VersionedMap<Entities[K]> = this.#world[kind];
    if (present !== this.before[kind]) return present;
    const next = present.next();
    this.#world = { ...this.#world, [kind]: next };
    return next;
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
