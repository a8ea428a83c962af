// Which nodes must learn that a network of theirs changed. It looks at what a transaction touched, and then at the
// networks of that only.

import { tableGateway } from "../domain/compile/compile-table.ts";
import { isNodeDown, type MeshNode } from "../domain/model/node.ts";
import type { Service } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import {
  isPlaced,
  membership,
  networksOfNode,
  networksOfService,
  portsOf,
  takesConnections,
} from "./network-names.ts";
import { sameData } from "./same-data.ts";
import { changesBetween } from "./versioned-map.ts";
import type { WorldIndex } from "./world-index.ts";

/**
 * The nodes whose networks differ between two worlds.
 *
 * @param index of the world after
 */
export function nodesOfChangedNetworks(before: World, after: World, index: WorldIndex): ReadonlySet<string> {
  const networkIds = new Set(changesBetween(before.networks, after.networks).keys());
  // A node whose last task has left must lose the keys, and it is no member any more.
  const nodeIds = new Set<string>();
  for (const [id, old] of changesBetween(before.tasks, after.tasks)) {
    const task = after.tasks.get(id);
    const { serviceId } = (task ?? old) as Task;
    const ids = [before, after].flatMap((world) => networksOfService(world, serviceId));
    if (ids.length === 0 || sameData(taskFacts(old), taskFacts(task))) continue;
    for (const networkId of ids) networkIds.add(networkId);
    if (old !== undefined && isPlaced(old)) nodeIds.add(old.nodeId);
  }
  for (const [id, old] of changesBetween(before.services, after.services)) {
    if (sameData(serviceFacts(old), serviceFacts(after.services.get(id)))) continue;
    for (const world of [before, after])
      for (const networkId of networksOfService(world, id)) networkIds.add(networkId);
    for (const task of index.tasksOfService(after, id)) if (isPlaced(task)) nodeIds.add(task.nodeId);
  }
  for (const [id, old] of changesBetween(before.nodes, after.nodes)) {
    if (sameData(nodeFacts(old), nodeFacts(after.nodes.get(id)))) continue;
    for (const networkId of networksOfNode(after, index, id)) networkIds.add(networkId);
  }
  for (const networkId of networkIds)
    for (const nodeId of membership(after, index, networkId).nodeIds) nodeIds.add(nodeId);
  return nodeIds;
}

/** What the networks of a task depend on; null: it is on none. */
function taskFacts(task: Task | undefined): unknown {
  if (task === undefined || !isPlaced(task)) return null;
  return [task.nodeId, takesConnections(task), task.addresses, portsOf(task)];
}

function serviceFacts(service: Service | undefined): unknown {
  return service && [service.spec.name, service.spec.networks, service.virtualIps];
}

function nodeFacts(node: MeshNode | undefined): unknown {
  return node && [isNodeDown(node), tableGateway(node)];
}
