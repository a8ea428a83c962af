// The view of a mesh: all that the registry tells of it, read at one moment.

import { unwrap } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { Task } from "../domain/model/task.ts";
import type { MeshApi, MeshInfo, ServerView, ServiceView } from "../registry/api.ts";

export type MeshView = {
  readonly info: MeshInfo;
  readonly nodes: readonly MeshNode[];
  readonly services: readonly ServiceView[];
  /** History included. */
  readonly tasks: readonly Task[];
  /** Static servers. */
  readonly servers: readonly ServerView[];
};

/** @throws MeshError when the registry cannot be had */
export async function readMeshView(mesh: MeshApi): Promise<MeshView> {
  const [info, nodes, services, tasks, servers] = await Promise.all([
    mesh.info(),
    mesh.nodes(),
    mesh.services(),
    mesh.tasks({}),
    mesh.servers(null),
  ]);
  return { info, nodes, services, tasks: unwrap(tasks), servers: unwrap(servers) };
}
