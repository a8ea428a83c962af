// The address of the connection of a request that did not come through a listener.

/** The client's address on Cloudflare, which sets the header on every request; null elsewhere. */
export function peerOnCloudflare({ headers }: Request): string | null {
  return headers.get("cf-connecting-ip");
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
