// The policies by name: the function of each, and the key that it hashes.

import { hashedField, type Policy } from "../../../domain/table/policy.ts";
import { cookieOf } from "../../http/cookies.ts";
import { byHash } from "./hash.ts";
import type { PickPolicy } from "./pick-policy.ts";
import { randomOfTwo } from "./random.ts";
import { roundRobin } from "./roundrobin.ts";

/** Least connections: the target with the fewest open requests for its weight; round robin between equals. */
const leastConn: PickPolicy = (context) => {
  const { targets, isAvailable, weight, open } = context;
  const loadOf = (index: number) => open(index) / weight(index);
  let minLoad = Number.POSITIVE_INFINITY;
  for (let index = 0; index < targets.length; index += 1) {
    if (isAvailable(index)) minLoad = Math.min(minLoad, loadOf(index));
  }
  return roundRobin({ ...context, isAvailable: (index) => isAvailable(index) && loadOf(index) <= minLoad });
};

const unhashedPolicies: Readonly<Record<string, PickPolicy>> = {
  roundrobin: roundRobin,
  leastconn: leastConn,
  random: randomOfTwo,
};

/** The function of a policy. All policies but three hash a key. */
export function policyFunction(policy: Policy): PickPolicy {
  return unhashedPolicies[policy] ?? byHash;
}

/** True if a policy compares open requests. */
export function countsOpen(policy: Policy): boolean {
  return policy === "leastconn" || policy === "random";
}

/** True if a policy hashes some part of the request. */
export function usesRequest(policy: Policy): boolean {
  return !(policy in unhashedPolicies);
}

/**
 * The key that a policy hashes; null if it hashes none or the request does not have it.
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
  const field = hashedField(policy);
  if (field === null) return null;
  return field.kind === "hdr" ? headers.get(field.name) : cookieOf(headers.get("cookie"), field.name);
}
