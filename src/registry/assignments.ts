// Assignments: the complete set of tasks that a node must run, as its agent receives it.

import { createHash } from "node:crypto";
import { taskLimitOf } from "../domain/labels/balance-labels.ts";
import type { Service } from "../domain/model/service.ts";
import { isAlive, type Task, taskStates } from "../domain/model/task.ts";
import type { TaskLimit } from "../domain/model/task-limit.ts";
import type { World } from "../domain/model/world.ts";
import type { AssignedTask, Assignment } from "../protocol/agent.ts";
import { isAwaitingRelease } from "./departures.ts";
import { nodeKeys } from "./gateway-keys.ts";
import { redialWindowMs } from "./liveness.ts";
import { nodesOfChangedNetworks } from "./network-changes.ts";
import { type MeshKeys, namedNetworks } from "./network-names.ts";
import { sameData } from "./same-data.ts";
import { openText } from "./sealed-text.ts";
import { changesBetween } from "./versioned-map.ts";
import type { WorldIndex } from "./world-index.ts";

/**
 * How long a stopping task stays up after its release, milliseconds. A response with the new table may still
 * be in transit to a router, and a request of that router in transit to the task.
 */
const drainDelayMs = 250;

/** A node's assignment without its index and time, which belong to a frame. `hash` identifies the body. */
export type NodeAssignment = {
  readonly nodeId: string;
  readonly body: Omit<Assignment, "index" | "nowMs">;
  readonly hash: string;
  /** Sent even to a socket that already has it, because the agent reported tasks that it must not have. */
  readonly resend: boolean;
};

type AssignmentContext = {
  readonly index: WorldIndex;
  readonly resend: ReadonlySet<string>;
  readonly gatewayKeys: MeshKeys;
  /** Opens the credentials of registries. */
  readonly sealSecret: string;
};

/** The assignments of the given nodes, without those that were removed. */
export function assignmentsOf(
  world: World,
  nodeIds: ReadonlySet<string>,
  { index, resend, gatewayKeys, sealSecret }: AssignmentContext,
): readonly NodeAssignment[] {
  const present = [...nodeIds].filter((nodeId) => world.nodes.has(nodeId));
  const redialMs = redialWindowMs(world.nodes.size);
  return present.map((nodeId) => {
    const tasks = index.tasksOfNode(world, nodeId).filter(isAssigned);
    const networks = namedNetworks(world, index, nodeId, gatewayKeys);
    const body = {
      type: "assignment" as const,
      node: { id: nodeId, name: world.nodes.get(nodeId)?.hostname ?? nodeId },
      ...(redialMs > 0 && { redialMs }),
      drainDelayMs,
      gatewayKeys: nodeKeys(gatewayKeys.keys, nodeId),
      tunnel: usesTunnel(world, nodeId),
      tasks: tasks
        .sort((a, b) => (a.id < b.id ? -1 : 1))
        .map((task) => assignedTask(world, task, sealSecret)),
      ...(networks.length > 0 && { networks }),
    };
    const hash = createHash("sha256").update(JSON.stringify(body)).digest("base64url");
    return { nodeId, body, hash, resend: resend.has(nodeId) };
  });
}

/** True if the task's node must run or stop it. A discovered task runs without an assignment. */
function isAssigned(task: Task): task is Task & { readonly nodeId: string } {
  return task.nodeId !== null && isAlive(task) && !task.discovered;
}

/**
 * The nodes whose assignment differs between two worlds.
 *
 * @param index of the world after
 */
export function nodesToReassign(before: World, after: World, index: WorldIndex): ReadonlySet<string> {
  const nodeIds = new Set([
    ...nodesOfChangedLimits(before, after, index),
    ...nodesOfChangedNetworks(before, after, index),
  ]);
  for (const [id, old] of changesBetween(before.nodes, after.nodes)) {
    const isKept = old !== undefined && after.nodes.has(id);
    if (isKept && usesTunnel(before, id) !== usesTunnel(after, id)) nodeIds.add(id);
  }
  for (const [id, old] of changesBetween(before.tasks, after.tasks)) {
    const task = after.tasks.get(id);
    if (task === undefined) {
      if (old !== undefined && isAssigned(old)) nodeIds.add(old.nodeId);
      continue;
    }
    if (old === task || task.nodeId === null || task.discovered) continue;
    if (old?.nodeId !== task.nodeId || assignmentFingerprint(old) !== assignmentFingerprint(task))
      nodeIds.add(task.nodeId);
  }
  return nodeIds;
}

/** The nodes with a task of a service whose limit of open requests changed. */
function nodesOfChangedLimits(before: World, after: World, index: WorldIndex): Set<string> {
  const nodeIds = new Set<string>();
  for (const [id, old] of changesBetween(before.services, after.services)) {
    const service = after.services.get(id);
    if (old === undefined || service?.spec.labels === old.spec.labels) continue;
    if (sameData(limitOf(old), limitOf(service))) continue;
    for (const { nodeId } of index.tasksOfService(after, id)) if (nodeId !== null) nodeIds.add(nodeId);
  }
  return nodeIds;
}

/** The limit of open requests of each task. One of a removed service has none. */
function limitOf(service: Service | undefined): TaskLimit | null {
  return service === undefined ? null : taskLimitOf(service.spec.labels);
}

function usesTunnel({ nodes }: World, nodeId: string): boolean {
  return nodes.get(nodeId)?.transport?.kind === "tunnel";
}

/** The part of a placed task that its assignment depends on. */
function assignmentFingerprint(task: Task): string {
  return `${task.desired} ${isAlive(task)} ${isAwaitingRelease(task)}`;
}

function assignedTask(world: World, task: Task, sealSecret: string): AssignedTask {
  const service = world.services.get(task.serviceId);
  const limit = limitOf(service);
  const hostPorts = (service?.spec.ports ?? [])
    .filter(({ mode, target }) => mode === "host" && task.run.targets.includes(target))
    .map(({ target, published }) => ({ target, ...(published !== undefined && { published }) }));
  const { image, command, args, env, dir, stopSignal, stopGraceMs, probe, targets } = task.run;
  return {
    id: task.id,
    // The tasks of a removed service still have to stop; only its id is left as a name.
    service: {
      id: task.serviceId,
      name: service?.spec.name ?? task.serviceId,
      ...(hasLabels(service) && { labels: { ...service.spec.labels } }),
    },
    slot: task.slot,
    desired: task.desired,
    ...(limit !== null && { limit }),
    ...(isAwaitingRelease(task) && { released: false }),
    run: {
      image,
      command: [...command],
      args: [...args],
      env: [...env],
      dir,
      stopSignal,
      stopGraceMs,
      ...(probe && { probe }),
      targets: [...targets],
    },
    ...(task.document !== null && { template: task.document }),
    ...(hostPorts.length > 0 && { hostPorts }),
    ...assignedNetworks(world, service),
    ...registryAuthOf(world, task, service, sealSecret),
  };
}

function assignedNetworks({ networks }: World, service: Service | undefined): Pick<AssignedTask, "networks"> {
  const assigned = (service?.spec.networks ?? []).flatMap(({ target, aliases }) => {
    const network = networks.get(target);
    return network === undefined ? [] : [{ id: network.id, name: network.name, aliases: [...aliases] }];
  });
  return assigned.length === 0 ? {} : { networks: assigned };
}

/** The credentials of a task that may still pull its image on a node with Docker; no other needs them. */
function registryAuthOf(
  { nodes }: World,
  task: Task,
  service: Service | undefined,
  sealSecret: string,
): Pick<AssignedTask, "registryAuth"> {
  if (service?.sealedAuth === undefined || taskStates[task.state] >= taskStates.starting) return {};
  if (nodes.get(task.nodeId ?? "")?.runtime !== "docker") return {};
  // Null after the operator's token was replaced: the pull then says that it was refused.
  const registryAuth = openText(service.sealedAuth, sealSecret);
  return registryAuth === null ? {} : { registryAuth };
}

function hasLabels(service: Service | undefined): service is Service {
  return service !== undefined && Object.keys(service.spec.labels).length > 0;
}
