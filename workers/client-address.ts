// The address of the client of a request that did not come through a listener.

import type { Env } from "./env.ts";

/**
 * The client's address as the platform states it; "unknown" on one machine behind the listener of the control
 * API. Only Cloudflare sets CF-Connecting-IP itself; elsewhere a client could choose it.
 */
export function clientAddress(request: Request, { MESH_MODE }: Pick<Env, "MESH_MODE">): string {
  const header = MESH_MODE === "edge" ? request.headers.get("cf-connecting-ip") : null;
  return connectedAddress(request) ?? header ?? "unknown";
}

/**
 * The address of the connection to a self-hosted workerd, which reports it as `203.0.113.7:38228` or
 * `[::ffff:203.0.113.7]:38228`; null elsewhere.
 */
export function connectedAddress({ cf }: Request): string | null {
  const { clientIp } = (cf ?? {}) as { readonly clientIp?: string };
  const text = clientIp ?? "";
  if (!/:\d+$/.test(text)) return null;
  const address = text.slice(0, text.lastIndexOf(":")).replace(/^\[(.*)\]$/, "$1");
  return /^::ffff:([\d.]+)$/.exec(address)?.[1] ?? address;
}
