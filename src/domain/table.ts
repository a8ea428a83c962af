// The routing table: an immutable, versioned value; all that the data plane knows.

import type { PublishMode } from "./service.ts";

export type TableNode = {
  readonly id: string;
  readonly name: string;
  /** False: the balancer does not pick it; its own entry point still serves. */
  readonly up: boolean;
  readonly address: string;
  /** Host names of its own entry point, lower case. */
  readonly hosts: readonly string[];
};

export type TableTask = {
  readonly id: string;
  readonly slot: number;
  readonly nodeId: string;
  readonly weight: number;
  /** Origin per target port: `[80, "http://127.0.0.2:41233"]`, ascending. */
  readonly endpoints: readonly (readonly [target: number, origin: string])[];
};

export type TableService = {
  readonly id: string;
  readonly name: string;
  readonly policy: "roundrobin";
  readonly ports: readonly {
    readonly target: number;
    readonly published: number;
    readonly mode: PublishMode;
  }[];
  /** Host names (label `waggle.host`), lower case. */
  readonly hosts: readonly string[];
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
