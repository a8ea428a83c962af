// The status of a mesh: GET /mesh/status.

import { hostsOf } from "../domain/labels/labels.ts";
import { discoveredLabel } from "../domain/model/discovery.ts";
import { haproxyStatus } from "../domain/model/health.ts";
import { isBalancer, isNodeReady, type MeshNode } from "../domain/model/node.ts";
import { nodeReach } from "../domain/model/node-gateway.ts";
import { runningImages } from "../domain/model/service-image.ts";
import { type Task, taskName } from "../domain/model/task.ts";
import type { MeshStatus, StatusNode, StatusService, StatusTask } from "../protocol/status.ts";
import type { ServiceView } from "../registry/api.ts";
import type { LeftOut } from "../telemetry/snapshot.ts";
import type { JudgedTraffic } from "../telemetry/traffic-problems.ts";
import { byUse, type MeshView } from "./mesh-view.ts";
import { notesOf, type ProblemContext, problemsOf } from "./problems.ts";
import { serverStatusOf } from "./servers.ts";

/**
 * @param traffic null if telemetry cannot be reached
 * @param nowMs the mesh's clock, epoch milliseconds
 * @param leftOut what telemetry has no memory for
 */
export function meshStatus(
  view: MeshView,
  traffic: readonly JudgedTraffic[] | null,
  nowMs: number,
  context?: ProblemContext,
  leftOut: readonly LeftOut[] = [],
): MeshStatus {
  const { info, nodes, services, tasks } = view;
  const byService = Map.groupBy(tasks, ({ serviceId }) => serviceId);
  const running = Map.groupBy(
    tasks.filter(({ state }) => state === "running"),
    ({ nodeId }) => nodeId,
  );
  const byId = new Map(nodes.map((node) => [node.id, node]));
  return {
    mesh: {
      id: info.id,
      name: info.name,
      createdAtMs: info.createdAtMs,
      tableVersion: info.tableVersion,
    },
    nowMs,
    nodes: nodes.map((node) => nodeStatus(node, running.get(node.id)?.length ?? 0)),
    services: services.map((service) => serviceStatus(service, byService.get(service.id) ?? [], byId)),
    servers: view.servers.map((server) => serverStatusOf(server, nowMs)),
    problems: problemsOf(view, traffic ?? [], context, leftOut),
    notes: notesOf(view, context),
    trafficKnown: traffic !== null,
  };
}

function nodeStatus(node: MeshNode, running: number): StatusNode {
  const { id, hostname, address, role, state, message, stateSinceMs, availability } = node;
  const { leaving = false, runtime, engineVersion, platform, resources } = node;
  return {
    id,
    ...(isBalancer(node) && { kind: "balancer" as const }),
    name: hostname,
    address,
    role,
    state,
    message,
    stateSinceMs,
    availability,
    leaving,
    runtime,
    engineVersion,
    platform,
    resources,
    gateway: nodeReach(node),
    running,
  };
}

function serviceStatus(
  service: ServiceView,
  tasks: readonly Task[],
  nodes: ReadonlyMap<string, MeshNode>,
): StatusService {
  const { id, spec, ports, running, desiredTasks } = service;
  return {
    id,
    name: spec.name,
    image: spec.run.image,
    runningImages: [...runningImages(tasks)],
    mode: spec.mode.kind,
    ...(service.discovered !== undefined && { discovered: spec.labels[discoveredLabel] ?? "" }),
    running,
    desired: desiredTasks,
    ports: ports.map(({ target, published, mode }) => ({ target, published, mode })),
    hosts: [...hostsOf(spec.labels)],
    tasks: [...tasks].sort(byUse).map((task) => taskStatus(task, spec.name, nodes)),
  };
}

function taskStatus(task: Task, service: string, nodes: ReadonlyMap<string, MeshNode>): StatusTask {
  const { id, slot, nodeId, desired, state, stateSinceMs, message, err, health, pid, exitCode } = task;
  const node = nodes.get(nodeId ?? "");
  return {
    id,
    name: taskName(service, task),
    slot,
    // A removed node has no name.
    node: node?.hostname ?? nodeId,
    desired,
    state,
    stateSinceMs,
    message,
    err,
    health,
    heard: nodeId === null || (node !== undefined && isNodeReady(node)),
    haproxy: haproxyStatus(health),
    endpoints: task.endpoints.map(({ target, origin }) => ({ target, origin })),
    pid,
    exitCode,
  };
}
