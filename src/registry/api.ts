// The registry's operations and the plain data that crosses RPC with them.

import type { Dependency, DependencyKind } from "../domain/model/dependency.ts";
import type { Result } from "../domain/model/error.ts";
import type { MeshEvent } from "../domain/model/event.ts";
import type { Network, NetworkSpec } from "../domain/model/network.ts";
import type { Availability, MeshNode } from "../domain/model/node.ts";
import type { NodeGateway } from "../domain/model/node-gateway.ts";
import type { ProbeList, ProbeReport } from "../domain/model/probe-list.ts";
import type { AdminState, ServerSpec, StaticServer } from "../domain/model/server.ts";
import type { Service, ServiceSpec } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";
import type { TableGateway } from "../domain/table/table.ts";
import type { AgentClaim, UpgradeRefusal } from "../protocol/agent-upgrade.ts";
import type {
  BackupStarted,
  MeshContents,
  RestoreCommit,
  RestoreRequest,
  RestoreStarted,
} from "../protocol/backup.ts";
import type { MeshKey } from "./gateway-keys.ts";
import type { LogCall, LogTarget } from "./log-calls.ts";
import type { SessionRole } from "./sessions.ts";

export type TableResponse = {
  readonly version: number;
  readonly text: string | null;
  /** Why there is no text: the reader reads none of the formats. */
  readonly refusal?: string;
};

/**
 * `refused`: a wrong credential, or one of a removed node. `unlisted`: its agent opens no published ports. `new`: the
 * mesh never had a node, so that a restore may still bring this one.
 */
export type RouterAccess = "granted" | "refused" | "unlisted" | "new";

/** Whether the relay takes an attempt. `gateway`: null if the mesh has no such node, or no way to it. */
export type RelayAccess = { readonly router: RouterAccess; readonly gateway: TableGateway | null };

/** What a router outside of the Workers needs to serve like one. */
export type RouterMesh = {
  readonly name: string;
  /** The domain under which services have host names; may be empty. */
  readonly domain: string;
};

/**
 * With a newer table, a router gets the key that signs sticky cookies and the keys that prove attempts to
 * gateways. People may see the table, but not the keys.
 */
export type RouterTableResponse = TableResponse & {
  readonly cookieKey?: string;
  readonly gatewayKeys?: readonly MeshKey[];
};

/** The keys of the mesh that routers have and people do not. */
export type RouterTableKeys = Pick<RouterTableResponse, "cookieKey" | "gatewayKeys">;

/** A delta of counters, which the registry does not read. */
export type RouterCounters = {
  /** The number of the delta: a router sends it again under the same one. */
  readonly seq: number;
  /** The delta as JSON. Its times differ when it is sent again. */
  readonly text: string;
};

/** What a router sends to the registry: what it routes by, and what it counted. */
export type RouterCall = {
  readonly routerId: string;
  /** Version of the table that the router routes by, which it acknowledges; -1: it has no table. */
  readonly afterVersion: number;
  /** Formats of the routing table that the router reads, the newest first. */
  readonly formats: readonly number[];
  /** How long the call may wait for something new, milliseconds, at most 25,000; 0: it does not wait. */
  readonly waitMs: number;
  /** Null: nothing was counted. */
  readonly counters: RouterCounters | null;
  /** What the router's clock shows, epoch milliseconds. */
  readonly callerMs?: number;
};

/** A routing table on its way to a router: whole, or what changed since the version that the router has. */
export type TableUpdate =
  | { readonly kind: "whole"; readonly gzip: Uint8Array }
  | { readonly kind: "change"; readonly text: string };

/** The reply to a RouterCall. The keys come with a table, and when they change. */
export type RouterReply = RouterTableKeys & {
  readonly version: number;
  /** Null: there is no newer table. */
  readonly table: TableUpdate | null;
  /** True if the counters are counted, or can never be: the router does not send them again. */
  readonly counted: boolean;
  /** True while a person or program looks at the telemetry. */
  readonly isWatched: boolean;
  /** Why there is no table: the router reads none of the formats that the registry prints. Absent: it does. */
  readonly refusal?: string;
};

/** The call of routers with a binding to the registry object. It may wait, so it is not one of `operations`. */
export type RouterExchangeApi = {
  readonly exchange: (call: RouterCall) => Promise<RouterReply>;
};

/** A summary of the mesh. */
export type MeshInfo = {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly tableVersion: number;
  readonly nodes: { readonly total: number; readonly ready: number };
  readonly services: number;
  readonly tasks: { readonly running: number; readonly desired: number };
};

/** A service with its numbers of running and desired slots. */
/** A service with its numbers of running and desired slots, and of slots that completed in its job's iteration. */
export type ServiceView = Service & {
  readonly running: number;
  readonly desiredTasks: number;
  readonly completed: number;
};

export type NodeChange = {
  readonly availability: Availability;
  readonly role: MeshNode["role"];
  readonly labels: Readonly<Record<string, string>>;
};

export type ServiceSpecInput = {
  readonly spec: ServiceSpec;
  readonly document: unknown;
  /**
   * Credentials for the image's registry: the value of `X-Registry-Auth`, or those of the previous spec. Absent:
   * an update keeps those of the service.
   */
  readonly registryAuth?: string | { readonly from: "previous-spec" };
};

export type NodeJoinInput = {
  readonly token: string;
  readonly kind?: MeshNode["kind"] | undefined;
  /** True if it opens the published ports itself. */
  readonly ingress?: boolean | undefined;
  readonly hostname: string;
  readonly address: string;
  readonly platform: MeshNode["platform"];
  readonly resources: MeshNode["resources"];
  readonly engineVersion: string;
  readonly runtime: MeshNode["runtime"];
  /** Absent for a balancer. */
  readonly gateway?: NodeGateway | undefined;
};

/** A secret or config to store. */
export type DependencyInput = {
  readonly kind: DependencyKind;
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  /** Base64. */
  readonly data: string;
};

/** What an update may change: labels. A name or data other than the present ones is refused. */
export type DependencyUpdate = Pick<DependencyInput, "name" | "labels"> & { readonly data: string | null };

/** A dependency; a config with its data, base64. */
export type DependencyView = Dependency & { readonly data?: string };

/** A static server and the name of its service. */
export type ServerView = StaticServer & { readonly service: string };

export type ServerInput = { readonly spec: ServerSpec; readonly admin: AdminState };

/** The object whose admin state is set. The ref of a server may also be `SERVICE/SERVER`. */
export type AdminTarget = { readonly kind: "server" | "task" | "node"; readonly ref: string };

/** Refs of services and nodes. Refs of one kind are alternatives; both kinds must match. Absent: any. */
export type TaskFilter = { readonly services?: readonly string[]; readonly nodes?: readonly string[] };

export type JoinTokens = { readonly worker: string; readonly manager: string };

type AnyCall = (...args: never[]) => unknown;

/** One operation: whether it changes anything, and how it is called. `call` exists for the compiler only. */
type Operation<Call extends AnyCall> = { readonly kind: "read" | "change"; readonly call?: Call };

const read = <Call extends AnyCall>(): Operation<Call> => ({ kind: "read" });
const change = <Call extends AnyCall>(): Operation<Call> => ({ kind: "change" });

/**
 * All operations of the registry. The RPC methods of its Durable Object and the remote client are derived
 * from this table; an operation is declared here and implemented in registry.ts, and nowhere else.
 *
 * A `ref` is a full id, an exact name, or a unique id prefix, as the Docker CLI accepts it. `actor` names who
 * makes the change, for the events: `operator`, `viewer`. `callerMs` is what the caller's clock shows: the clock
 * of a Durable Object may stand still.
 *
 * @see docs/decisions/0054-one-table-of-operations.md
 */
export const operations = {
  info: read<() => MeshInfo>(),

  nodes: read<(callerMs?: number) => readonly MeshNode[]>(),
  node: read<(ref: string) => Result<MeshNode>>(),
  updateNode: change<(ref: string, version: number, change: NodeChange, actor: string) => Result<MeshNode>>(),
  removeNode: change<(ref: string, force: boolean, actor: string) => Result<null>>(),

  services: read<() => readonly ServiceView[]>(),
  service: read<(ref: string) => Result<ServiceView>>(),
  createService: change<(input: ServiceSpecInput, actor: string) => Result<Service>>(),
  /** `rollback` replaces the spec by the previous one. */
  updateService:
    change<
      (ref: string, version: number, input: ServiceSpecInput | "rollback", actor: string) => Result<Service>
    >(),
  removeService: change<(ref: string, actor: string) => Result<null>>(),

  /** All networks, `ingress` included, oldest first. */
  networks: read<() => readonly Network[]>(),
  network: read<(ref: string) => Result<Network>>(),
  createNetwork: change<(spec: NetworkSpec, actor: string) => Result<Network>>(),
  removeNetwork: change<(ref: string, actor: string) => Result<null>>(),

  /** Secrets or configs without their data, oldest first. */
  dependencies: read<(kind: DependencyKind) => readonly Dependency[]>(),
  dependency: read<(kind: DependencyKind, ref: string) => Result<DependencyView>>(),
  createDependency: change<(input: DependencyInput, actor: string) => Result<Dependency>>(),
  updateDependency:
    change<
      (
        kind: DependencyKind,
        ref: string,
        version: number,
        update: DependencyUpdate,
        actor: string,
      ) => Result<null>
    >(),
  removeDependency: change<(kind: DependencyKind, ref: string, actor: string) => Result<null>>(),
  /** The data of a secret or config, base64, for a node that runs a task with it. */
  taskDependency: read<(nodeId: string, credential: string, id: string) => Result<string>>(),

  /** Static servers, ascending by service and name; `serviceRef` null: of all services. */
  servers: read<(serviceRef: string | null) => Result<readonly ServerView[]>>(),
  addServer: change<(serviceRef: string, input: ServerInput, actor: string) => Result<ServerView>>(),
  /** `version` null: any. */
  updateServer:
    change<(ref: string, version: number | null, spec: ServerSpec, actor: string) => Result<ServerView>>(),
  removeServer: change<(ref: string, actor: string) => Result<null>>(),
  setAdmin: change<(target: AdminTarget, state: AdminState, actor: string) => Result<null>>(),

  /** Tasks that match the filter, history included, oldest first. */
  tasks: read<(filter: TaskFilter) => Result<readonly Task[]>>(),
  task: read<(ref: string) => Result<Task>>(),

  /** Signs requests for logs of tasks, each for the gateway of one node; in their order. */
  signLogs: read<(targets: readonly LogTarget[]) => readonly LogCall[]>(),

  joinTokens: read<() => JoinTokens>(),
  rotateJoinTokens:
    change<(which: { readonly worker: boolean; readonly manager: boolean }, actor: string) => null>(),
  /** Replaces the key by which routers prove attempts to gateways, step by step and without a gap. */
  rotateGatewayKey: change<(actor: string) => null>(),
  join: change<(input: NodeJoinInput) => Result<{ readonly nodeId: string; readonly credential: string }>>(),

  /** True if the credential is the node's. For control Workers of the previous release. */
  authenticateNode: read<(nodeId: string, credential: string) => boolean>(),
  /** Null if the credential is the node's, else why its agent is refused. */
  refuseNode: read<(claim: AgentClaim) => UpgradeRefusal | null>(),

  /** Reads all rows for a backup, whose parts can then be fetched. */
  startBackup: change<(actor: string) => Result<BackupStarted>>(),
  /** A part, sealed for a holder of the operator's token. */
  backupPart: read<(id: string, number: number) => Result<string>>(),
  startRestore: change<(request: RestoreRequest, actor: string) => Result<RestoreStarted>>(),
  putRestorePart: change<(id: string, number: number, part: string) => Result<null>>(),
  /** Replaces all rows by those of the backup. Once it is done, the same call returns the same. */
  commitRestore: change<(id: string, commit: RestoreCommit, actor: string) => Result<MeshContents>>(),
  /** Deletes the parts of a backup or restore. Of one that the mesh does not know: does nothing. */
  endTransfer: change<(id: string) => null>(),

  /** Redeems a one-time id: true the first time before `untilMs`, otherwise false. */
  redeem: change<(id: string, untilMs: number) => boolean>(),

  /** Opens a session of the dashboard. Of more than 500 of a role the oldest ends. */
  openSession: change<(id: string, untilMs: number, role: SessionRole) => null>(),
  /** False for a session that expired, was closed, or never opened. */
  isSessionOpen: read<(id: string) => boolean>(),
  /** Ends a session and closes its sockets. */
  closeSession: change<(id: string) => null>(),

  /** Events after `sinceSeq`, oldest first, at most `limit`. */
  events: read<(sinceSeq: number, limit: number) => readonly MeshEvent[]>(),
  /** The newest events, oldest first, at most `limit`. */
  newestEvents: read<(limit: number) => readonly MeshEvent[]>(),

  /**
   * The printed routing table if it is newer than `afterVersion`; else `text` is null. With `formats`, which its
   * reader reads, it may be the change from that version, and a table in none of them is a refusal.
   */
  table: read<(afterVersion: number, callerMs?: number, formats?: readonly number[]) => TableResponse>(),
  /**
   * The poll of a router of the previous release, which has no `exchange`, for a table newer than the one it
   * routes by. The registry remembers the router: a task that left the table is stopped once all live routers poll
   * with a version without it.
   */
  pollTable: change<(routerId: string, afterVersion: number, callerMs?: number) => RouterTableResponse>(),
  /** Whether a machine may use the routes of routers; its credential is compared in constant time. */
  routerAccess: read<(nodeId: string, credential: string) => RouterAccess>(),
  /** The same, and how the gateway of a node is reached to which the machine wants to send an attempt. */
  relayAccess: read<(routerId: string, credential: string, nodeId: string) => RelayAccess>(),
  /**
   * A router's report of tasks that do not respond. If another router agrees, or there is no other, the
   * agents of these tasks probe them.
   */
  suspect: change<(routerId: string, taskIds: readonly string[]) => null>(),

  /**
   * A prober's report of check results. Returns its region's list if `listHash` is the hash of an older one,
   * else null.
   */
  reportProbes:
    change<(region: string, listHash: string, reports: readonly ProbeReport[]) => ProbeList | null>(),
};

export type OperationName = keyof typeof operations;
type CallOf<Name extends OperationName> = NonNullable<(typeof operations)[Name]["call"]>;
export type OperationArgs<Name extends OperationName> = Parameters<CallOf<Name>>;
export type OperationResult<Name extends OperationName> = ReturnType<CallOf<Name>>;

/** The operations as the registry implements them. */
export type RegistryOperations = {
  readonly [Name in keyof typeof operations]: (...args: OperationArgs<Name>) => OperationResult<Name>;
};

/**
 * The operations as callers see them: over RPC a result is a promise. Failures are Results, never exceptions.
 */
export type MeshApi = {
  readonly [Name in keyof typeof operations]: (
    ...args: OperationArgs<Name>
  ) => OperationResult<Name> | Promise<OperationResult<Name>>;
};

export const operationNames = Object.keys(operations) as readonly OperationName[];
