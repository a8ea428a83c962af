// The world: all nodes, services, tasks and static servers, as one value that decisions are made from; each
// by id.

import type { MeshNode } from "./node.ts";
import type { StaticServer } from "./server.ts";
import type { Service } from "./service.ts";
import type { Task } from "./task.ts";

export type World = {
  readonly nodes: ReadonlyMap<string, MeshNode>;
  readonly services: ReadonlyMap<string, Service>;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly servers: ReadonlyMap<string, StaticServer>;
};
