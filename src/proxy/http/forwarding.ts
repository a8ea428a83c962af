// Forwarding headers: what a request says to the task about where it came from, and whom to believe about that.

import type { EntryPoint } from "../entry-point.ts";
import { portOfHost } from "./host.ts";

/** The facts about its origin that a request brought along. */
export type ForwardedClaims = {
  readonly forwardedFor: string | null;
  readonly forwardedHost: string | null;
  readonly forwardedProto: string | null;
  readonly forwardedPort: string | null;
  readonly forwarded: string | null;
};

/**
 * Sets X-Forwarded-For, -Host, -Proto and Forwarded (RFC 7239), and X-Forwarded-Port where Host and scheme do not say
 * the port already: every header sent costs a proxied request some two percent of its time. A trusted proxy's claims
 * are kept, with the proxy itself added to the chains; anybody else's are replaced by what the entry knows.
 *
 * @param headers those of the outgoing request
 * @param host the Host the client sent, with its port
 * @param claims null where the client is not a trusted proxy
 * @see docs/spec.md X14-X17
 */
export function setForwarding(
  headers: Headers,
  entry: EntryPoint,
  host: string,
  claims: ForwardedClaims | null,
): void {
  const element = `for=${nodeName(entry.client)};host=${quoted(host)};proto=${entry.scheme}`;
  headers.set("x-forwarded-for", joined(claims?.forwardedFor, entry.client));
  headers.set("x-forwarded-host", claims?.forwardedHost ?? host);
  headers.set("x-forwarded-proto", claims?.forwardedProto ?? entry.scheme);
  const claimed = claims !== null && claims.forwardedPort !== null;
  if (!claimed && entry.port !== null && entry.port !== portOfHost(entry.scheme, host)) {
    headers.set("x-forwarded-port", String(entry.port));
  }
  headers.set("forwarded", joined(claims === null ? null : earlierElements(claims), element));
}

function joined(before: string | null | undefined, last: string): string {
  return before === null || before === undefined ? last : `${before}, ${last}`;
}

/** RFC 7239 §7.4: a proxy that only speaks X-Forwarded-For is translated, so that both chains name the same client. */
function earlierElements({ forwarded, forwardedFor }: ForwardedClaims): string | null {
  if (forwarded !== null || forwardedFor === null) return forwarded;
  return forwardedFor
    .split(",")
    .map((client) => `for=${nodeName(client.trim())}`)
    .join(", ");
}

/** RFC 7239 §6: an IPv6 address stands in brackets and quotes; what is no address is quoted. */
function nodeName(client: string): string {
  if (/^[0-9.]+$/.test(client)) return client;
  return /^[0-9A-Fa-f:.]+$/.test(client) ? `"[${client}]"` : quoted(client);
}

/** A token as it is, anything else as a quoted string. */
function quoted(text: string): string {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(text) ? text : `"${text.replaceAll(/["\\]/g, "\\$&")}"`;
}
