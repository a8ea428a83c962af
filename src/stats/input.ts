// The input of a report: the mesh's state from the registry, and its traffic from telemetry.

import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Task } from "../domain/model/task.ts";
import type { MeshInfo, ServiceView } from "../registry/api.ts";
import type { ColumnValues } from "./report.ts";

export type StatsInput = {
  readonly info: MeshInfo;
  readonly nodes: readonly MeshNode[];
  readonly services: readonly ServiceView[];
  /** Includes ended tasks. */
  readonly tasks: readonly Task[];
  readonly servers: readonly StaticServer[];
  readonly traffic: StatsTraffic;
  /** Epoch milliseconds. */
  readonly nowMs: number;
};

/** The traffic columns; empty without telemetry. */
export type StatsTraffic = {
  /** All requests, at the edge and at the nodes' own entry points. */
  readonly mesh: ProxyValues;
  readonly service: (id: string) => ProxyValues;
  /** The attempts on a slot or static server by name; a slot includes its past tasks. */
  readonly server: (serviceId: string, name: string) => ColumnValues;
  readonly node: (id: string) => ColumnValues;
};

/** The traffic columns of a proxy's frontend and backend. */
export type ProxyValues = { readonly frontend: ColumnValues; readonly backend: ColumnValues };

/** The columns without telemetry. */
export const emptyTraffic: StatsTraffic = {
  mesh: { frontend: {}, backend: {} },
  service: () => ({ frontend: {}, backend: {} }),
  server: () => ({}),
  node: () => ({}),
};
