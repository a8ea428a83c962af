// The routing table: an immutable, versioned value with everything the data plane knows.

import { compareStrings } from "../model/compare.ts";
import type { Transport } from "../model/node-gateway.ts";
import type { PublishMode } from "../model/service.ts";
import type { AttemptOptions } from "./attempt-options.ts";
import type { PathRule } from "./path-rule.ts";
import type { Policy } from "./policy.ts";
import type { TcpOptions } from "./tcp-options.ts";

/** How the data plane reaches a node's gateway. */
export type TableGateway = {
  readonly transport: Transport;
  /** `http://10.0.0.5:7946`, without a trailing slash; empty for a tunnel, whose object is named by the node. */
  readonly base: string;
};

export type TableNode = {
  readonly id: string;
  readonly name: string;
  /** False: the edge picks the node only if no other is up; its own ingress still serves. */
  readonly up: boolean;
  /** The edge never picks the node; its own ingress still serves. Absent: ready. */
  readonly admin?: "drain" | "maint";
  readonly address: string;
  /** Absent: its tasks have origins of their own, as in tables of format 2, or cannot be reached. */
  readonly gateway?: TableGateway;
  /** Host names of its ingress, lower case. */
  readonly hosts: readonly string[];
};

/** The fields of a target (a task or a static server) that policies use. */
export type Share = {
  /** 0 to 256; 0: no new clients. */
  readonly weight: number;
  /** Picked only if no target without this flag is available. */
  readonly backup?: true;
  /** A backup that is not the first one: gets only clients whose sticky cookie names it. */
  readonly standby?: true;
  /** Gets only clients whose sticky cookie names it. */
  readonly drain?: true;
  /** Maximum number of open requests per isolate. Absent: the service's maximum. */
  readonly maxconn?: number;
  /** When it began to take requests, epoch milliseconds; only if the service has a slow start. */
  readonly sinceMs?: number;
};

export type TableTask = Share & {
  readonly id: string;
  readonly slot: number;
  readonly nodeId: string;
  /**
   * The target ports, ascending. The origin is null for a task that is reached through its node's gateway; in
   * a table of format 2 it is an URL, `[80, "http://127.0.0.2:41233"]`.
   */
  readonly endpoints: readonly (readonly [target: number, origin: string | null])[];
};

/** A static server: serves every target port of its service and is on no node. */
export type TableServer = Share & {
  readonly id: string;
  /** Unique within the service. */
  readonly name: string;
  readonly origin: string;
};

/** A static server that gets no requests. */
export type DownServer = {
  readonly id: string;
  readonly name: string;
  /** `in maint`, or `down: ` and the last check. */
  readonly why: string;
};

/**
 * A second service that gets some of a service's requests. The header decides first, then the cookie, then
 * percent.
 */
export type Canary = {
  /** Name of that service, which may not exist. */
  readonly service: string;
  /** Percentage of the requests that no header or cookie decides. */
  readonly percent: number;
  readonly header?: CanaryRule;
  readonly cookie?: CanaryRule;
};

/**
 * Which values of a header or cookie select the canary: `value` if set, else `always` (and `never` excludes
 * it). Header names are in lower case.
 */
export type CanaryRule = { readonly name: string; readonly value?: string };

/** The path rules of a service: which requests of other services or host names it takes. */
export type TablePaths = {
  /**
   * Names of the services whose requests it takes, ascending; they may not exist. Empty: every rule has a
   * host name.
   */
  readonly at: readonly string[];
  /** Ordered by precedence. */
  readonly rules: readonly PathRule[];
};

/** Settings of a service for the data plane. Absent: off, or the data plane's default. */
export type TableOptions = AttemptOptions &
  TcpOptions & {
    /** Name of the cookie that keeps a client with its task. */
    readonly sticky?: string;
    /** True: requests to its tasks name the mesh in Via. */
    readonly via?: boolean;
    /** The Host that tasks get instead of the client's. */
    readonly hostHeader?: string;
    /** Maximum number of open requests per task, per isolate. */
    readonly maxconn?: number;
    /** Maximum number of queued requests, per isolate. */
    readonly queue?: number | "unlimited";
    readonly queueTimeoutMs?: number;
    /** How long a new task takes to reach its full weight. */
    readonly slowStartMs?: number;
    /**
     * A header that every response of the application has, lower case: a 502, 503 or 504 without it did not
     * come from the application.
     */
    readonly marker?: string;
    readonly canary?: Canary;
    readonly paths?: TablePaths;
  };

export type TableService = {
  readonly id: string;
  readonly name: string;
  readonly policy: Policy;
  readonly ports: readonly {
    readonly target: number;
    readonly published: number;
    readonly mode: PublishMode;
  }[];
  /** Host names of label `waggle.host`, lower case. */
  readonly hosts: readonly string[];
  /** Absent: none. */
  readonly options?: TableOptions;
  /** Static servers, ascending by id. Absent: none. */
  readonly servers?: readonly TableServer[];
  /** The static servers of a service that has no target, ascending by id, for refusals. Absent: none. */
  readonly downServers?: readonly DownServer[];
  /** Routable tasks, ascending by id. */
  readonly tasks: readonly TableTask[];
};

export type RoutingTable = {
  readonly version: number;
  readonly nodes: readonly TableNode[];
  readonly services: readonly TableService[];
  /**
   * Name of the service for requests whose port and host name belong to no service; null: they are refused.
   */
  readonly defaultService: string | null;
  /** Id of the key by which routers prove attempts to gateways; null: attempts cannot be signed. */
  readonly signingKey: string | null;
};

/** Compares two nodes or services of a table. */
export function byTableOrder(a: { name: string; id: string }, b: { name: string; id: string }): number {
  return compareStrings(a.name, b.name) || compareStrings(a.id, b.id);
}
