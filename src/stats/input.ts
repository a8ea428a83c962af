// What a report is made of: the mesh as the registry tells it, and what was counted of its traffic.

import type { MeshNode } from "../domain/model/node.ts";
import type { StaticServer } from "../domain/model/server.ts";
import type { Task } from "../domain/model/task.ts";
import type { MeshInfo, ServiceView } from "../registry/api.ts";
import type { ColumnValues } from "./report.ts";

export type StatsInput = {
  readonly info: MeshInfo;
  readonly nodes: readonly MeshNode[];
  readonly services: readonly ServiceView[];
  /** History included. */
  readonly tasks: readonly Task[];
  readonly servers: readonly StaticServer[];
  readonly traffic: StatsTraffic;
  /** Epoch milliseconds; everything in it is told as of now. */
  readonly nowMs: number;
};

/** Columns of what was counted, by what it was counted of; empty where nobody counts. */
export type StatsTraffic = {
  /** All that came in at the balancer and the nodes' own entry points. */
  readonly mesh: ProxyValues;
  readonly service: (id: string) => ProxyValues;
  /** What was asked of a server of a service, by its name: of all tasks that followed each other in one slot. */
  readonly server: (serviceId: string, name: string) => ColumnValues;
  readonly node: (id: string) => ColumnValues;
};

/** What a proxy's frontend took in, and what its backend sent on. */
export type ProxyValues = { readonly frontend: ColumnValues; readonly backend: ColumnValues };

/** Traffic nobody counted. */
export const emptyTraffic: StatsTraffic = {
  mesh: { frontend: {}, backend: {} },
  service: () => ({ frontend: {}, backend: {} }),
  server: () => ({}),
  node: () => ({}),
};
