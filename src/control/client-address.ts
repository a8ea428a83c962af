// The address of a client of the control API, which may stand behind trusted proxies.

import { parseIp } from "../domain/model/cidr.ts";
import type { TrustsAddress } from "../proxy/http/trust.ts";

/**
 * The address that the nearest untrusted hop connected from: the peer of the connection, or the last address
 * in X-Forwarded-For that is not a trusted proxy's. Null if that is not an IP address.
 *
 * @param peer the address of the connection; null if unknown
 */
export function clientAddress(
  peer: string | null,
  forwardedFor: string | null,
  trusts: TrustsAddress,
): string | null {
  const claimed = (forwardedFor ?? "").split(",").map((address) => address.trim());
  let client = peer;
  while (client !== null && trusts(client)) {
    const next = claimed.pop() ?? "";
    client = next === "" ? null : next;
  }
  return client === null || parseIp(client) === null ? null : client;
}
