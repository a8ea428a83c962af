// The entry of a URL: where a request for it reaches the mesh.

import type { RoutingTable } from "../domain/table/table.ts";
import type { ExplainedEntry } from "../protocol/route.ts";
import type { EntryPoint } from "../proxy/entry-point.ts";
import { hostName } from "../proxy/http/host.ts";
import { Routes } from "../proxy/routing/routes.ts";

/** How a mesh is set up, as far as it determines where a request comes in. */
export type EntrySettings = {
  /** The mesh's domain, lower case, or empty. */
  readonly domain: string;
  /** On one machine nodes have addresses, every port counts, and this one is the edge's own; null on Cloudflare. */
  readonly balancerPort: number | null;
};

export type ResolvedEntry = Pick<EntryPoint, "role" | "node" | "port"> & Pick<ExplainedEntry, "why">;

/**
 * Where a request for `url` comes in: at the named node, at the node whose host name or address the URL has, or else at
 * the edge.
 *
 * @param node id or name of a node; null leaves it to the URL
 */
export function resolveEntry(
  table: RoutingTable,
  url: URL,
  node: string | null,
  settings: EntrySettings,
): ResolvedEntry {
  const port = publishedPortOf(url, settings.balancerPort);
  if (node !== null) return { role: "ingress", node, port, why: "the node was named" };
  const host = hostName(url.host);
  const named = entryNodeOf(table, host, settings);
  if (named === null)
    return { role: "edge", node: null, port, why: `${host} is no node's, so it is the balancer's` };
  return { role: "ingress", port, ...named };
}

function entryNodeOf(
  table: RoutingTable,
  host: string,
  settings: EntrySettings,
): (Pick<ResolvedEntry, "why"> & { node: string }) | null {
  const suffix = `.nodes.${settings.domain}`;
  if (settings.domain !== "" && host.endsWith(suffix)) {
    return { node: host.slice(0, -suffix.length), why: `${host} is a node's own host name` };
  }
  const byHost = new Routes(table).nodeOfHost(host);
  if (byHost !== undefined) return { node: byHost.id, why: `${host} is a host name of ${byHost.name}` };
  if (settings.balancerPort === null) return null;
  const atAddress = table.nodes.filter(({ address }) => address === host);
  const [only] = atAddress;
  // Nodes that share an address are told apart by their ports, which the table does not know.
  return only !== undefined && atAddress.length === 1
    ? { node: only.id, why: `${host} is the address of ${only.name}` }
    : null;
}

/** The published port of a URL; null where the port means nothing. */
function publishedPortOf({ port, protocol }: URL, balancerPort: number | null): number | null {
  if (port === "" && balancerPort === null) return null;
  const urlPort = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  return urlPort === balancerPort ? null : urlPort;
}
