// What the registry offers its callers: the control API, the data plane and the Durable Object's shell.
// Everything is plain data, so that it crosses RPC; failures are answers, never exceptions.

import type { Result } from "../domain/model/error.ts";
import type { MeshEvent } from "../domain/model/event.ts";
import type { Availability, MeshNode } from "../domain/model/node.ts";
import type { ProbeList, ProbeReport } from "../domain/model/probe-list.ts";
import type { AdminState, ServerSpec, StaticServer } from "../domain/model/server.ts";
import type { Service, ServiceSpec } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";

export type TableResponse = {
  readonly version: number;
  readonly text: string | null;
  /** Only for a router, beside the text: the key sticky cookies are signed with. People may see the table, not this. */
  readonly cookieKey?: string;
};

/** The mesh at a glance. */
export type MeshInfo = {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly tableVersion: number;
  readonly nodes: { readonly total: number; readonly ready: number };
  readonly services: number;
  readonly tasks: { readonly running: number; readonly desired: number };
};

/** A service and how many of its tasks run and should. */
export type ServiceView = Service & { readonly running: number; readonly desiredTasks: number };

export type NodeChange = {
  readonly availability: Availability;
  readonly role: MeshNode["role"];
  readonly labels: Readonly<Record<string, string>>;
};

export type ServiceSpecInput = { readonly spec: ServiceSpec; readonly document: unknown };

export type NodeJoinInput = {
  readonly token: string;
  readonly hostname: string;
  readonly address: string;
  readonly platform: MeshNode["platform"];
  readonly resources: MeshNode["resources"];
  readonly engineVersion: string;
  readonly runtime: MeshNode["runtime"];
};

/** A static server and the name of its service. */
export type ServerView = StaticServer & { readonly service: string };

export type ServerInput = { readonly spec: ServerSpec; readonly admin: AdminState };

/** What an admin state is set of; a ref as for the others, of a server also `SERVICE/SERVER`. */
export type AdminTarget = { readonly kind: "server" | "task" | "node"; readonly ref: string };

/** `T` now where the registry is at hand, a promise of it over RPC. */
type MaybePromise<T> = T | Promise<T>;

/**
 * The registry's use-cases. A `ref` is a full id, an exact name, or a unique id prefix, as the Docker CLI gives it.
 * `actor` says who asks, for the events: `operator`, `viewer`.
 */
export interface MeshApi {
  info(): MaybePromise<MeshInfo>;

  nodes(): MaybePromise<readonly MeshNode[]>;
  node(ref: string): MaybePromise<Result<MeshNode>>;
  updateNode(ref: string, version: number, change: NodeChange, actor: string): MaybePromise<Result<MeshNode>>;
  removeNode(ref: string, force: boolean, actor: string): MaybePromise<Result<null>>;

  services(): MaybePromise<readonly ServiceView[]>;
  service(ref: string): MaybePromise<Result<ServiceView>>;
  createService(input: ServiceSpecInput, actor: string): MaybePromise<Result<Service>>;
  /** `rollback`: the previous spec takes the place of the present one and `input` is not read. */
  updateService(
    ref: string,
    version: number,
    input: ServiceSpecInput | "rollback",
    actor: string,
  ): MaybePromise<Result<Service>>;
  removeService(ref: string, actor: string): MaybePromise<Result<null>>;

  /** Static servers by service and name; null: of all services. */
  servers(serviceRef: string | null): MaybePromise<Result<readonly ServerView[]>>;
  addServer(serviceRef: string, input: ServerInput, actor: string): MaybePromise<Result<ServerView>>;
  /** @param version null: whichever there is */
  updateServer(
    ref: string,
    version: number | null,
    spec: ServerSpec,
    actor: string,
  ): MaybePromise<Result<ServerView>>;
  removeServer(ref: string, actor: string): MaybePromise<Result<null>>;
  setAdmin(target: AdminTarget, state: AdminState, actor: string): MaybePromise<Result<null>>;

  /** Tasks of the services and nodes named (refs; absent: of all), history included, oldest first. */
  tasks(filter: {
    readonly services?: readonly string[];
    readonly nodes?: readonly string[];
  }): MaybePromise<Result<readonly Task[]>>;
  task(id: string): MaybePromise<Result<Task>>;

  joinTokens(): MaybePromise<{ readonly worker: string; readonly manager: string }>;
  rotateJoinTokens(
    which: { readonly worker: boolean; readonly manager: boolean },
    actor: string,
  ): MaybePromise<null>;
  join(input: NodeJoinInput): MaybePromise<Result<{ readonly nodeId: string; readonly credential: string }>>;

  /** True the first time it is asked for this id, so that what can be used once is; kept until `untilMs`. */
  redeem(id: string, untilMs: number): MaybePromise<boolean>;

  /** Events after `sinceSeq`, oldest first, at most `limit`. */
  events(sinceSeq: number, limit: number): MaybePromise<readonly MeshEvent[]>;

  /**
   * The printed routing table when it is newer than `afterVersion`; `text` is null when it is not. A router says who it
   * is: a task that left the table is stopped once all routers ask for what comes after a table without it.
   */
  table(afterVersion: number, routerId?: string): MaybePromise<TableResponse>;
  /** Takes a region's check results. Answers with its list of servers if `listHash` is of another one. */
  reportProbes(
    region: string,
    listHash: string,
    reports: readonly ProbeReport[],
  ): MaybePromise<ProbeList | null>;
  /** A router says that these tasks do not answer. Where others agree, or there is none, their agents probe them now. */
  suspect(routerId: string, taskIds: readonly string[]): MaybePromise<null>;
}
