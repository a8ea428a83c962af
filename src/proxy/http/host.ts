// Host name, port, scheme and path of an incoming request.

import { mayChangeInUrl, normalPath } from "../../domain/model/normal-path.ts";
import type { EntryPoint } from "../entry-point.ts";

/** True if a Host header is a host name or address with an optional port. */
export function isHost(text: string): boolean {
  return /^(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/.test(text);
}

/** The reason for refusing a Host header that is not. */
export const unreadableHost = "the Host header cannot be read as a host name and a port";

/** The host name in a Host header: lower case, without port and final dot. */
export function hostName(host: string): string {
  const colon = host.lastIndexOf(":");
  const name = colon > host.lastIndexOf("]") ? host.slice(0, colon) : host;
  return (name.endsWith(".") ? name.slice(0, -1) : name).toLowerCase();
}

/** The default port of each scheme. */
export const defaultPorts: Record<EntryPoint["scheme"], number> = { http: 80, https: 443 };

/** The port of a Host header, or its scheme's default port. */
export function portOfHost(scheme: EntryPoint["scheme"], host: string): number {
  const colon = host.lastIndexOf(":");
  if (colon > host.lastIndexOf("]")) return Number(host.slice(colon + 1));
  return defaultPorts[scheme];
}

/** The scheme of an incoming request's URL. */
export function schemeOf(url: string): EntryPoint["scheme"] {
  return url.startsWith("https:") ? "https" : "http";
}

/**
 * Host and port in the URL of an incoming request, which is scheme, "://", Host and request target joined.
 * Parsing it with `URL` would cost two percent of a proxied request's time.
 */
export function authorityOf(url: string): string {
  const start = url.indexOf("//") + 2;
  const slash = url.indexOf("/", start);
  return url.slice(start, slash < 0 ? undefined : slash);
}

/**
 * Path and query in the URL of an incoming request, as `fetch` sends them; empty if it has none, as in
 * `OPTIONS *`. In workerd the URL has the request target as sent, on Cloudflare it is normalized already.
 *
 * @see docs/spec.md X120
 */
export function pathOf(url: string): string {
  // "https://" has 8 characters.
  const slash = url.indexOf("/", 8);
  const path = slash < 0 ? "" : url.slice(slash);
  // The test costs a thirtieth of parsing a URL.
  return mayChangeInUrl.test(path) ? normalPath(path) : path;
}

/**
 * The target that a gateway passes on for a path that was normalized: as it was sent. `\`, a fragment and bytes
 * above 127, which RFC 9112 does not allow, are sent as they were compared.
 *
 * @param path as `pathOf` returns it
 */
export function rawTargetOf(url: string, path: string): string {
  const raw = url.slice(url.indexOf("/", 8));
  return /[^!-~]|[\\#]/.test(raw) ? path : raw;
}

/** True if a target has `.` or `..` as a segment, also percent-encoded. */
export function hasDotSegment(target: string): boolean {
  return /\/(?:\.|%2e){1,2}(?:[/?]|$)/i.test(target.split("?", 1)[0] as string);
}
