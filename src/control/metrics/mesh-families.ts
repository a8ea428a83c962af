// Metrics of what the registry knows: nodes, services, tasks, servers.

import { isRoutable } from "../../domain/compile/compile-table.ts";
import { isNodeReady } from "../../domain/model/node.ts";
import { isAlive, taskName } from "../../domain/model/task.ts";
import { waggleVersion } from "../../protocol/engine/version.ts";
import type { ServerView } from "../../registry/api.ts";
import type { ServiceTraffic } from "../../telemetry/snapshot.ts";
import type { MeshView } from "../mesh-view.ts";
import { problemsOf } from "../problems.ts";
import { gaugeFamily, type MetricFamily, maxSeries, sample } from "./family.ts";

/** A slot, or a server, as it is labelled. */
export type MetricTarget = {
  /** Of the task in the slot, or of the server. */
  readonly id: string;
  readonly service: string;
  /** `my-web.1`, or the server's name. */
  readonly task: string;
  /** Its node's name; empty for a server. */
  readonly node: string;
  /** Takes requests as far as the registry knows. */
  readonly up: boolean;
};

/** @param traffic of services; empty where it cannot be had */
export function meshFamilies(
  view: MeshView,
  endpoints: readonly MetricTarget[],
  traffic: readonly ServiceTraffic[],
): MetricFamily[] {
  const { info } = view;
  return [
    gaugeFamily("waggle_build_info", "The mesh's release; always 1", [
      sample(1, { version: waggleVersion, mesh: info.name }),
    ]),
    gaugeFamily("waggle_table_version", "Version of the routing table, which rises with every change of it", [
      sample(info.tableVersion),
    ]),
    gaugeFamily("waggle_problems", "Things that are wrong, as waggle status tells them", [
      sample(problemsOf(view, traffic).length),
    ]),
    ...nodeFamilies(view),
    ...serviceFamilies(view),
    ...serverFamilies(view),
    gaugeFamily(
      "waggle_task_up",
      "1 when the slot's task, or the server, takes requests",
      endpoints.length > maxSeries
        ? []
        : endpoints.map(({ service, task, node, up }) => sample(up ? 1 : 0, { service, task, node })),
    ),
  ];
}

function nodeFamilies({ nodes }: MeshView): MetricFamily[] {
  const states = Map.groupBy(nodes, ({ state }) => state);
  return [
    gaugeFamily(
      "waggle_nodes",
      "Nodes by state",
      ["ready", "down", "unknown", "disconnected"].map((state) =>
        sample([...states].find(([one]) => one === state)?.[1].length ?? 0, { state }),
      ),
    ),
    gaugeFamily(
      "waggle_node_up",
      "1 when the node's agent is heard",
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
      "Tasks the service should have running",
      services.map(({ spec, desiredTasks }) => sample(desiredTasks, { service: spec.name })),
    ),
    gaugeFamily(
      "waggle_service_tasks_running",
      "Tasks the service has running on nodes that are heard",
      services.map(({ spec, running }) => sample(running, { service: spec.name })),
    ),
  ];
}

/** Of every service, so that alerts may add them to its tasks. One the operator took out is not wanted. */
function serverFamilies({ services, servers }: MeshView): MetricFamily[] {
  const wanted = servers.filter(({ admin }) => admin === "ready");
  const byService = Map.groupBy(wanted, ({ service }) => service);
  const each = (count: (own: readonly ServerView[]) => number) =>
    services.map(({ spec }) => sample(count(byService.get(spec.name) ?? []), { service: spec.name }));
  return [
    gaugeFamily(
      "waggle_service_servers",
      "Static servers of the service that should take requests",
      each((own) => own.length),
    ),
    gaugeFamily(
      "waggle_service_servers_up",
      "Static servers of the service that take requests",
      each((own) => own.filter(isServerUp).length),
    ),
  ];
}

function isServerUp({ admin, health }: ServerView): boolean {
  return admin === "ready" && health?.up !== false;
}

/** One for each slot in which a task lives, and for each server. Of two tasks in a slot the one that takes requests. */
export function metricTargets({ nodes, services, tasks, servers }: MeshView): MetricTarget[] {
  const nodeById = new Map(nodes.map((node) => [node.id, node]));
  const nameOf = new Map(services.map(({ id, spec }) => [id, spec.name]));
  const bySlot = new Map<string, MetricTarget>();
  for (const task of tasks) {
    const service = nameOf.get(task.serviceId);
    if (service === undefined || !isAlive(task)) continue;
    const node = nodeById.get(task.nodeId ?? "");
    const endpoint = {
      id: task.id,
      service,
      task: taskName(service, task),
      node: node?.hostname ?? "",
      up: isRoutable(task) && node !== undefined && isNodeReady(node),
    };
    const key = `${task.serviceId} ${endpoint.task}`;
    if (bySlot.get(key)?.up !== true) bySlot.set(key, endpoint);
  }
  const ofServers = servers.map((server) => ({
    id: server.id,
    service: server.service,
    task: server.spec.name,
    node: "",
    up: isServerUp(server),
  }));
  return [...bySlot.values(), ...ofServers];
}
