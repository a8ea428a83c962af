// Trusted proxies: the addresses and networks whose forwarding headers are believed.

import { contains, type IpNetwork, parseIp, parseNetwork } from "../../domain/model/cidr.ts";

/** True for the address of a trusted proxy. */
export type TrustsAddress = (address: string) => boolean;

/**
 * Reads a list such as `10.0.0.0/8, 2001:db8::/32, 192.0.2.7`. With an empty list no address is trusted.
 *
 * @throws Error naming the entry that is neither an address nor a network
 */
export function readTrusted(list: string): TrustsAddress {
  const networks = list
    .split(",")
    .map((entry) => entry.trim())
    .filter((entry) => entry !== "")
    .map(requireNetwork);
  if (networks.length === 0) return () => false;
  return (address) => {
    const ip = parseIp(address);
    return ip !== null && networks.some((network) => contains(network, ip));
  };
}

function requireNetwork(entry: string): IpNetwork {
  const network = parseNetwork(entry);
  if (network !== null) return network;
  throw new Error(`cannot read trusted proxy "${entry}": write an address or a network, such as 10.0.0.0/8`);
}
