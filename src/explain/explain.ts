// Explaining a route: what would happen to a request, step by step, and why. It looks things up with the data plane's
// own functions, so that it cannot come to another answer.
//
// It goes by the table alone. What each router saw of the tasks itself - those it passes over after failures - is not
// in there.

import type { PublishMode } from "../domain/model/service.ts";
import { taskName } from "../domain/model/task-name.ts";
import { printPathRule } from "../domain/table/path-rule.ts";
import type {
  RoutingTable,
  Share,
  TableNode,
  TableServer,
  TableService,
  TableTask,
} from "../domain/table/table.ts";
import { ableNodes, refusingNode } from "../edge/handle.ts";
import { needsNoNode, noNodeAtAll, routeOn } from "../ingress/handle.ts";
import { idempotent, safe } from "../ingress/outgoing.ts";
import { noNode, noTask, unknown } from "../ingress/refusals.ts";
import type {
  ExplainedAnswer,
  ExplainedEntry,
  ExplainedMatch,
  ExplainedNode,
  ExplainedTask,
  RouteExplanation,
} from "../protocol/route.ts";
import type { Failure } from "../proxy/http/failure.ts";
import { hostName } from "../proxy/http/host.ts";
import type { PathRoute } from "../proxy/routing/path-routes.ts";
import { type Route, Routes } from "../proxy/routing/routes.ts";
import type { TargetPool } from "../proxy/routing/target-pool.ts";
import type { ResolvedEntry } from "./entry.ts";
import { candidateReason, optionTexts, pickText } from "./policy-text.ts";

/** A request, as far as routing goes by it. */
export type ExplainRequest = {
  readonly method: string;
  /** The Host header. */
  readonly host: string;
  readonly path: string;
  readonly entry: ResolvedEntry;
  /** The mesh's domain, lower case, or empty. */
  readonly domain: string;
};

/** What is looked up for one question. */
type RouteLookup = ExplainRequest & {
  readonly request: Pick<Request, "url">;
  /** The path rule that led to the service. */
  readonly pathRoute: PathRoute | null;
  readonly table: RoutingTable;
  readonly routes: Routes;
  /** Never an empty list. */
  readonly matched: readonly [Route, ...Route[]] | null;
  /** Nodes whose entry point may be given the request. */
  readonly entryNodes: readonly TableNode[];
};

/**
 * What the data plane does to a request by this table.
 *
 * @see docs/spec.md E1-E4
 */
export function explainRoute(table: RoutingTable, question: ExplainRequest): RouteExplanation {
  const lookup = lookUp(table, question);
  const { method, host, path, entry, matched } = lookup;
  return {
    request: { method, host, port: entry.port, path },
    tableVersion: table.version,
    entry: entryOf(lookup),
    match: matchOf(lookup),
    services: (matched ?? []).map((route) => {
      const { service, target, mode } = route;
      const { id, name, policy } = service;
      return { id, name, policy, target, mode, options: optionTexts(route, lookup.routes) };
    }),
    nodes: nodesOf(lookup),
    tasks: tasksOf(lookup),
    sending: sendingText(method),
    answer: answerOf(lookup),
  };
}

function lookUp(table: RoutingTable, question: ExplainRequest): RouteLookup {
  const { entry, host, domain } = question;
  const routes = new Routes(table);
  const asked = { url: `http://${host}${question.path}` };
  const found = routes.match(entry.port, host, domain, asked);
  const taker = routes.pathRouteOf(entry.port, host, domain, asked);
  const matched = nonEmptyMatch(found);
  const ids =
    entry.role === "ingress" ? [entry.node ?? ""] : matched === null ? [] : ableNodes(matched, routes);
  const entryNodes = ids.flatMap((id) => routes.node(id) ?? []);
  return { ...question, request: asked, pathRoute: taker, table, routes, matched, entryNodes };
}

function entryOf({ entry: { role, node, why }, routes }: RouteLookup): ExplainedEntry {
  return { role, node: node === null ? null : (routes.node(node)?.name ?? node), why };
}

function matchOf(lookup: RouteLookup): ExplainedMatch {
  const { entry, host, domain, pathRoute, routes, matched } = lookup;
  if (pathRoute === null) return serviceMatchOf(lookup, matched);
  const { from: at, rule } = pathRoute;
  const path = { rule: printPathRule(rule), from: at };
  const name = pathRoute.route[0].service.name;
  if (at === null) {
    return { by: "host", why: `${hostName(host)} and the path are what ${name} takes: ${path.rule}`, path };
  }
  // The first service that answers there is whom it is taken from.
  const from = routes.matchWhole(entry.port, host, domain);
  const { by, why } = serviceMatchOf(lookup, nonEmptyMatch(from));
  return {
    by,
    why: `${why}; of its requests ${at === name ? "it keeps" : `${name} takes`} ${path.rule}`,
    path,
  };
}

function nonEmptyMatch(found: readonly Route[] | null): RouteLookup["matched"] {
  const [first, ...others] = found ?? [];
  return first === undefined ? null : [first, ...others];
}

/** What led to the service before path rules were looked at. */
function serviceMatchOf(
  { entry: { port }, host, domain, table }: RouteLookup,
  matched: RouteLookup["matched"],
): ExplainedMatch {
  const name = hostName(host);
  if (matched === null) {
    const known = port === null ? "" : `port ${port} is published by no service, and `;
    const without = table.defaultService === null ? ", and there is no default service" : "";
    return {
      by: "nothing",
      why: `${known}${name} is no host name of a service${port === null ? without : ""}`,
    };
  }
  const [{ service }] = matched;
  const names = matched.map((route) => route.service.name).join(", ");
  if (port !== null && service.ports.some(({ published }) => published === port)) {
    return { by: "port", why: `port ${port} is published by ${names}` };
  }
  if (service.hosts.includes(name)) return { by: "host", why: `${name} is a host name of ${names}` };
  if (domain !== "" && name.endsWith(`.${domain}`) && !name.endsWith(`.nodes.${domain}`)) {
    return { by: "name", why: `${name} is ${names} in the mesh's domain ${domain}` };
  }
  return { by: "default", why: `neither port nor host name says which, and ${names} is the default service` };
}

function nodesOf(lookup: RouteLookup): readonly ExplainedNode[] & ExplainedNode[] {
  const { table, entryNodes, entry } = lookup;
  const picked = new Set(entryNodes.map(({ id }) => id));
  const shown = entry.role === "ingress" ? entryNodes : table.nodes;
  return shown.map((node) => {
    const { id, name, up } = node;
    return { id, name, up, picked: picked.has(id), why: nodePickReason(lookup, node, picked.has(id)) };
  });
}

function nodePickReason(
  { table, entry, matched }: RouteLookup,
  { up, admin }: TableNode,
  picked: boolean,
): string {
  if (entry.role === "ingress")
    return up ? "the request comes in here" : "it is down; its entry point answers all the same";
  if (matched === null) return "there is no service to pick it for";
  const hostMode = matched[0].mode === "host";
  if (picked && up)
    return hostMode ? "it is up and has a task: it takes its turn" : "it is up: it takes its turn";
  if (picked) {
    const others = table.nodes.some((node) => node.admin !== undefined) ? "the others in turn" : "the others";
    return `it is down, and so are ${others}: its entry point answers all the same`;
  }
  if (admin !== undefined) return `it is in ${admin} at the balancer`;
  if (!up) return "it is down";
  return "it has no task of the service, whose port is published in host mode";
}

function tasksOf({ table, matched, entryNodes, entry, path }: RouteLookup): ExplainedTask[] {
  if (matched === null) return [];
  const picked =
    entry.role === "ingress" && entryNodes.length === 0
      ? new Map<string, TargetPool>()
      : pickedTasks(matched, entryNodes);
  const nodes = new Map(table.nodes.map((node) => [node.id, node]));
  const whyPicked = (service: TableService, id: string, node: TableNode | undefined) => {
    const why = candidateReason(service, picked.get(id) as TargetPool, id, path);
    return node?.up === false ? `${why}, though its node is not heard` : why;
  };
  return matched.flatMap(({ service, target, mode }) => [
    ...service.tasks
      .toSorted((a, b) => a.slot - b.slot)
      .map((task) => {
        const origin = task.endpoints.find(([port]) => port === target)?.[1] ?? null;
        const node = nodes.get(task.nodeId);
        const taken = picked.has(task.id);
        const why = taken
          ? whyPicked(service, task.id, node)
          : taskNotPickedReason(task, origin, target, mode === "host" && entry);
        const name = taskName(service.name, task);
        return { id: task.id, name, node: node?.name ?? null, origin, picked: taken, why };
      }),
    ...(service.servers ?? []).map((server) => {
      const { id, origin } = server;
      const taken = picked.has(id);
      const why = taken ? whyPicked(service, id, undefined) : serverNotPickedReason(server, mode);
      return { id, name: `${service.name}/${server.name}`, node: null, origin, picked: taken, why };
    }),
  ]);
}

/** The tasks that the entry nodes pick from, by id, each with the ring it is picked from. */
function pickedTasks(
  matched: readonly [Route, ...Route[]],
  entryNodes: readonly TableNode[],
): ReadonlyMap<string, TargetPool> {
  const at = entryNodes.length === 0 && needsNoNode(matched) ? [noNodeAtAll] : entryNodes;
  const rings = new Set<TargetPool>(at.map(({ id }) => routeOn(matched, id).ring));
  return new Map([...rings].flatMap((ring) => ring.ids.map((id) => [id, ring] as const)));
}

function taskNotPickedReason(
  task: TableTask,
  origin: string | null,
  target: number,
  hostMode: ResolvedEntry | false,
): string {
  if (origin === null) return `it does not listen on target port ${target}`;
  const withheld = withheldReason(task);
  if (withheld !== null) return withheld;
  if (hostMode !== false && hostMode.role === "ingress")
    return "in host mode a node sends to its own tasks only";
  return "its node is not picked, and in host mode a node sends to its own tasks only";
}

function serverNotPickedReason(server: TableServer, mode: PublishMode): string {
  if (mode === "host") return "it is on no node, and in host mode a node sends to its own tasks only";
  return withheldReason(server) ?? "it is not asked";
}

/** Why no new client is sent to a task or a server, as far as it lies with itself. */
function withheldReason({ weight, drain, backup, standby }: Share): string | null {
  if (weight === 0) return "its weight is 0";
  if (drain === true) return "it is in drain";
  if (standby === true) return "it is a backup, and another one goes before it";
  if (backup === true) return "it is a backup, and others are there";
  return null;
}

/** As src/ingress/forward.ts goes about it. */
function sendingText(method: string): string {
  if (safe.has(method)) {
    return `${method} goes on to another task when one cannot be reached, and to a second one while the first keeps it waiting`;
  }
  if (idempotent.has(method)) return `${method} goes on to another task when one cannot be reached`;
  return `${method} is sent to one task; with an Idempotency-Key header it may go on to another`;
}

function answerOf(lookup: RouteLookup): ExplainedAnswer {
  const refusal = refusalOf(lookup);
  if (refusal !== null) return { by: "mesh", ...refusal };
  const { length } = tasksOf(lookup).filter(({ picked }) => picked);
  const [route] = lookup.matched as readonly [Route, ...Route[]];
  return { by: "task", why: pickText(length, route.service) };
}

/** What the entry point refuses with; null where a task is asked. */
function refusalOf({
  entry,
  host,
  domain,
  request,
  routes,
  matched,
  entryNodes,
}: RouteLookup): Failure | null {
  // Refusing is the entry point's business, and where no node can be picked it is any node's.
  const refusing =
    entry.role === "edge"
      ? routes.node(refusingNode(routes, entry.port, host, domain, request) ?? "")
      : undefined;
  const alone = entry.role === "edge" && needsNoNode(matched) ? noNodeAtAll : undefined;
  const node = entryNodes[0] ?? alone ?? refusing;
  if (node === undefined) return noNode(entry, routes, matched);
  if (matched === null) return unknown(entry, hostName(host));
  const { route, ring } = routeOn(matched, node.id);
  return ring.ids.length === 0 ? noTask(route, node.name, ring) : null;
}
