// The limits of a gateway's port.

/** Limit of a head, of a request and of a response: workerd's own. */
export const maxGatewayHeadBytes = 128 * 1024;

/** For a request head, from the connection or from its first byte; and for a TLS handshake. Milliseconds. */
export const gatewayHeadMs = 10_000;

/**
 * How long a router's connection may be idle, milliseconds. Longer than Cloudflare's 900 s, so that the router
 * ends it, and never sends a request on a connection that ends at the same moment.
 */
export const routerIdleMs = 960_000;

/** How long the rest of a body is read that is not wanted, so that no reset overtakes a response. Milliseconds. */
export const unwantedBodyMs = 1_000;
