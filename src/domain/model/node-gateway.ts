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

/** A node's gateway and the way to it, for people. */
export type NodeReach = {
  readonly transport: Transport;
  /** Where the gateway would be dialed; a tunnel does not use it. */
  readonly url: string;
  /** Why the transport is not a better one, or why the gateway does not answer; empty if all is well. */
  readonly reason: string;
};

/** How the mesh reaches a node; null before its agent was accepted, and if the mesh has no way to it. */
export function nodeReach(node: {
  readonly address: string;
  readonly gateway?: NodeGateway;
  readonly transport?: NodeTransport;
}): NodeReach | null {
  const { address, gateway, transport } = node;
  if (gateway === undefined || transport === undefined) return null;
  return { transport: transport.kind, url: gatewayUrl(address, gateway), reason: transport.reason };
}

/** Why a node's gateway does not answer where the mesh dials it; empty if it does, or is not dialed. */
export function unreachedReason(node: {
  readonly transport?: NodeTransport;
  readonly gatewayCheck?: GatewayCheck;
}): string {
  const { transport, gatewayCheck } = node;
  return gatewayCheck?.transport === transport?.kind && gatewayCheck?.problem === transport?.reason
    ? (gatewayCheck?.problem ?? "")
    : "";
}

/** The origin of a gateway at an address, as URL parsers write it: `https://node1.example.com:7946`. */
export function gatewayUrl(address: string, { port, tls }: NodeGateway): string {
  const host = address.includes(":") ? `[${address}]` : address;
  return new URL(`${tls ? "https" : "http"}://${host}:${port}`).origin;
}
