// The routing table: an immutable, versioned value; all that the data plane knows.

import type { PublishMode } from "../model/service.ts";
import type { PathRule } from "./path-rule.ts";
import type { Policy } from "./policy.ts";

export type TableNode = {
  readonly id: string;
  readonly name: string;
  /** False: the balancer picks it only where no other is up; its own entry point still serves. */
  readonly up: boolean;
  /** The operator took it out of the balancer: it is never picked; its own entry point still serves. Absent: ready. */
  readonly admin?: "drain" | "maint";
  readonly address: string;
  /** Host names of its own entry point, lower case. */
  readonly hosts: readonly string[];
};

/** What a policy goes by when it picks, the same for tasks and for static servers. */
export type Share = {
  /** Its share among the others, 0 to 256. 0: no new clients. */
  readonly weight: number;
  /** Picked only when none is left that is not a backup. */
  readonly backup?: true;
  /** A backup that another one goes before: it takes only those whose sticky cookie names it. */
  readonly standby?: true;
  /** No new clients; those whose sticky cookie names it still come. */
  readonly drain?: true;
  /** Open requests at most, per isolate. Absent: what the service says. */
  readonly maxconn?: number;
  /** Since when it takes requests, epoch milliseconds; only where the service has a slow start. */
  readonly sinceMs?: number;
};

export type TableTask = Share & {
  readonly id: string;
  readonly slot: number;
  readonly nodeId: string;
  /** Origin per target port: `[80, "http://127.0.0.2:41233"]`, ascending. */
  readonly endpoints: readonly (readonly [target: number, origin: string])[];
};

/** A server that no agent runs: it answers for every target port of its service, and is on no node of the mesh. */
export type TableServer = Share & {
  readonly id: string;
  /** As the operator calls it; each once in a service. */
  readonly name: string;
  readonly origin: string;
};

/** A second service that gets some of a service's requests. A header decides before a cookie, a cookie before weight. */
export type Canary = {
  /** Name of that service; it may not be there. */
  readonly service: string;
  /** Of a hundred requests that no header or cookie decides. */
  readonly percent: number;
  readonly header?: CanaryRule;
  readonly cookie?: CanaryRule;
};

/** With a value: that value goes to the canary. Without: `always` goes to it, `never` does not. Names in lower case. */
export type CanaryRule = { readonly name: string; readonly value?: string };

/** Which requests of others a service takes. */
export type TablePaths = {
  /** Names of the services it takes them from, ascending; they may not be there. None: each rule names its host. */
  readonly at: readonly string[];
  /** The one that decides first before the others. */
  readonly rules: readonly PathRule[];
};

/** What a service's policy is told besides its name. Absent: off, or the data plane's default. */
export type TableOptions = {
  /** Name of the cookie by which a client stays with its task. */
  readonly sticky?: string;
  /** Open requests per task at most, per isolate. */
  readonly maxconn?: number;
  /** Requests that may wait for a task below its maxconn, per isolate. */
  readonly queue?: number;
  readonly queueTimeoutMs?: number;
  /** How long a task takes to come to its full weight. */
  readonly slowStartMs?: number;
  /** Name of a header that each of its answers has, lower case: a 502, 503 or 504 without it is none of its own. */
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
  /** Host names (label `waggle.host`), lower case. */
  readonly hosts: readonly string[];
  /** Absent: none. */
  readonly options?: TableOptions;
  /** Servers no agent runs, ascending by id. Absent: none. */
  readonly servers?: readonly TableServer[];
  /** Routable tasks, ascending by id. */
  readonly tasks: readonly TableTask[];
};

export type RoutingTable = {
  readonly version: number;
  readonly nodes: readonly TableNode[];
  readonly services: readonly TableService[];
  /** Name of the service that answers where neither port nor host name says which; null when there is none. */
  readonly defaultService: string | null;
};
