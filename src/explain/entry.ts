// The way in: where a request for a URL reaches the mesh.

import type { RoutingTable } from "../domain/table/table.ts";
import type { ExplainedEntry } from "../protocol/route.ts";
import type { EntryPoint } from "../proxy/entry-point.ts";
import { hostName } from "../proxy/http/host.ts";
import { Routes } from "../proxy/routing/routes.ts";

/** What of its surroundings says where a request comes in. */
export type EntrySettings = {
  /** The mesh's domain, lower case, or empty. */
  readonly domain: string;
  /** On one machine nodes have addresses, every port counts, and this one is the balancer's own; null on Cloudflare. */
  readonly balancerPort: number | null;
};

export type ResolvedEntry = Pick<EntryPoint, "role" | "node" | "port"> & Pick<ExplainedEntry, "why">;

/**
 * Where a request for `url` comes in: at the node named, at the node whose host name or address the URL has, or else at
 * the balancer.
 *
 * @param node id or name of the node to ask; null leaves it to the URL
 */
export function resolveEntry(
  table: RoutingTable,
  url: URL,
  node: string | null,
  around: EntrySettings,
): ResolvedEntry {
  const port = publishedPortOf(url, around.balancerPort);
  if (node !== null) return { role: "ingress", node, port, why: "the node was named" };
  const host = hostName(url.host);
  const named = entryNodeOf(table, host, around);
  if (named === null)
    return { role: "edge", node: null, port, why: `${host} is no node's, so it is the balancer's` };
  return { role: "ingress", port, ...named };
}

function entryNodeOf(
  table: RoutingTable,
  host: string,
  around: EntrySettings,
): (Pick<ResolvedEntry, "why"> & { node: string }) | null {
  const suffix = `.nodes.${around.domain}`;
  if (around.domain !== "" && host.endsWith(suffix)) {
    return { node: host.slice(0, -suffix.length), why: `${host} is a node's own host name` };
  }
  const byHost = new Routes(table).nodeOfHost(host);
  if (byHost !== undefined) return { node: byHost.id, why: `${host} is a host name of ${byHost.name}` };
  if (around.balancerPort === null) return null;
  const there = table.nodes.filter(({ address }) => address === host);
  const [only] = there;
  // Nodes that share an address are told apart by their ports, which the table does not know.
  return only !== undefined && there.length === 1
    ? { node: only.id, why: `${host} is the address of ${only.name}` }
    : null;
}

/** The published port a URL asks for; null where it means nothing. */
function publishedPortOf({ port, protocol }: URL, balancerPort: number | null): number | null {
  if (port === "" && balancerPort === null) return null;
  const given = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  return given === balancerPort ? null : given;
}
