// The address that a client asked for, in the response that it gets.

import { isHost } from "../proxy/http/host.ts";
import { type AskedAddress, replaceTargetAddress } from "../proxy/http/target-address.ts";
import type { ForwardState } from "./forwarding.ts";
import type { ProxyRequest } from "./proxy-request.ts";

/** Replaces the address of the target that responded by the one that the client asked for. */
export function showAskedAddress(headers: Headers, incoming: ProxyRequest, { target }: ForwardState): void {
  // A task behind a gateway got the Host that the client sent.
  if (target?.origin) replaceTargetAddress(headers, target.origin, askedAddress(incoming));
}

/** By the client's Host and connection, or by what a trusted proxy states about the first client. */
function askedAddress({ head, host, entry, plane }: ProxyRequest): AskedAddress {
  const asked = { scheme: entry.scheme, host };
  if (!plane.trusts(entry.client)) return asked;
  const claimedHost = firstOf(head.forwardedHost);
  const claimedScheme = firstOf(head.forwardedProto).toLowerCase();
  return {
    scheme: claimedScheme === "https" || claimedScheme === "http" ? claimedScheme : asked.scheme,
    host: isHost(claimedHost) ? claimedHost : asked.host,
  };
}

function firstOf(list: string | null): string {
  return list?.split(",", 1)[0]?.trim() ?? "";
}
