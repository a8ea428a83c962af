// The paths of the dashboard's pages.

import type { MeshNode } from "../domain/model/node.ts";
import type { AdminTarget } from "../registry/api.ts";

export const pagePaths = {
  overview: "/dashboard/",
  services: "/dashboard/services",
  createService: "/dashboard/create-service",
  nodes: "/dashboard/nodes",
  routing: "/dashboard/routing",
  events: "/dashboard/events",
  signIn: "/dashboard/sign-in",
} as const;

export function servicePath(name: string): string {
  return `${pagePaths.services}/${encodeURIComponent(name)}`;
}

export function taskPath(id: string): string {
  return `/dashboard/tasks/${id}`;
}

/** The page of a node, by host name; by id if a down node and its successor share the name. */
export function nodePath({ id, hostname }: MeshNode, nodes: readonly MeshNode[]): string {
  const isShared = nodes.filter((node) => node.hostname === hostname).length > 1;
  return `${pagePaths.nodes}/${encodeURIComponent(isShared ? id : hostname)}`;
}

/** The page that confirms a change of admin state. */
export function adminPath({ kind, ref }: AdminTarget): string {
  return `/dashboard/${kind}s/${ref}/admin`;
}
