// Looking at tasks: which there are, history included.

import type { Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { findNode, findService } from "./refs.ts";

/** Refs of services and nodes; refs of one kind are alternatives, both kinds must hold. Absent: any. */
export type TaskFilter = { readonly services?: readonly string[]; readonly nodes?: readonly string[] };

/** The tasks a filter lets through, oldest first. @throws MeshError service/not-found, node/not-found */
export function findTasks(world: World, { services, nodes }: TaskFilter): readonly Task[] {
  const serviceIds = services && new Set(services.map((ref) => findService(world, ref).id));
  const nodeIds = nodes && new Set(nodes.map((ref) => findNode(world, ref).id));
  return [...world.tasks.values()]
    .filter((task) => serviceIds?.has(task.serviceId) ?? true)
    .filter((task) => nodeIds?.has(task.nodeId ?? "") ?? true)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
}
