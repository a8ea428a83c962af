// Metric families of the registry: nodes, services, tasks, servers.

import { isRoutable } from "../../domain/compile/compile-table.ts";
import { isNodeReady } from "../../domain/model/node.ts";
import { isAlive, taskName } from "../../domain/model/task.ts";
import { waggleVersion } from "../../protocol/engine/version.ts";
import type { ServerView } from "../../registry/api.ts";
import type { LeftOut } from "../../telemetry/snapshot.ts";
import type { JudgedTraffic } from "../../telemetry/traffic-problems.ts";
import type { MeshView } from "../mesh-view.ts";
import { type ProblemContext, problemsOf } from "../problems.ts";
import { gaugeFamily, type MetricFamily, maxSeries, sample } from "./family.ts";

/** A slot or a static server, with its labels. */
export type MetricTarget = {
  /** The id of the slot's task, or of the server. */
  readonly id: string;
  readonly service: string;
  /** `my-web.1`, or a static server's name. */
  readonly task: string;
  /** The node's name; empty for a server. */
  readonly node: string;
  /** True if it gets requests, by the registry's state. */
  readonly up: boolean;
};

/** @param traffic empty if telemetry cannot be reached */
export function meshFamilies(
  view: MeshView,
  targets: readonly MetricTarget[],
  traffic: readonly JudgedTraffic[],
  context?: ProblemContext,
  leftOut: readonly LeftOut[] = [],
): MetricFamily[] {
  const { info } = view;
  return [
    gaugeFamily("waggle_build_info", "The mesh's release; always 1", [
      sample(1, { version: waggleVersion, mesh: info.name }),
    ]),
    gaugeFamily("waggle_table_version", "Version of the routing table, which rises with every change", [
      sample(info.tableVersion),
    ]),
    gaugeFamily("waggle_problems", "Problems that waggle status reports", [
      sample(problemsOf(view, traffic, context, leftOut).length),
    ]),
    ...nodeFamilies(view),
    ...serviceFamilies(view),
    ...serverFamilies(view),
    gaugeFamily(
      "waggle_task_up",
      "1 if the slot's task, or the server, gets requests",
      targets.length > maxSeries
        ? []
        : targets.map(({ service, task, node, up }) => sample(up ? 1 : 0, { service, task, node })),
    ),
  ];
}

const nodeStates = ["ready", "down", "unknown", "disconnected"] as const;

function nodeFamilies({ nodes }: MeshView): MetricFamily[] {
  const states = Map.groupBy(nodes, ({ state }) => state);
  return [
    gaugeFamily(
      "waggle_nodes",
      "Nodes by state",
      nodeStates.map((state) => sample(states.get(state)?.length ?? 0, { state })),
    ),
    gaugeFamily(
      "waggle_node_up",
      "1 if the node's agent is reachable",
      [...Map.groupBy(nodes, ({ hostname }) => hostname)].map(([node, named]) =>
        sample(named.some(isNodeReady) ? 1 : 0, { node }),
      ),
    ),
  ];
}

function serviceFamilies({ services }: MeshView): MetricFamily[] {
  return [
    gaugeFamily(
      "waggle_service_tasks_desired",
      "Tasks that the service should run",
      services.map(({ spec, desiredTasks }) => sample(desiredTasks, { service: spec.name })),
    ),
    gaugeFamily(
      "waggle_service_tasks_running",
      "Tasks of the service that run on reachable nodes",
      services.map(({ spec, running }) => sample(running, { service: spec.name })),
    ),
  ];
}

/** For every service, so that alerts can add servers to tasks. Servers in drain or maint do not count. */
function serverFamilies({ services, servers }: MeshView): MetricFamily[] {
  const ready = servers.filter(({ admin }) => admin === "ready");
  const byService = Map.groupBy(ready, ({ service }) => service);
  const samples = (count: (servers: readonly ServerView[]) => number) =>
    services.map(({ spec }) => sample(count(byService.get(spec.name) ?? []), { service: spec.name }));
  return [
    gaugeFamily(
      "waggle_service_servers",
      "Static servers of the service that should get requests",
      samples((own) => own.length),
    ),
    gaugeFamily(
      "waggle_service_servers_up",
      "Static servers of the service that get requests",
      samples((own) => own.filter(isServerUp).length),
    ),
  ];
}

function isServerUp({ admin, health }: ServerView): boolean {
  return admin === "ready" && health?.up !== false;
}

/** Servers, and slots with a live task. Of two tasks in a slot, the one that gets requests. */
export function metricTargets({ nodes, services, tasks, servers }: MeshView): MetricTarget[] {
  const nodeById = new Map(nodes.map((node) => [node.id, node]));
  const nameOf = new Map(services.map(({ id, spec }) => [id, spec.name]));
  const bySlot = new Map<string, MetricTarget>();
  for (const task of tasks) {
    const service = nameOf.get(task.serviceId);
    if (service === undefined || !isAlive(task)) continue;
    const node = nodeById.get(task.nodeId ?? "");
    const target = {
      id: task.id,
      service,
      task: taskName(service, task),
      node: node?.hostname ?? "",
      up: isRoutable(task) && node !== undefined && isNodeReady(node),
    };
    const key = `${task.serviceId} ${target.task}`;
    if (bySlot.get(key)?.up !== true) bySlot.set(key, target);
  }
  const serverTargets = servers.map((server) => ({
    id: server.id,
    service: server.service,
    task: server.spec.name,
    node: "",
    up: isServerUp(server),
  }));
  return [...bySlot.values(), ...serverTargets];
}
