// An assignment: all that one node must run, as its agent is told.

import { createHash } from "node:crypto";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import type { AssignedTask, Assignment } from "../protocol/agent.ts";
import { isAwaitingRelease } from "./departures.ts";

/**
 * How long a task that is to stop stays up after its release, milliseconds: an answer with the new table may still be
 * on its way to a router, and a request of that router's on its way to the task.
 */
export const drainDelayMs = 250;

/** A node's assignment without its index, which belongs to a socket. `hash` tells two of them apart. */
export type NodeAssignment = {
  readonly nodeId: string;
  readonly body: Omit<Assignment, "index">;
  readonly hash: string;
  /** Sent even to a socket that already has it: the agent spoke of tasks that are no more. */
  readonly resend: boolean;
};

/** The assignments of the nodes given; nodes that are no more have none. Costs one walk over all tasks. */
export function assignmentsOf(
  world: World,
  nodeIds: ReadonlySet<string>,
  resend: ReadonlySet<string>,
): readonly NodeAssignment[] {
  const tasksOf = new Map<string, Task[]>();
  for (const id of nodeIds) if (world.nodes.has(id)) tasksOf.set(id, []);
  for (const task of world.tasks.values()) {
    if (task.nodeId !== null && isAlive(task)) tasksOf.get(task.nodeId)?.push(task);
  }
  return [...tasksOf].map(([nodeId, tasks]) => {
    const body = {
      type: "assignment" as const,
      node: { id: nodeId, name: world.nodes.get(nodeId)?.hostname ?? nodeId },
      drainDelayMs,
      tasks: tasks.sort((a, b) => (a.id < b.id ? -1 : 1)).map((task) => assignedTask(world, task)),
    };
    const hash = createHash("sha256").update(JSON.stringify(body)).digest("base64url");
    return { nodeId, body, hash, resend: resend.has(nodeId) };
  });
}

/** The nodes whose assignment is not the same in two worlds. */
export function nodesToReassign(before: World, after: World): ReadonlySet<string> {
  const nodes = new Set<string>();
  if (before.tasks === after.tasks) return nodes;
  for (const [id, task] of after.tasks) {
    const old = before.tasks.get(id);
    if (old === task || task.nodeId === null) continue;
    if (old?.nodeId !== task.nodeId || assignmentFingerprint(old) !== assignmentFingerprint(task))
      nodes.add(task.nodeId);
  }
  for (const [id, task] of before.tasks) {
    if (task.nodeId !== null && isAlive(task) && !after.tasks.has(id)) nodes.add(task.nodeId);
  }
  return nodes;
}

/** What of a task its assignment follows, once it has a node. */
function assignmentFingerprint(task: Task): string {
  return `${task.desired} ${isAlive(task)} ${isAwaitingRelease(task)}`;
}

function assignedTask(world: World, task: Task): AssignedTask {
  const { image, command, args, env, dir, stopSignal, stopGraceMs, probe, targets } = task.run;
  return {
    id: task.id,
    // A removed service's tasks still have to stop, under the only name that is left.
    service: { id: task.serviceId, name: world.services.get(task.serviceId)?.spec.name ?? task.serviceId },
    slot: task.slot,
    desired: task.desired,
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
  };
}
