// Resolves an operator's ref to an object: a full id, a name, or a unique id prefix.

import { MeshError } from "../domain/model/error.ts";
import { isNodeDown, type MeshNode } from "../domain/model/node.ts";
import { resolveRef } from "../domain/model/refs.ts";
import type { Service } from "../domain/model/service.ts";
import { isAlive, isWanted, type Task, taskName } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import type { TaskFilter } from "./api.ts";

/** @throws MeshError service/not-found, service/invalid if several match */
export function findService(world: World, ref: string): Service {
  const naming = { kind: "service", name: ({ spec }: Service) => spec.name } as const;
  return world.services.get(ref) ?? resolveRef(world.services.values(), ref, naming);
}

/** As `findService`, for a change. @throws MeshError service/forbidden for a discovered service */
export function findOwnService(world: World, ref: string): Service {
  const service = findService(world, ref);
  if (service.discovered !== undefined) throw readOnly(world, service);
  return service;
}

/** Refuses a change of a discovered service, and says where it can be changed. */
export function readOnly({ nodes }: World, { spec: { name }, discovered }: Service): MeshError {
  const node = nodes.get(discovered?.nodeId ?? "")?.hostname ?? discovered?.nodeId;
  return new MeshError(
    "service/forbidden",
    `service ${name} is discovered on node ${node} (${discovered?.source}): change it there`,
    { blame: "operator", retry: "never" },
  );
}

/**
 * A name refers to the node of that name that is up. A node that is down is found by its name only if no
 * other node has the name.
 *
 * @throws MeshError node/not-found, node/invalid if several match
 */
export function findNode(world: World, ref: string): MeshNode {
  const namesInUse = new Set<string>();
  for (const node of world.nodes.values()) if (!isNodeDown(node)) namesInUse.add(node.hostname);
  return resolveRef(world.nodes.values(), ref, {
    kind: "node",
    name: (node) => (isNodeDown(node) && namesInUse.has(node.hostname) ? node.id : node.hostname),
  });
}

/**
 * A slot's name, such as `my-web.1`, refers to the task that the slot has now, else to its newest one. A task of a
 * global service is found by the name of its node as well: `agent.node1`. `my-web.1.ID` is one task.
 *
 * @throws MeshError task/not-found, task/invalid if ids of several begin with the ref
 */
export function findTask(world: World, ref: string): Task {
  const known = world.tasks.get(ref);
  if (known !== undefined) return known;
  const [current] = [...world.tasks.values()]
    .filter((task) => namesOf(world, task).includes(ref))
    .sort((a, b) => currentness(b) - currentness(a) || b.createdAtMs - a.createdAtMs);
  return current ?? resolveRef(world.tasks.values(), ref, { kind: "task", name: ({ id }) => id });
}

function namesOf({ services, nodes }: World, task: Task): readonly string[] {
  const service = services.get(task.serviceId)?.spec.name ?? task.serviceId;
  const name = taskName(service, task);
  const hostname = nodes.get(task.nodeId ?? task.forNode ?? "")?.hostname;
  const isGlobal = task.slot === 0 && hostname !== undefined;
  return [name, `${name}.${task.id}`, ...(isGlobal ? [`${service}.${hostname}`] : [])];
}

/** Of the tasks of a slot the one that should run is the current one, then one that still stops. */
function currentness(task: Task): number {
  if (isWanted(task)) return 2;
  return isAlive(task) ? 1 : 0;
}

/** Refuses a change to a version other than the current one, with Docker's message. @throws MeshError */
export function requireVersion(
  kind: "node" | "service" | "server" | "secret" | "config",
  present: { readonly version: number },
  expectedVersion: number,
): void {
  if (present.version === expectedVersion) return;
  throw new MeshError(`${kind}/sequence`, "update out of sequence", { blame: "operator", retry: "never" });
}

/** The tasks that match a filter, oldest first. @throws MeshError service/not-found, node/not-found */
export function findTasks(world: World, { services, nodes }: TaskFilter): readonly Task[] {
  const serviceIds = services && new Set(services.map((ref) => findService(world, ref).id));
  const nodeIds = nodes && new Set(nodes.map((ref) => findNode(world, ref).id));
  return [...world.tasks.values()]
    .filter((task) => serviceIds?.has(task.serviceId) ?? true)
    .filter((task) => nodeIds?.has(task.nodeId ?? task.forNode ?? "") ?? true)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1));
}
