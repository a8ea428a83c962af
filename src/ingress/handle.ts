// The ingress: the entry point of one node.

import type { EntryPoint } from "../proxy/entry-point.ts";
import type { PlaneContext } from "../proxy/plane.ts";
import type { Routes } from "../proxy/routing/routes.ts";
import { type EntryMatch, proxy } from "./proxy.ts";
import { type ProxyRequest, receive } from "./proxy-request.ts";

/** Serves a request that came in at the node `entry.node`. See `proxy`. */
export function ingress(request: Request, entry: EntryPoint, context: PlaneContext): Promise<Response> {
  return proxy(receive(request, entry, context), matchAtNode);
}

function matchAtNode(incoming: ProxyRequest, routes: Routes): EntryMatch {
  const match = routes.match(incoming);
  const { node } = incoming.entry;
  return { match, node: node === null ? null : (routes.node(node) ?? null) };
}
