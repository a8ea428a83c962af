// The life of a request at the balancer: which service it is for, and which node's entry point takes it on.

import { ingress, needsNoNode, noNodeAtAll } from "../ingress/handle.ts";
import type { EntryPoint } from "../proxy/entry-point.ts";
import { authorityOf } from "../proxy/http/host.ts";
import type { DataPlane, PlaneContext } from "../proxy/plane.ts";
import type { Route, Routes } from "../proxy/routing/routes.ts";

/**
 * Answers a request that came in at the mesh's edge: picks a node round robin among those that are up, and lets its
 * entry point answer, by a call and not over the network.
 *
 * Refusing is the entry point's business too: it knows how. Where no node can be picked it is any node's.
 */
export function edge(request: Request, entry: EntryPoint, context: PlaneContext): Promise<Response> {
  const { plane } = context;
  const host = request.headers.get("host") ?? authorityOf(request.url);
  const routes = plane.tables.routes(context.waitUntil);
  const node =
    routes === null || routes instanceof Promise ? null : pickNode(plane, routes, entry.port, host, request);
  if (node !== null)
    return ingress(request, { ...entry, node: node === noNodeAtAll.id ? null : node }, context);
  return afterWaiting(request, entry, context, host, routes);
}

/** There is no table yet, or nothing in it that the request could be for: a fresher one may have it. */
async function afterWaiting(
  request: Request,
  entry: EntryPoint,
  context: PlaneContext,
  host: string,
  awaited: Routes | null | Promise<Routes | null>,
): Promise<Response> {
  const { plane } = context;
  const routes = await awaited;
  let node = routes === null ? null : pickNode(plane, routes, entry.port, host, request);
  if (node === null) {
    const fresh = await plane.tables.fresh();
    if (fresh !== null)
      node =
        pickNode(plane, fresh, entry.port, host, request) ??
        refusingNode(fresh, entry.port, host, plane.domain, request);
  }
  return ingress(request, { ...entry, node: node === noNodeAtAll.id ? null : node }, context);
}

/**
 * The id of the node that refuses a request for which none can be picked: any; or null where the operator took all that
 * could answer out of the balancer, so that none must.
 */
export function refusingNode(
  routes: Routes,
  port: number | null,
  host: string,
  domain: string,
  asked: Pick<Request, "url">,
): string | null {
  const matched = routes.match(port, host, domain, asked);
  const candidates =
    matched?.[0]?.mode === "host" ? matched.flatMap((route) => [...route.nodeIds()]) : routes.nodes;
  return matched !== null && candidates.length > 0 ? null : (routes.nodes[0] ?? null);
}

/**
 * The id of the next node in turn for what the request asks for; none (`noNodeAtAll`) where there is none to pick and
 * the balancer can send by itself; null when nothing is published there or no node can take it. A node that is down is
 * picked only when all are: its entry point is here, not on the node.
 *
 * @see docs/spec.md X5
 */
function pickNode(
  plane: DataPlane,
  routes: Routes,
  port: number | null,
  host: string,
  asked: Pick<Request, "url">,
): string | null {
  const matched = routes.match(port, host, plane.domain, asked);
  const route = matched?.[0];
  if (matched === null || route === undefined) return null;
  const able = ableNodes(matched, routes);
  const index = plane.cursors.next(route.edgeCursor, able);
  return able[index] ?? (needsNoNode(matched) ? noNodeAtAll.id : null);
}

/** Ids of the nodes that take turns for these routes, ascending; none where a host-mode service has no task. */
export function ableNodes(matched: readonly Route[], routes: Routes): readonly string[] {
  if (matched[0]?.mode === "host") return nodesWithTask(matched, routes);
  return routes.eligibleNodes;
}

/** Nodes with a task of services published in host mode, ascending, as far as the balancer picks them. */
function nodesWithTask(matched: readonly Route[], routes: Routes): readonly string[] {
  const ids = [...new Set(matched.flatMap((route) => [...route.nodeIds()]))].sort();
  return routes.eligible(ids);
}
