// A node's gateway: the one port through which the data plane reaches the node's tasks.

/** The ways to a gateway, the best first: its address, a private network, or a tunnel that its agent dials. */
export const transports = ["direct", "vpc", "tunnel"] as const;
export type Transport = (typeof transports)[number];

export function isTransport(text: string): text is Transport {
  return (transports as readonly string[]).includes(text);
}

/** The gateway as its agent reports it. */
export type NodeGateway = {
  readonly port: number;
  /** It serves TLS. */
  readonly tls: boolean;
};

/** How the mesh reaches a node's gateway, as the registry decided. */
export type NodeTransport = {
  readonly kind: Transport;
  /** Why it is not a better one, for people; empty for the best. */
  readonly reason: string;
};

/** The transports whose gateways are dialed at the node's address. */
export type DialedTransport = Exclude<Transport, "tunnel">;

/** What became of the last check whether the right gateway answers. */
export type GatewayCheck = {
  readonly transport: DialedTransport;
  readonly url: string;
  /** Why the gateway is not reached, for people; empty if it answered. */
  readonly problem: string;
};

/** The origin of a gateway at an address, as URL parsers write it: `https://node1.example.com:7946`. */
export function gatewayUrl(address: string, { port, tls }: NodeGateway): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return new URL(`${tls ? "https" : "http"}://${host}:${port}`).origin;
}
