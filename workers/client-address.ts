// The address that a request comes from: of its connection, and of its client behind trusted proxies.

import { clientAddress } from "../src/control/client-address.ts";
import { readTrusted } from "../src/proxy/http/trust.ts";
import type { Env } from "./env.ts";

/**
 * The address of a request's client, which may be behind trusted proxies; null if it is unknown.
 *
 * @param peer the address of the connection; null if unknown
 */
export function clientOf(
  { headers }: Request,
  peer: string | null,
  { TRUSTED_PROXIES }: Pick<Env, "TRUSTED_PROXIES">,
): string | null {
  // A self-hosted workerd binds an unset variable as null.
  return clientAddress(peer, headers.get("x-forwarded-for"), readTrusted(TRUSTED_PROXIES ?? ""));
}

/** The address of the connection on Cloudflare, which sets the header on every request; null elsewhere. */
export function peerOnCloudflare({ headers }: Request): string | null {
  return headers.get("cf-connecting-ip");
}

/**
 * The address of the connection to a self-hosted workerd, which reports it as `203.0.113.7:38228` or
 * `[::ffff:203.0.113.7]:38228`; null elsewhere.
 */
export function peerOnWorkerd({ cf }: Request): string | null {
  const { clientIp } = (cf ?? {}) as { readonly clientIp?: string };
  const text = clientIp ?? "";
  if (!/:\d+$/.test(text)) return null;
  const address = text.slice(0, text.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
  return /^::ffff:([\d.]+)$/.exec(address)?.[1] ?? address;
}
