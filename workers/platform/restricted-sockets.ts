// `connect` of a Worker under the platform's rules, in the place of the one of `cloudflare:sockets`: public addresses
// only, and no mail. src/local/bundle.ts puts it there.
//
// The names that stand for public DNS lead to this machine. A certificate is then verified for an address and not for
// the name, so TLS to them fails.

import { connect as runtimeConnect } from "cloudflare:sockets";
import { parseIp } from "../../src/domain/model/cidr.ts";
import { isProhibited } from "../../src/local/platform/outbound.ts";
import { resolveTestName } from "../../src/local/platform/test-names.ts";

const mailPort = 25;

/** @throws Error for an address that no Worker reaches */
export function connect(address: SocketAddress, options: SocketOptions): Socket {
  const { hostname, port } = address;
  const isPrivate = parseIp(hostname) !== null && isProhibited(hostname);
  if (isPrivate || port === mailPort)
    throw new Error("proxy request failed, cannot connect to the specified address");
  return runtimeConnect({ ...address, hostname: resolveTestName(hostname)?.address ?? hostname }, options);
}
