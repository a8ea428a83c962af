// The entry point of a URL: where a request for it reaches the mesh.

import type { RoutingTable } from "../domain/table/table.ts";
import type { ExplainedEntry } from "../protocol/route.ts";
import type { EntryPoint } from "../proxy/entry-point.ts";
import { hostName } from "../proxy/http/host.ts";
import { Routes } from "../proxy/routing/routes.ts";

/** The settings of a mesh that decide where a request comes in. */
export type EntrySettings = {
  /** The mesh's domain, lower case, or empty. */
  readonly domain: string;
  /** The edge's own port in a local mesh, where ports count; null on Cloudflare. */
  readonly balancerPort: number | null;
};

export type ResolvedEntry = Pick<EntryPoint, "role" | "node" | "port"> & Pick<ExplainedEntry, "why">;

/**
 * The entry point of a request for `url`: the given node's, that of the node with the URL's host name or
 * address, or else the edge.
 *
 * @param node id or name of a node; null if the URL decides
 */
export function resolveEntry(
  table: RoutingTable,
  url: URL,
  node: string | null,
  settings: EntrySettings,
): ResolvedEntry {
  const port = publishedPortOf(url, settings.balancerPort);
  if (node !== null) return { role: "ingress", node, port, why: "the query names this node" };
  const host = hostName(url.host);
  const entryNode = entryNodeOf(table, host, settings);
  if (entryNode !== null) return { role: "ingress", port, ...entryNode };
  return { role: "edge", node: null, port, why: `${host} belongs to no node` };
}

function entryNodeOf(
  table: RoutingTable,
  host: string,
  settings: EntrySettings,
): (Pick<ResolvedEntry, "why"> & { node: string }) | null {
  const suffix = `.nodes.${settings.domain}`;
  if (settings.domain !== "" && host.endsWith(suffix)) {
    return { node: host.slice(0, -suffix.length), why: `${host} is the host name of a node` };
  }
  const byHost = new Routes(table, settings.domain).nodeOfHost(host);
  if (byHost !== undefined) return { node: byHost.id, why: `${host} is a host name of ${byHost.name}` };
  if (settings.balancerPort === null) return null;
  // Nodes that share an address differ in their ports, which the table does not have.
  const [node, ...others] = table.nodes.filter(({ address }) => address === host);
  if (node === undefined || others.length > 0) return null;
  return { node: node.id, why: `${host} is the address of ${node.name}` };
}

/** The published port of a URL; null if the port says nothing. */
function publishedPortOf({ port, protocol }: URL, balancerPort: number | null): number | null {
  if (port === "" && balancerPort === null) return null;
  const urlPort = port === "" ? (protocol === "https:" ? 443 : 80) : Number(port);
  return urlPort === balancerPort ? null : urlPort;
}
