// Explaining a route: what would happen to a request, step by step, and why. It looks things up with the data plane's
// own functions, so that it cannot come to another answer.
//
// It goes by the table alone. What each router saw of the tasks itself - those it passes over after failures - is not
// in there.

import { taskName } from "../domain/names.ts";
import { printPathRule } from "../domain/path-rule.ts";
import type { PublishMode } from "../domain/service.ts";
import type {
  RoutingTable,
  Share,
  TableNode,
  TableServer,
  TableService,
  TableTask,
} from "../domain/table.ts";
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
import type { Failure } from "../proxy/failure.ts";
import { hostName } from "../proxy/host.ts";
import type { Ring } from "../proxy/ring.ts";
import { type Route, Routes } from "../proxy/routes.ts";
import type { Taker } from "../proxy/takers.ts";
import { optionsInWords, whichOf, whyAmong } from "./policy-words.ts";
import type { WayIn } from "./way-in.ts";

/** A request, as far as routing goes by it. */
export type Question = {
  readonly method: string;
  /** The Host header. */
  readonly host: string;
  readonly path: string;
  readonly wayIn: WayIn;
  /** The mesh's domain, lower case, or empty. */
  readonly domain: string;
};

/** What is looked up for one question. */
type Lookup = Question & {
  readonly asked: Pick<Request, "url">;
  /** The path rule that led to the service. */
  readonly taker: Taker | null;
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
export function explainRoute(table: RoutingTable, question: Question): RouteExplanation {
  const lookup = lookUp(table, question);
  const { method, host, path, wayIn, matched } = lookup;
  return {
    request: { method, host, port: wayIn.port, path },
    tableVersion: table.version,
    entry: entryOf(lookup),
    match: matchOf(lookup),
    services: (matched ?? []).map((route) => {
      const { service, target, mode } = route;
      const { id, name, policy } = service;
      return { id, name, policy, target, mode, options: optionsInWords(route, lookup.routes) };
    }),
    nodes: nodesOf(lookup),
    tasks: tasksOf(lookup),
    sending: sendingOf(method),
    answer: answerOf(lookup),
  };
}

function lookUp(table: RoutingTable, question: Question): Lookup {
  const { wayIn, host, domain } = question;
  const routes = new Routes(table);
  const asked = { url: `http://${host}${question.path}` };
  const found = routes.match(wayIn.port, host, domain, asked);
  const taker = routes.takerOf(wayIn.port, host, domain, asked);
  const matched = asMatched(found);
  const ids =
    wayIn.role === "ingress" ? [wayIn.node ?? ""] : matched === null ? [] : ableNodes(matched, routes);
  const entryNodes = ids.flatMap((id) => routes.node(id) ?? []);
  return { ...question, asked, taker, table, routes, matched, entryNodes };
}

function entryOf({ wayIn: { role, node, why }, routes }: Lookup): ExplainedEntry {
  return { role, node: node === null ? null : (routes.node(node)?.name ?? node), why };
}

function matchOf(lookup: Lookup): ExplainedMatch {
  const { wayIn, host, domain, taker, routes, matched } = lookup;
  if (taker === null) return wholeMatchOf(lookup, matched);
  const { at, rule } = taker;
  const path = { rule: printPathRule(rule), from: at };
  const name = taker.route[0].service.name;
  if (at === null) {
    return { by: "host", why: `${hostName(host)} and the path are what ${name} takes: ${path.rule}`, path };
  }
  // The first service that answers there is whom it is taken from.
  const from = routes.matchWhole(wayIn.port, host, domain);
  const { by, why } = wholeMatchOf(lookup, asMatched(from));
  return {
    by,
    why: `${why}; of its requests ${at === name ? "it keeps" : `${name} takes`} ${path.rule}`,
    path,
  };
}

function asMatched(found: readonly Route[] | null): Lookup["matched"] {
  const [first, ...others] = found ?? [];
  return first === undefined ? null : [first, ...others];
}

/** What led to the service before path rules were looked at. */
function wholeMatchOf(
  { wayIn: { port }, host, domain, table }: Lookup,
  matched: Lookup["matched"],
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

function nodesOf(lookup: Lookup): readonly ExplainedNode[] & ExplainedNode[] {
  const { table, entryNodes, wayIn } = lookup;
  const picked = new Set(entryNodes.map(({ id }) => id));
  const shown = wayIn.role === "ingress" ? entryNodes : table.nodes;
  return shown.map((node) => {
    const { id, name, up } = node;
    return { id, name, up, picked: picked.has(id), why: whyNode(lookup, node, picked.has(id)) };
  });
}

function whyNode({ table, wayIn, matched }: Lookup, { up, balance }: TableNode, picked: boolean): string {
  if (wayIn.role === "ingress")
    return up ? "the request comes in here" : "it is down; its entry point answers all the same";
  if (matched === null) return "there is no service to pick it for";
  const hostMode = matched[0].mode === "host";
  if (picked && up)
    return hostMode ? "it is up and has a task: it takes its turn" : "it is up: it takes its turn";
  if (picked) {
    const others = table.nodes.some((node) => node.balance !== undefined)
      ? "the others in turn"
      : "the others";
    return `it is down, and so are ${others}: its entry point answers all the same`;
  }
  if (balance !== undefined) return `it is in ${balance} at the balancer`;
  if (!up) return "it is down";
  return "it has no task of the service, whose port is published in host mode";
}

function tasksOf({ table, matched, entryNodes, wayIn, path }: Lookup): ExplainedTask[] {
  if (matched === null) return [];
  const picked =
    wayIn.role === "ingress" && entryNodes.length === 0
      ? new Map<string, Ring>()
      : pickedTasks(matched, entryNodes);
  const nodes = new Map(table.nodes.map((node) => [node.id, node]));
  const whyPicked = (service: TableService, id: string, node: TableNode | undefined) => {
    const why = whyAmong(service, picked.get(id) as Ring, id, path);
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
          : whyNotPicked(task, origin, target, mode === "host" && wayIn);
        const name = taskName(service.name, task);
        return { id: task.id, name, node: node?.name ?? null, origin, picked: taken, why };
      }),
    ...(service.servers ?? []).map((server) => {
      const { id, origin } = server;
      const taken = picked.has(id);
      const why = taken ? whyPicked(service, id, undefined) : whyServerNotPicked(server, mode);
      return { id, name: `${service.name}/${server.name}`, node: null, origin, picked: taken, why };
    }),
  ]);
}

/** The tasks that the entry nodes pick from, by id, each with the ring it is picked from. */
function pickedTasks(
  matched: readonly [Route, ...Route[]],
  entryNodes: readonly TableNode[],
): ReadonlyMap<string, Ring> {
  const at = entryNodes.length === 0 && needsNoNode(matched) ? [noNodeAtAll] : entryNodes;
  const rings = new Set<Ring>(at.map(({ id }) => routeOn(matched, id).ring));
  return new Map([...rings].flatMap((ring) => ring.ids.map((id) => [id, ring] as const)));
}

function whyNotPicked(
  task: TableTask,
  origin: string | null,
  target: number,
  hostMode: WayIn | false,
): string {
  if (origin === null) return `it does not listen on target port ${target}`;
  const withheld = whyWithheld(task);
  if (withheld !== null) return withheld;
  if (hostMode !== false && hostMode.role === "ingress")
    return "in host mode a node sends to its own tasks only";
  return "its node is not picked, and in host mode a node sends to its own tasks only";
}

function whyServerNotPicked(server: TableServer, mode: PublishMode): string {
  if (mode === "host") return "it is on no node, and in host mode a node sends to its own tasks only";
  return whyWithheld(server) ?? "it is not asked";
}

/** Why no new client is sent to a task or a server, as far as it lies with itself. */
function whyWithheld({ weight, drain, backup, standby }: Share): string | null {
  if (weight === 0) return "its weight is 0";
  if (drain === true) return "it is in drain";
  if (standby === true) return "it is a backup, and another one goes before it";
  if (backup === true) return "it is a backup, and others are there";
  return null;
}

/** As src/ingress/ask.ts goes about it. */
function sendingOf(method: string): string {
  if (safe.has(method)) {
    return `${method} goes on to another task when one cannot be reached, and to a second one while the first keeps it waiting`;
  }
  if (idempotent.has(method)) return `${method} goes on to another task when one cannot be reached`;
  return `${method} is sent to one task; with an Idempotency-Key header it may go on to another`;
}

function answerOf(lookup: Lookup): ExplainedAnswer {
  const refusal = refusalOf(lookup);
  if (refusal !== null) return { by: "mesh", ...refusal };
  const { length } = tasksOf(lookup).filter(({ picked }) => picked);
  const [route] = lookup.matched as readonly [Route, ...Route[]];
  return { by: "task", why: whichOf(length, route.service) };
}

/** What the entry point refuses with; null where a task is asked. */
function refusalOf({ wayIn, host, domain, asked, routes, matched, entryNodes }: Lookup): Failure | null {
  // Refusing is the entry point's business, and where no node can be picked it is any node's.
  const refusing =
    wayIn.role === "edge"
      ? routes.node(refusingNode(routes, wayIn.port, host, domain, asked) ?? "")
      : undefined;
  const alone = wayIn.role === "edge" && needsNoNode(matched) ? noNodeAtAll : undefined;
  const node = entryNodes[0] ?? alone ?? refusing;
  if (node === undefined) return noNode(wayIn, routes, matched);
  if (matched === null) return unknown(wayIn, hostName(host));
  const { route, ring } = routeOn(matched, node.id);
  return ring.ids.length === 0 ? noTask(route, node.name, ring) : null;
}
