// The policies by name: how each picks, and what it reads of a request.

import { hashedField, type Policy } from "../../../domain/table/policy.ts";
import { cookieOf } from "../../http/cookies.ts";
import { byHash } from "./hash.ts";
import { leastConn } from "./leastconn.ts";
import type { PickPolicy } from "./pick-policy.ts";
import { randomOfTwo } from "./random.ts";
import { roundRobin } from "./roundrobin.ts";

const picks: Readonly<Record<string, PickPolicy>> = {
  roundrobin: roundRobin,
  leastconn: leastConn,
  random: randomOfTwo,
};

/** The function of a policy; a policy without one of its own hashes. */
export function pickOf(policy: Policy): PickPolicy {
  return picks[policy] ?? byHash;
}

/** Whether a policy goes by open requests. */
export function countsOpen(policy: Policy): boolean {
  return policy === "leastconn" || policy === "random";
}

/** Whether a policy reads the request: it hashes some part of it. */
export function usesRequest(policy: Policy): boolean {
  return !(policy in picks);
}

/**
 * What a policy hashes of a request; null where it hashes nothing or the request lacks it.
 *
 * @param path path and query
 */
export function keyOf(
  policy: Policy,
  client: string,
  path: string,
  headers: Pick<Headers, "get">,
): string | null {
  if (policy === "source") return client;
  if (policy === "uri") return path.split("?", 1)[0] ?? "";
  const named = hashedField(policy);
  if (named === null) return null;
  return named.kind === "hdr" ? headers.get(named.name) : cookieOf(headers.get("cookie"), named.name);
}
