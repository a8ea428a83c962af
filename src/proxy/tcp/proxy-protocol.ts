// The header of the PROXY protocol, by which a target learns the address of its client.
//
//   PROXY TCP4 203.0.113.7 10.0.0.2 51234 5432\r\n                                       version 1
//   0d 0a 0d 0a 00 0d 0a 51 55 49 54 0a 21 11 00 0c cb 00 71 07 …                        version 2

import { parseIp } from "../../domain/model/cidr.ts";
import type { ProxyProtocol } from "../../domain/table/tcp-options.ts";

/** One end of a client's connection. */
export type SocketAddress = { readonly address: string; readonly port: number };

/** Begins each header of version 2. */
const signature = [0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a];
/** Version 2, command PROXY. */
const versionAndCommand = 0x21;
const tcpOverIpv4 = 0x11;
const tcpOverIpv6 = 0x21;
const unspecified = 0x00;

/**
 * The header for a client's connection. Addresses of two families are both written as IPv6, as HAProxy does.
 *
 * @param client where the client connects from
 * @param local where it connects to
 * @see https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt
 */
export function proxyHeader(version: ProxyProtocol, client: SocketAddress, local: SocketAddress): Uint8Array {
  const ends = endsOf(client, local);
  return version === "v1" ? printV1(ends) : printV2(ends);
}

/** The bytes of both addresses, of equal length; null if one of them is not known. */
type Ends = {
  readonly client: readonly number[];
  readonly local: readonly number[];
  readonly ports: readonly [client: number, local: number];
} | null;

function endsOf(client: SocketAddress, local: SocketAddress): Ends {
  const [from, to] = [parseIp(withoutZone(client.address)), parseIp(withoutZone(local.address))];
  if (from === null || to === null) return null;
  const ports = [client.port, local.port] as const;
  if (from.length === to.length) return { client: from, local: to, ports };
  return { client: asIpv6(from), local: asIpv6(to), ports };
}

/** A link-local address has a zone on its own machine: `fe80::1%eth0`. */
function withoutZone(address: string): string {
  return address.split("%", 1)[0] ?? "";
}

function asIpv6(bytes: readonly number[]): readonly number[] {
  return bytes.length === 16 ? bytes : [...Array<number>(10).fill(0), 0xff, 0xff, ...bytes];
}

function printV1(ends: Ends): Uint8Array {
  if (ends === null) return new TextEncoder().encode("PROXY UNKNOWN\r\n");
  const family = ends.client.length === 4 ? "TCP4" : "TCP6";
  const text = [family, addressText(ends.client), addressText(ends.local), ...ends.ports].join(" ");
  return new TextEncoder().encode(`PROXY ${text}\r\n`);
}

function addressText(bytes: readonly number[]): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = bytes.flatMap((byte, at) => (at % 2 === 0 ? [(byte << 8) | (bytes[at + 1] ?? 0)] : []));
  return groups.map((group) => group.toString(16)).join(":");
}

function printV2(ends: Ends): Uint8Array {
  if (ends === null) return new Uint8Array([...signature, versionAndCommand, unspecified, 0, 0]);
  const family = ends.client.length === 4 ? tcpOverIpv4 : tcpOverIpv6;
  const ports = ends.ports.flatMap((port) => [port >> 8, port & 0xff]);
  const body = [...ends.client, ...ends.local, ...ports];
  return new Uint8Array([...signature, versionAndCommand, family, 0, body.length, ...body]);
}
