// Explains a route: the steps of a request through the mesh, and the reason for each. It calls the functions
// of the data plane, so that both always agree.
//
// It knows only the table, not the targets that each isolate has ejected.

import { normalPath } from "../domain/model/normal-path.ts";
import type { PublishMode } from "../domain/model/service.ts";
import { taskName } from "../domain/model/task.ts";
import { type AttemptOptions, maxRetries } from "../domain/table/attempt-options.ts";
import { printPathRule } from "../domain/table/path-rule.ts";
import type {
  RoutingTable,
  Share,
  TableNode,
  TableServer,
  TableService,
  TableTask,
} from "../domain/table/table.ts";
import { noRouteFailure, noTargetFailure } from "../ingress/refusals.ts";
import type {
  ExplainedEntry,
  ExplainedMatch,
  ExplainedNode,
  ExplainedResponse,
  ExplainedTask,
  RouteExplanation,
} from "../protocol/route.ts";
import type { Failure } from "../proxy/http/failure.ts";
import { hostName } from "../proxy/http/host.ts";
import { idempotentMethods, safeMethods } from "../proxy/http/methods.ts";
import {
  type EntryNode,
  type RouteMatch,
  type RouteQuery,
  Routes,
  routeAt,
  servesDirectly,
} from "../proxy/routing/routes.ts";
import type { TargetPool } from "../proxy/routing/target-pool.ts";
import type { ResolvedEntry } from "./entry.ts";
import { candidateReason, optionTexts, pickText } from "./policy-text.ts";

/** The parts of a request that its route depends on. */
export type ExplainRequest = {
  readonly method: string;
  /** The Host header. */
  readonly host: string;
  /** Path and query as a client sends them; the explanation has them as targets get them. */
  readonly path: string;
  readonly entry: ResolvedEntry;
  /** The mesh's domain, lower case, or empty. */
  readonly domain: string;
};

/** A request, and the routes and nodes that the table has for it. */
type RouteLookup = ExplainRequest & {
  readonly table: RoutingTable;
  readonly routes: Routes;
  readonly match: RouteMatch | null;
  /** The nodes whose ingress may serve the request. */
  readonly entryNodes: readonly TableNode[];
};

/**
 * Explains how the data plane routes a request by a table.
 *
 * @see docs/spec.md E1-E4
 */
export function explainRoute(table: RoutingTable, request: ExplainRequest): RouteExplanation {
  const lookup = lookUp(table, { ...request, path: normalPath(request.path) });
  const { method, host, path, entry, match } = lookup;
  return {
    request: { method, host, port: entry.port, path },
    tableVersion: table.version,
    entry: entryOf(lookup),
    match: matchOf(lookup),
    services: (match?.routes ?? []).map((route) => {
      const { service, targetPort, mode } = route;
      const { id, name, policy } = service;
      return { id, name, policy, target: targetPort, mode, options: optionTexts(route, lookup.routes) };
    }),
    nodes: nodesOf(lookup),
    tasks: tasksOf(lookup),
    sending: sendingText(method, match?.routes[0].service.options ?? {}),
    response: responseOf(lookup),
  };
}

function lookUp(table: RoutingTable, request: ExplainRequest): RouteLookup {
  const { entry, domain } = request;
  const routes = new Routes(table, domain);
  const match = routes.match(queryOf(request));
  const entryNodes =
    entry.role === "edge" ? eligibleNodes(routes, match) : [routes.node(entry.node ?? "") ?? []].flat();
  return { ...request, table, routes, match, entryNodes };
}

function eligibleNodes(routes: Routes, match: RouteMatch | null): readonly TableNode[] {
  return match === null ? [] : routes.eligibleFor(match).nodes;
}

function queryOf({ entry: { port }, host, path }: ExplainRequest): RouteQuery {
  return { port, host, path };
}

function entryOf({ entry: { role, node, why }, routes }: RouteLookup): ExplainedEntry {
  return { role, node: node === null ? null : (routes.node(node)?.name ?? node), why };
}

function matchOf(lookup: RouteLookup): ExplainedMatch {
  const { host, routes, match } = lookup;
  const pathRoute = match?.pathRoute ?? null;
  if (pathRoute === null) return serviceMatchOf(lookup, match);
  const { from, rule, route } = pathRoute;
  const path = { rule: printPathRule(rule), from };
  const { name } = route.service;
  if (from === null) {
    return { by: "host", why: `${hostName(host)} and the path match ${path.rule} of ${name}`, path };
  }
  const { by, why } = serviceMatchOf(lookup, routes.matchService(queryOf(lookup)));
  const verb = from === name ? "keeps" : "takes";
  return { by, why: `${why}; path rule ${path.rule} of ${name} ${verb} the request`, path };
}

/** The match before path rules apply. */
function serviceMatchOf(
  { entry: { port }, host, domain, table, routes }: RouteLookup,
  match: RouteMatch | null,
): ExplainedMatch {
  const name = hostName(host);
  if (match === null) {
    const tcp = port === null ? null : routes.matchTcp(port);
    const publisher = tcp === null ? "no service" : "no service in mode http";
    const noPort = port === null ? "" : `${publisher} publishes port ${port}, and `;
    const noDefault =
      port === null && table.defaultService === null ? ", and there is no default service" : "";
    return { by: "nothing", why: `${noPort}no service has the host name ${name}${noDefault}` };
  }
  const [{ service }] = match.routes;
  const names = match.routes.map((route) => route.service.name).join(", ");
  if (port !== null && service.ports.some(({ published }) => published === port)) {
    return { by: "port", why: `port ${port} is published by ${names}` };
  }
  if (service.hosts.includes(name)) return { by: "host", why: `${name} is a host name of ${names}` };
  if (domain !== "" && name.endsWith(`.${domain}`) && !name.endsWith(`.nodes.${domain}`)) {
    return { by: "name", why: `${name} is the name of ${names} in the domain ${domain}` };
  }
  return { by: "default", why: `no port or host name matches, and ${names} is the default service` };
}

function nodesOf(lookup: RouteLookup): ExplainedNode[] {
  const { table, entryNodes, entry } = lookup;
  const pickedIds = new Set(entryNodes.map(({ id }) => id));
  const nodes = entry.role === "ingress" ? entryNodes : table.nodes;
  return nodes.map((node) => {
    const { id, name, up } = node;
    const isPicked = pickedIds.has(id);
    return { id, name, up, picked: isPicked, why: nodePickReason(lookup, node, isPicked) };
  });
}

function nodePickReason(
  { table, entry, match }: RouteLookup,
  { up, admin }: TableNode,
  isPicked: boolean,
): string {
  if (entry.role === "ingress")
    return up ? "the request comes in here" : "it is down; its entry point serves requests anyway";
  if (match === null) return "no service matches";
  const isHostMode = match.routes[0].mode === "host";
  if (isPicked && up)
    return isHostMode ? "it is up and has a task: it takes its turn" : "it is up: it takes its turn";
  if (isPicked) {
    const others = table.nodes.some((node) => node.admin !== undefined) ? "all ready nodes" : "all nodes";
    return `${others} are down: its entry point serves requests anyway`;
  }
  if (admin !== undefined) return `its admin state is ${admin}`;
  if (!up) return "it is down";
  return "it has no task of the service, whose port is published in host mode";
}

function tasksOf({ table, match, entryNodes, entry, path }: RouteLookup): ExplainedTask[] {
  if (match === null) return [];
  const poolByTarget =
    entry.role === "ingress" && entryNodes.length === 0
      ? new Map<string, TargetPool>()
      : poolsByTarget(match, entryNodes);
  const nodes = new Map(table.nodes.map((node) => [node.id, node]));
  const pickReason = (service: TableService, id: string, node: TableNode | undefined) => {
    const why = candidateReason(service, poolByTarget.get(id) as TargetPool, id, path);
    return node?.up === false ? `${why}, although its node is down` : why;
  };
  return match.routes.flatMap(({ service, targetPort, mode }) => [
    ...service.tasks
      .toSorted((a, b) => a.slot - b.slot)
      .map((task) => {
        const origin = task.endpoints.find(([port]) => port === targetPort)?.[1] ?? null;
        const node = nodes.get(task.nodeId);
        const isPicked = poolByTarget.has(task.id);
        const why = isPicked
          ? pickReason(service, task.id, node)
          : taskNotPickedReason(task, origin, targetPort, mode === "host" && entry);
        const name = taskName(service.name, task);
        return { id: task.id, name, node: node?.name ?? null, origin, picked: isPicked, why };
      }),
    ...(service.servers ?? []).map((server) => {
      const { id, origin } = server;
      const isPicked = poolByTarget.has(id);
      const why = isPicked ? pickReason(service, id, undefined) : serverNotPickedReason(server, mode);
      return { id, name: `${service.name}/${server.name}`, node: null, origin, picked: isPicked, why };
    }),
  ]);
}

/** The pool from which the entry nodes pick each target, by target id. */
function poolsByTarget(match: RouteMatch, entryNodes: readonly TableNode[]): ReadonlyMap<string, TargetPool> {
  const nodes: readonly EntryNode[] =
    entryNodes.length === 0 && servesDirectly(match) ? ["direct"] : entryNodes;
  const pools = new Set(nodes.map((node) => routeAt(match, node).pool(node)));
  return new Map([...pools].flatMap((pool) => pool.ids.map((id) => [id, pool] as const)));
}

function taskNotPickedReason(
  task: TableTask,
  origin: string | null,
  target: number,
  hostModeEntry: ResolvedEntry | false,
): string {
  if (origin === null) return `it does not listen on target port ${target}`;
  const withheld = withheldReason(task);
  if (withheld !== null) return withheld;
  if (hostModeEntry !== false && hostModeEntry.role === "ingress")
    return "in host mode a node sends to its own tasks only";
  return "its node is not picked, and in host mode a node sends to its own tasks only";
}

function serverNotPickedReason(server: TableServer, mode: PublishMode): string {
  if (mode === "host") return "it is on no node, and in host mode a node sends to its own tasks only";
  return withheldReason(server) ?? "it is not picked";
}

/** The reason why a task or server gets no new clients; null if its share does not exclude it. */
function withheldReason({ weight, drain, backup, standby }: Share): string | null {
  if (weight === 0) return "its weight is 0";
  if (drain === true) return "it is in drain";
  if (standby === true) return "it is a backup on standby: an earlier backup is used first";
  if (backup === true) return "it is a backup, and active targets are available";
  return null;
}

/** @param options the service's; the variables of the data plane are unknown here */
function sendingText(method: string, { hedge = true, retries = maxRetries }: AttemptOptions): string {
  if (retries === 0) return `${method} is sent to one task, because waggle.retries is 0`;
  const retried = `${method} is retried on another task if one cannot be reached`;
  if (safeMethods.has(method) && hedge)
    return `${retried}, and hedged on a second task if the first is silent`;
  if (idempotentMethods.has(method)) return retried;
  return `${method} is sent to one task; with an Idempotency-Key header it may be retried on another`;
}

function responseOf(lookup: RouteLookup): ExplainedResponse {
  const { match } = lookup;
  const refusal = refusalOf(lookup);
  if (match === null || refusal !== null) return { by: "mesh", ...(refusal ?? noRoute(lookup)) };
  const { length } = tasksOf(lookup).filter(({ picked }) => picked);
  return { by: "task", why: pickText(length, match.routes[0].service) };
}

/** The refusal of the entry point; null if a target gets the request. */
function refusalOf(lookup: RouteLookup): Failure | null {
  const { entry, match, entryNodes } = lookup;
  const direct = entry.role === "edge" && match !== null && servesDirectly(match) ? "direct" : null;
  const node = entryNodes[0] ?? direct;
  if (match === null || node === null) return noRoute(lookup);
  const route = routeAt(match, node);
  const pool = route.pool(node);
  return pool.ids.length === 0 ? noTargetFailure(route, node, pool) : null;
}

function noRoute({ entry, host, routes, match }: RouteLookup): Failure {
  return noRouteFailure({ port: entry.port, host, entryNode: entry.node }, routes, match);
}
