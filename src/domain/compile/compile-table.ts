// Compiles the routing table of a world.

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
import { tcpOptionsOf } from "../labels/tcp-labels.ts";
import { compareStrings } from "../model/compare.ts";
import { isHostName } from "../model/host-name.ts";
import { isBalancer, isNodeDown, isNodeReady, type MeshNode } from "../model/node.ts";
import { gatewayUrl } from "../model/node-gateway.ts";
import { type StaticServer, serverOrigin } from "../model/server.ts";
import { isServerDraining, isServerUsable, unusableReason } from "../model/server-health.ts";
import type { Service } from "../model/service.ts";
import type { Task } from "../model/task.ts";
import type { World } from "../model/world.ts";
import {
  byTableOrder,
  type RoutingTable,
  type TableGateway,
  type TableNode,
  type TableOptions,
  type TableServer,
  type TableService,
  type TableTask,
} from "../table/table.ts";
import { withFirstBackupOnly } from "./first-backup.ts";

/**
 * Compiles the routing table. Equal worlds give equal tables, whatever the order of their maps: nodes and
 * services are sorted by name and id, tasks by id, ports by number, host names alphabetically.
 *
 * A task is in the table while it is wanted, running, healthy and reachable on a node that is not down. Tasks
 * on a node that is down are used only if their service has no other: a frozen agent must not cut off a
 * healthy service, and a dead machine must not take requests from live tasks. A static server is in the table
 * unless it is down or in maintenance.
 *
 * @param signingKey id of the gateway key that routers sign with
 * @see docs/spec.md R1-R11
 */
export function compileTable(world: World, version: number, signingKey: string | null = null): RoutingTable {
  const { hosts, defaultService } = compileNames(world.services.values());
  const tasks = Map.groupBy(world.tasks.values(), ({ serviceId }) => serviceId);
  const servers = Map.groupBy(world.servers.values(), ({ serviceId }) => serviceId);
  return {
    version,
    nodes: [...world.nodes.values()].flatMap((node) => compileNode(node) ?? []).sort(byTableOrder),
    services: [...world.services.values()]
      .map((service) => {
        const { id } = service;
        return compileService(service, {
          hosts: hosts.get(id) ?? [],
          tasks: tasks.get(id) ?? [],
          servers: servers.get(id) ?? [],
          nodes: world.nodes,
        });
      })
      .sort(byTableOrder),
    defaultService,
    signingKey,
  };
}

/** What services have among each other: their host names, and which of them is the default. */
export type ServiceNames = {
  /** By the id of a service, the host names that are its own; absent: it has none. */
  readonly hosts: ReadonlyMap<string, readonly string[]>;
  /** Null: there is no default. */
  readonly defaultService: string | null;
};

export function compileNames(services: Iterable<Service>): ServiceNames {
  const oldestFirst = [...services].sort(byServiceAge);
  return { hosts: hostsByService(oldestFirst), defaultService: defaultService(oldestFirst) };
}

/** A node of the table; null for a balancer, to which the edge sends no requests. */
export function compileNode(node: MeshNode): TableNode | null {
  return isBalancer(node) ? null : tableNode(node);
}

/** What a service of the table is compiled from. */
export type ServiceParts = {
  readonly hosts: readonly string[];
  /** All tasks of the service. */
  readonly tasks: readonly Task[];
  readonly servers: readonly StaticServer[];
  readonly nodes: World["nodes"];
};

export function compileService(
  service: Service,
  { hosts, tasks, servers, nodes }: ServiceParts,
): TableService {
  const withTasks = tableService(service, hosts, routableTasks(tasks, nodes), nodes);
  const ownServers = servers.filter(isServerUsable);
  const hasSlowStart = withTasks.options?.slowStartMs !== undefined;
  const compiled = {
    ...withTasks,
    ...serversPart(ownServers, hasSlowStart),
    ...(withTasks.tasks.length + ownServers.length === 0 && downServersPart(servers)),
  };
  if (usesAllBackups(service.spec.labels)) return compiled;
  return withFirstBackupOnly(compiled, ownServers.toSorted(byCreation));
}

/**
 * True if the task itself can take requests, whatever the state of its node.
 *
 * @see docs/decisions/0006-unhealthy-leaves-the-table-first.md
 */
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

/** The tasks of a service that take requests; those on nodes that are down only if there are no others. */
function routableTasks(tasks: readonly Task[], nodes: World["nodes"]): readonly Task[] {
  const onNodes: Task[] = [];
  const onDownNodes: Task[] = [];
  for (const task of tasks) {
    const node = isRoutable(task) ? nodes.get(task.nodeId ?? "") : undefined;
    if (node !== undefined) (isNodeDown(node) ? onDownNodes : onNodes).push(task);
  }
  return onNodes.length > 0 ? onNodes : onDownNodes;
}

/** The host names of each service, by service id. A host name of several services belongs to the oldest. */
function hostsByService(oldestFirst: readonly Service[]): ReadonlyMap<string, readonly string[]> {
  const taken = new Set<string>();
  const hosts = new Map<string, readonly string[]>();
  for (const { id, spec } of oldestFirst) {
    const own = exclusiveHostsOf(spec.labels).filter((host) => !taken.has(host));
    for (const host of own) taken.add(host);
    if (own.length > 0) hosts.set(id, [...own].sort(compareStrings));
  }
  return hosts;
}

/**
 * The oldest service with label `waggle.default`, else the oldest in mode http with an ingress port; a discovered
 * one only if an operator created no such service.
 */
function defaultService(oldestFirst: readonly Service[]): string | null {
  const candidates = oldestFirst.filter(({ spec, ports }) => {
    return tcpOptionsOf(spec.labels).mode !== "tcp" && ports.some(({ mode }) => mode === "ingress");
  });
  const chosen =
    oldestFirst.find(({ spec }) => isDefaultService(spec.labels)) ??
    candidates.find(({ discovered }) => discovered === undefined) ??
    candidates[0];
  return chosen?.spec.name ?? null;
}

function tableNode(node: MeshNode): TableNode {
  // The operator writes these by hand. An invalid host name is left out, because no request can have it.
  const names = node.entryHosts.map((host) => host.toLowerCase()).filter(isHostName);
  const hosts = [...new Set(names)].sort(compareStrings);
  const { id, hostname: name, address, admin = "ready" } = node;
  const gateway = tableGateway(node);
  return {
    id,
    name,
    up: isNodeReady(node),
    ...(admin !== "ready" && { admin }),
    address,
    ...(gateway !== null && { gateway }),
    hosts,
  };
}

/** How a node's gateway is reached; null before its agent said hello. */
export function tableGateway({ address, gateway, transport }: MeshNode): TableGateway | null {
  if (gateway === undefined || transport === undefined) return null;
  const base = transport.kind === "tunnel" ? "" : gatewayUrl(address, gateway);
  return { transport: transport.kind, base };
}

function tableService(
  service: Service,
  hosts: readonly string[],
  tasks: readonly Task[],
  nodes: World["nodes"],
): TableService {
  const { labels } = service.spec;
  const options = allOptions(labels);
  const context: TaskTableContext = {
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
    tasks: tasks.map((task) => tableTask(task, context)).sort((a, b) => compareStrings(a.id, b.id)),
  };
}

function allOptions(labels: Service["spec"]["labels"]): TableOptions | null {
  const options = optionsOf(labels);
  const paths = pathsOf(labels, hostsOf(labels));
  return paths === null ? options : { ...options, paths };
}

/** Values that all tasks of one service share. */
type TaskTableContext = {
  readonly shareRules: ShareRules;
  readonly nodes: World["nodes"];
  readonly slowStart: boolean;
  /** Ids of tasks that get no new clients. */
  readonly draining: ReadonlySet<string>;
};

const noTaskIds: ReadonlySet<string> = new Set();

/**
 * The ids of tasks on draining nodes: no sticky client is assigned to a task that will be replaced soon.
 * Empty if the service has no other tasks.
 */
function drainingTasks(tasks: readonly Task[], nodes: World["nodes"]): ReadonlySet<string> {
  const draining = tasks.filter(({ nodeId }) => {
    const node = nodes.get(nodeId ?? "");
    return node?.availability === "drain" || node?.leaving === true;
  });
  return draining.length < tasks.length ? new Set(draining.map(({ id }) => id)) : noTaskIds;
}

function tableTask(task: Task, { shareRules, nodes, slowStart, draining }: TaskTableContext): TableTask {
  const targets = new Set(task.endpoints.map(({ target }) => target));
  return {
    id: task.id,
    slot: task.slot,
    nodeId: task.nodeId ?? "",
    ...shareOf(shareRules, task, nodes.get(task.nodeId ?? "")),
    ...((task.admin === "drain" || draining.has(task.id)) && { drain: true as const }),
    ...(slowStart && { sinceMs: task.health?.sinceMs ?? task.ranSinceMs ?? task.stateSinceMs }),
    endpoints: [...targets].sort((a, b) => a - b).map((target) => [target, null]),
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

function downServersPart(servers: readonly StaticServer[]): Pick<TableService, "downServers"> {
  if (servers.length === 0) return {};
  return {
    downServers: servers
      .map((server) => ({ id: server.id, name: server.spec.name, why: unusableReason(server) }))
      .sort((a, b) => compareStrings(a.id, b.id)),
  };
}

function tableServer(server: StaticServer, slowStart: boolean): TableServer {
  const { id, spec, health, createdAtMs } = server;
  // As in HAProxy, only a server that was down starts slowly, not a new one.
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

/** Compares by creation time, which for imported servers is their order in the file. */
function byCreation(a: StaticServer, b: StaticServer): number {
  return a.createdAtMs - b.createdAtMs || compareStrings(a.spec.name, b.spec.name);
}
