// The world: all nodes, services, tasks, static servers and networks by id, as the one value decisions are made from.

import type { Network } from "./network.ts";
import type { MeshNode } from "./node.ts";
import type { StaticServer } from "./server.ts";
import type { Service } from "./service.ts";
import type { Task } from "./task.ts";

export type World = {
  readonly nodes: ReadonlyMap<string, MeshNode>;
  readonly services: ReadonlyMap<string, Service>;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly servers: ReadonlyMap<string, StaticServer>;
  readonly networks: ReadonlyMap<string, Network>;
};
