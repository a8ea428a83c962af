// The policies by name: how each picks, and what it has to be told of a request.

import { hashedField, type Policy } from "../../../domain/table/policy.ts";
import { cookieOf } from "../../http/cookies.ts";
import { byHash } from "./hash.ts";
import { leastConn } from "./leastconn.ts";
import type { PickPolicy as PickTarget } from "./pick-policy.ts";
import { randomOfTwo } from "./random.ts";
import { roundRobin } from "./roundrobin.ts";

const picks: Readonly<Record<string, PickTarget>> = {
  roundrobin: roundRobin,
  leastconn: leastConn,
  random: randomOfTwo,
};

/** All others hash. */
export function pickOf(policy: Policy): PickTarget {
  return picks[policy] ?? byHash;
}

/** True where a policy goes by open requests. */
export function countsOpen(policy: Policy): boolean {
  return policy === "leastconn" || policy === "random";
}

/**
 * What a policy hashes of a request; null where it hashes nothing, or the request does not have it.
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
