// Forwarding headers: X-Forwarded-* and Forwarded give a task the client's address, host and scheme.

import type { EntryPoint } from "../entry-point.ts";
import { portOfHost } from "./host.ts";

/** The forwarding headers of the incoming request. */
export type ForwardedClaims = {
  readonly forwardedFor: string | null;
  readonly forwardedHost: string | null;
  readonly forwardedProto: string | null;
  readonly forwardedPort: string | null;
  readonly forwarded: string | null;
};

/**
 * Sets X-Forwarded-For, -Host, -Proto and Forwarded (RFC 7239). X-Forwarded-Port is set only if Host and
 * scheme do not imply the port, because each header costs about two percent of a proxied request's time. A
 * trusted proxy's headers are kept and the proxy is added to the chains; those of any other client are
 * replaced.
 *
 * @param headers the headers of the upstream request
 * @param host the Host the client sent, with its port
 * @param claims null if the client is not a trusted proxy
 * @see docs/spec.md X14-X17
 */
export function setForwarding(
  headers: Headers,
  entry: EntryPoint,
  host: string,
  claims: ForwardedClaims | null,
): void {
  const element = `for=${nodeName(entry.client)};host=${quoted(host)};proto=${entry.scheme}`;
  const earlierClients = claims?.forwardedFor ?? null;
  const earlier = claims === null ? null : earlierElements(claims);
  headers.set(
    "x-forwarded-for",
    earlierClients === null ? entry.client : `${earlierClients}, ${entry.client}`,
  );
  headers.set("x-forwarded-host", claims?.forwardedHost ?? host);
  headers.set("x-forwarded-proto", claims?.forwardedProto ?? entry.scheme);
  const hasPort = claims !== null && claims.forwardedPort !== null;
  if (!hasPort && entry.port !== null && entry.port !== portOfHost(entry.scheme, host)) {
    headers.set("x-forwarded-port", String(entry.port));
  }
  headers.set("forwarded", earlier === null ? element : `${earlier}, ${element}`);
}

/** Forwarded as received, else X-Forwarded-For translated (RFC 7239 §7.4), so that both name one client. */
function earlierElements({ forwarded, forwardedFor }: ForwardedClaims): string | null {
  if (forwarded !== null || forwardedFor === null) return forwarded;
  return forwardedFor
    .split(",")
    .map((client) => `for=${nodeName(client.trim())}`)
    .join(", ");
}

/** A node identifier (RFC 7239 §6): IPv6 is in brackets and quotes; anything but an address is quoted. */
function nodeName(client: string): string {
  if (/^[0-9.]+$/.test(client)) return client;
  return /^[0-9A-Fa-f:.]+$/.test(client) ? `"[${client}]"` : quoted(client);
}

/** A token unchanged, any other text as a quoted string. */
function quoted(text: string): string {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
