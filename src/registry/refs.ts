// What an operator's ref means: a full id, an exact name, or a unique id prefix.

import { MeshError } from "../domain/model/error.ts";
import { isNodeDown, type MeshNode } from "../domain/model/node.ts";
import { resolveRef } from "../domain/model/refs.ts";
import type { Service } from "../domain/model/service.ts";
import { type Task, taskName } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import type { TaskFilter } from "./api.ts";

/** @throws MeshError service/not-found, service/invalid when several are meant */
export function findService(world: World, ref: string): Service {
  return resolveRef(world.services.values(), ref, { kind: "service", name: ({ spec }) => spec.name });
}

/**
 * The node a ref means. A name means the node that has it now; those that had it and are down are reached by id, or by
 * name while nobody else has it.
 *
 * @throws MeshError node/not-found, node/invalid when several are meant
 */
export function findNode(world: World, ref: string): MeshNode {
  const present = new Set<string>();
  for (const node of world.nodes.values()) if (!isNodeDown(node)) present.add(node.hostname);
  return resolveRef(world.nodes.values(), ref, {
    kind: "node",
    name: (node) => (isNodeDown(node) && present.has(node.hostname) ? node.id : node.hostname),
  });
}

/** @throws MeshError task/not-found, task/invalid when several are meant */
export function findTask(world: World, ref: string): Task {
  return resolveRef(world.tasks.values(), ref, {
    kind: "task",
    name: (task) => taskName(world.services.get(task.serviceId)?.spec.name ?? task.serviceId, task),
  });
}

/** Refuses a change made to another version than the present one; the words are Docker's. */
export function requireVersion(
  kind: "node" | "service" | "server",
  present: { readonly version: number },
  given: number,
): void {
  if (present.version === given) return;
  throw new MeshError(`${kind}/sequence`, "update out of sequence", { blame: "operator", retry: "never" });
}

/** The tasks that match a filter, oldest first. @throws MeshError service/not-found, node/not-found */
export function findTasks(world: World, { services, nodes }: TaskFilter): readonly Task[] {
  const serviceIds = services && new Set(services.map((ref) => findService(world, ref).id));
  const nodeIds = nodes && new Set(nodes.map((ref) => findNode(world, ref).id));
  return [...world.tasks.values()]
    .filter((task) => serviceIds?.has(task.serviceId) ?? true)
    .filter((task) => nodeIds?.has(task.nodeId ?? "") ?? true)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
}
