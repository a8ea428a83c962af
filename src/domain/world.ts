// The world: everything the registry decides by, as one value.

import type { Node } from "./node.ts";
import type { StaticServer } from "./server.ts";
import type { Service } from "./service.ts";
import type { Task } from "./task.ts";

export type World = {
  readonly nodes: ReadonlyMap<string, Node>;
  readonly services: ReadonlyMap<string, Service>;
  readonly tasks: ReadonlyMap<string, Task>;
  readonly servers: ReadonlyMap<string, StaticServer>;
};
