// The edge: the external load balancer. It differs from a node's ingress in one step: it picks the node.

import { type EntryMatch, proxy } from "../ingress/proxy.ts";
import { type ProxyRequest, receive } from "../ingress/proxy-request.ts";
import type { EntryPoint } from "../proxy/entry-point.ts";
import type { PlaneContext } from "../proxy/plane.ts";
import { type Routes, servesDirectly } from "../proxy/routing/routes.ts";

/**
 * Serves a request that came in at the edge: picks a node round robin, then does what that node's ingress
 * does. The ingress is a function call, not a network hop.
 */
export function edge(request: Request, entry: EntryPoint, context: PlaneContext): Promise<Response> {
  return proxy(receive(request, entry, context), matchAtEdge);
}

/** Picks the next node; `direct` when no node is eligible and the service needs none. @see docs/spec.md X5 */
function matchAtEdge(incoming: ProxyRequest, routes: Routes): EntryMatch {
  const match = routes.match(incoming);
  if (match === null) return { match, node: null };
  const { ids, nodes } = routes.eligibleFor(match);
  const node = nodes[incoming.plane.cursors.next(match.routes[0].edgeCursor, ids)];
  return { match, node: node ?? (servesDirectly(match) ? "direct" : null) };
}
