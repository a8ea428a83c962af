// What a report is made of: the mesh as the registry tells it, and what was counted of its traffic.

import type { Node } from "../domain/node.ts";
import type { StaticServer } from "../domain/server.ts";
import type { Task } from "../domain/task.ts";
import type { MeshInfo, ServiceView } from "../registry/api.ts";
import type { Values } from "./report.ts";

export type StatsInput = {
  readonly info: MeshInfo;
  readonly nodes: readonly Node[];
  readonly services: readonly ServiceView[];
  /** History included. */
  readonly tasks: readonly Task[];
  readonly servers: readonly StaticServer[];
  readonly traffic: Traffic;
  /** Epoch milliseconds; everything in it is told as of now. */
  readonly nowMs: number;
};

/** Columns of what was counted, by what it was counted of; empty where nobody counts. */
export type Traffic = {
  /** All that came in at the balancer and the nodes' own entry points. */
  readonly mesh: RowValues;
  readonly service: (id: string) => RowValues;
  /** What was asked of a server of a service, by its name: of all tasks that followed each other in one slot. */
  readonly server: (serviceId: string, name: string) => Values;
  readonly node: (id: string) => Values;
};

/** What a proxy's frontend took in, and what its backend sent on. */
export type RowValues = { readonly frontend: Values; readonly backend: Values };

/** Traffic nobody counted. */
export const uncounted: Traffic = {
  mesh: { frontend: {}, backend: {} },
  service: () => ({ frontend: {}, backend: {} }),
  server: () => ({}),
  node: () => ({}),
};
