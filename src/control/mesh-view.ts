// The view of a mesh: nodes, services, tasks and servers, read from the registry at one moment.

import { unwrap } from "../domain/model/error.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { MeshApi, MeshInfo, ServerView, ServiceView } from "../registry/api.ts";

export type MeshView = {
  readonly info: MeshInfo;
  readonly nodes: readonly MeshNode[];
  readonly services: readonly ServiceView[];
  /** Includes ended tasks. */
  readonly tasks: readonly Task[];
  readonly servers: readonly ServerView[];
};

/** @throws MeshError if the registry cannot be reached */
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

/** Sorts live tasks by slot, then ended ones newest first. */
export function byUse(a: Task, b: Task): number {
  if (isAlive(a) !== isAlive(b)) return isAlive(a) ? -1 : 1;
  return isAlive(a) ? a.slot - b.slot || a.createdAtMs - b.createdAtMs : b.createdAtMs - a.createdAtMs;
}
