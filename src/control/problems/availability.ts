// Whether a service has a target that can take a request.

import { isNodeDown, type MeshNode } from "../../domain/model/node.ts";
import type { StaticServer } from "../../domain/model/server.ts";
import { isServerDraining, isServerUsable } from "../../domain/model/server-health.ts";
import { isAlive, type Task } from "../../domain/model/task.ts";
import type { ServiceView } from "../../registry/api.ts";

/** The targets of a service. */
export type ServiceTargets = {
  readonly tasks: readonly Task[];
  readonly servers: readonly StaticServer[];
  readonly nodeById: ReadonlyMap<string, MeshNode>;
};

/**
 * True if a service should have targets, and none can take a request. A job takes none, and a service that is scaled
 * to zero and has no static servers should have none.
 */
export function isServiceDown(service: ServiceView, targets: ServiceTargets): boolean {
  const { kind } = service.spec.mode;
  if (kind === "replicated-job" || kind === "global-job") return false;
  if (service.desiredTasks === 0 && targets.servers.length === 0) return false;
  return (
    !targets.servers.some(takesRequests) && !targets.tasks.some((task) => taskTakesRequests(task, targets))
  );
}

function takesRequests(server: StaticServer): boolean {
  return server.admin === "ready" && isServerUsable(server) && !isServerDraining(server);
}

/** A task that is being stopped still takes them. */
function taskTakesRequests(task: Task, { nodeById }: ServiceTargets): boolean {
  if (!isAlive(task) || task.state !== "running" || task.nodeId === null) return false;
  const node = nodeById.get(task.nodeId);
  if (node !== undefined && isNodeDown(node)) return false;
  if (task.desired !== "running") return true;
  return (task.health?.verdict ?? "healthy") === "healthy" && (task.admin ?? "ready") === "ready";
}
