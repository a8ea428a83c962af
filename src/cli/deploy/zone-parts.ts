// What a mesh has in its zone: the names that lead to it, their routes, and the marks of what deploy has made.

import type { DnsRecord, FoundParts } from "./account.ts";
import { workerName } from "./mesh-workers.ts";
import type { DeploySettings } from "./settings.ts";

/** The address of records without an origin: the discard prefix of RFC 6666. */
export const originlessAddress = "100::";

/** Types of records that determine where requests for a name go. */
export const addressTypes: ReadonlySet<string> = new Set(["A", "AAAA", "CNAME"]);

/** The mark of records that deploy has made. */
export function recordMark({ name }: Pick<DeploySettings, "name">): string {
  return `made by waggle deploy for the mesh ${name}`;
}

/** The names that lead to the mesh: the control API's, and any below the domain. */
export function wantedNames({ controlHost, domain }: DeploySettings): readonly string[] {
  return [...(controlHost === null ? [] : [controlHost]), ...(domain === null ? [] : [`*.${domain}`])];
}

type WantedRoute = { readonly pattern: string; readonly worker: string };

/**
 * The routes of these names. In the split form the entry points of nodes have a Worker of their own, to which
 * `*-nodes.DOMAIN/*` leads: of two patterns the more specific one wins, and the edge serves these names as well.
 */
export function wantedRoutes(settings: DeploySettings): readonly WantedRoute[] {
  const { form, controlHost, domain } = settings;
  return [
    ...(controlHost === null
      ? []
      : [{ pattern: `${controlHost}/*`, worker: workerName(settings, "control") }]),
    ...(domain === null || form === "single"
      ? []
      : [{ pattern: `*-nodes.${domain}/*`, worker: workerName(settings, "ingress") }]),
    ...(domain === null ? [] : [{ pattern: `*.${domain}/*`, worker: workerName(settings, "edge") }]),
  ];
}

/** True if the control host leads to the mesh, or needs no names of a zone. */
export function isControlHostComplete(settings: DeploySettings, found: FoundParts): boolean {
  const { controlHost } = settings;
  if (controlHost === null) return true;
  const control = wantedRoutes(settings).find(({ pattern }) => pattern === `${controlHost}/*`);
  const hasRoute = found.routes.some(
    ({ pattern, script }) => pattern === control?.pattern && script === control.worker,
  );
  return hasRoute && recordsAt(found, controlHost).some(isRouteRecord);
}

/** True for a record that leads to a Worker's route, and to no other Worker's custom domain. */
export function isRouteRecord({ type, content, proxied, meta }: DnsRecord): boolean {
  const isOriginless = type === "AAAA" && content === originlessAddress && proxied === true;
  return isOriginless && meta?.origin_worker_id === undefined;
}

export function recordsAt({ records }: FoundParts, name: string): readonly DnsRecord[] {
  return records.filter((record) => record.name === name && addressTypes.has(record.type));
}
