// Compiling: the routing table that follows from a world.

import {
  balancePolicyOf,
  optionsOf,
  type ShareRules,
  shareOf,
  shareRulesOf,
  usesAllBackups,
} from "../labels/balance-labels.ts";
import { exclusiveHostsOf, hostsOf, isDefaultService } from "../labels/labels.ts";
import { pathsOf } from "../labels/path-labels.ts";
import { compareStrings } from "../model/compare.ts";
import { isHostName } from "../model/host-name.ts";
import { isNodeDown, isNodeReady, type MeshNode } from "../model/node.ts";
import { type StaticServer, serverOrigin } from "../model/server.ts";
import { isServerDraining, isServerUsable } from "../model/server-health.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import type { World } from "../model/world.ts";
import type {
  RoutingTable,
  TableNode,
  TableOptions,
  TableServer,
  TableService,
  TableTask,
} from "../table/table.ts";
import { withFirstBackupOnly } from "./first-backup.ts";

/**
 * The routing table of a world. Same world, same table, whatever the order of its maps: nodes and services ascend by
 * name and id, tasks by id, ports by number, host names by letter.
 *
 * A task is in it while it is wanted, running, healthy and reachable on a node that is heard. Tasks on a node that is
 * down stand in only where their service has no other: a frozen agent must not cut off a healthy service, and a dead
 * machine must not take requests from live ones. A static server is in it unless it is down or in maintenance.
 *
 * @see docs/spec.md R1-R11
 */
export function compileTable(world: World, version: number): RoutingTable {
  const services = [...world.services.values()].sort(byServiceAge);
  const routable = routableTasks(world);
  const hosts = hostOwners(services);
  const servers = Map.groupBy(
    [...world.servers.values()].filter(isServerUsable),
    ({ serviceId }) => serviceId,
  );
  return {
    version,
    nodes: [...world.nodes.values()].map(tableNode).sort(byName),
    services: services
      .map((service) => {
        const { id, spec } = service;
        const part = tableService(service, hosts.get(id) ?? [], routable.get(id) ?? [], world.nodes);
        const own = servers.get(id) ?? [];
        const whole = { ...part, ...serversPart(own, part.options?.slowStartMs !== undefined) };
        return usesAllBackups(spec.labels) ? whole : withFirstBackupOnly(whole, own.toSorted(byCreation));
      })
      .sort(byName),
    defaultService: defaultService(services),
  };
}

/** True when requests may be sent to this task, as far as the task itself goes. */
export function isRoutable(task: Task): boolean {
  return (
    task.desired === "running" &&
    task.state === "running" &&
    task.nodeId !== null &&
    task.endpoints.length > 0 &&
    task.admin !== "maint" &&
    (task.health === null || task.health.verdict === "healthy")
  );
}

function routableTasks({ nodes, tasks }: World): ReadonlyMap<string, readonly Task[]> {
  const heard = new Map<string, Task[]>();
  const unheard = new Map<string, Task[]>();
  for (const task of tasks.values()) {
    const node = isRoutable(task) ? nodes.get(task.nodeId ?? "") : undefined;
    if (node === undefined) continue;
    const group = isNodeDown(node) ? unheard : heard;
    const list = group.get(task.serviceId);
    if (list === undefined) group.set(task.serviceId, [task]);
    else list.push(task);
  }
  for (const [serviceId, list] of unheard) if (!heard.has(serviceId)) heard.set(serviceId, list);
  return heard;
}

/** Host names by the service they lead to: the oldest that names one has it. */
function hostOwners(oldestFirst: readonly Service[]): ReadonlyMap<string, readonly string[]> {
  const owned = new Set<string>();
  const hosts = new Map<string, readonly string[]>();
  for (const { id, spec } of oldestFirst) {
    const own = exclusiveHostsOf(spec.labels).filter((host) => !owned.has(host));
    for (const host of own) owned.add(host);
    if (own.length > 0) hosts.set(id, [...own].sort(compareStrings));
  }
  return hosts;
}

/** The oldest service that asks to be the default, or else the oldest with an ingress port. */
function defaultService(oldestFirst: readonly Service[]): string | null {
  const chosen =
    oldestFirst.find(({ spec }) => isDefaultService(spec.labels)) ??
    oldestFirst.find(({ ports }) => ports.some(({ mode }) => mode === "ingress"));
  return chosen?.spec.name ?? null;
}

function tableNode(node: MeshNode): TableNode {
  // Written by hand on the node's side: one that cannot be a host name could never be asked for.
  const names = node.entryHosts.map((host) => host.toLowerCase()).filter(isHostName);
  const hosts = [...new Set(names)].sort(compareStrings);
  const { id, hostname: name, address, admin = "ready" } = node;
  return { id, name, up: isNodeReady(node), ...(admin !== "ready" && { admin }), address, hosts };
}

function tableService(
  service: Service,
  hosts: readonly string[],
  tasks: readonly Task[],
  nodes: World["nodes"],
): TableService {
  const { labels } = service.spec;
  const options = allOptions(labels);
  const terms: TaskTableContext = {
    shareRules: shareRulesOf(labels),
    nodes,
    slowStart: options?.slowStartMs !== undefined,
    draining: options?.sticky === undefined ? noTaskIds : drainingTasks(tasks, nodes),
  };
  return {
    id: service.id,
    name: service.spec.name,
    policy: balancePolicyOf(labels),
    ports: service.ports
      .map(({ target, published, mode }) => ({ target, published, mode }))
      .sort((a, b) => a.published - b.published || a.target - b.target),
    hosts,
    ...(options !== null && { options }),
    tasks: tasks.map((task) => tableTask(task, terms)).sort((a, b) => compareStrings(a.id, b.id)),
  };
}

function allOptions(labels: Service["spec"]["labels"]): TableOptions | null {
  const options = optionsOf(labels);
  const paths = pathsOf(labels, hostsOf(labels));
  return paths === null ? options : { ...options, paths };
}

/** What a service's labels mean for each of its tasks. */
type TaskTableContext = {
  readonly shareRules: ShareRules;
  readonly nodes: World["nodes"];
  readonly slowStart: boolean;
  /** Ids of tasks that take no new clients. */
  readonly draining: ReadonlySet<string>;
};

const noTaskIds: ReadonlySet<string> = new Set();

/**
 * Tasks that only wait for their replacement: a client that will stay with its task is not given one that soon goes.
 * None where the service has no other.
 */
function drainingTasks(tasks: readonly Task[], nodes: World["nodes"]): ReadonlySet<string> {
  const leaving = tasks.filter(({ nodeId }) => {
    const node = nodes.get(nodeId ?? "");
    return node?.availability === "drain" || node?.leaving === true;
  });
  return leaving.length < tasks.length ? new Set(leaving.map(({ id }) => id)) : noTaskIds;
}

function tableTask(task: Task, { shareRules, nodes, slowStart, draining }: TaskTableContext): TableTask {
  const origins = new Map(task.endpoints.map(({ target, origin }) => [target, origin]));
  return {
    id: task.id,
    slot: task.slot,
    nodeId: task.nodeId ?? "",
    ...shareOf(shareRules, task, nodes.get(task.nodeId ?? "")),
    ...((task.admin === "drain" || draining.has(task.id)) && { drain: true as const }),
    ...(slowStart && { sinceMs: task.health?.sinceMs ?? task.ranSinceMs ?? task.stateSinceMs }),
    endpoints: [...origins].sort(([a], [b]) => a - b),
  };
}

function serversPart(servers: readonly StaticServer[], slowStart: boolean): Pick<TableService, "servers"> {
  if (servers.length === 0) return {};
  return {
    servers: servers
      .map((server) => tableServer(server, slowStart))
      .sort((a, b) => compareStrings(a.id, b.id)),
  };
}

function tableServer(server: StaticServer, slowStart: boolean): TableServer {
  const { id, spec, health, createdAtMs } = server;
  // As in HAProxy: only a server that comes back starts slowly, not one that is new.
  const isBack = health !== null && health.sinceMs > createdAtMs;
  return {
    id,
    name: spec.name,
    weight: spec.weight,
    ...(spec.backup && { backup: true }),
    ...(isServerDraining(server) && { drain: true }),
    ...(spec.maxConn > 0 && { maxconn: spec.maxConn }),
    ...(slowStart && isBack && { sinceMs: health.sinceMs }),
    origin: serverOrigin(spec),
  };
}

function byServiceAge(a: Service, b: Service): number {
  return (
    a.createdAtMs - b.createdAtMs || compareStrings(a.spec.name, b.spec.name) || compareStrings(a.id, b.id)
  );
}

/** As they were added, which is their order in the file they were imported from. */
function byCreation(a: StaticServer, b: StaticServer): number {
  return a.createdAtMs - b.createdAtMs || compareStrings(a.spec.name, b.spec.name);
}

function byName(a: { name: string; id: string }, b: { name: string; id: string }): number {
  return compareStrings(a.name, b.name) || compareStrings(a.id, b.id);
}
