// Route hints: the parts of a request that decide its service and target: canary, sticky cookie, and the hash
// key, which is a header, the path or the client's address. Also chooses between a service and its canary.

import type { EntryPoint } from "../entry-point.ts";
import { cookieOf } from "../http/cookies.ts";
import type { DataPlane } from "../plane.ts";
import { inShare, wantsCanary } from "./canary.ts";
import { keyOf } from "./policies/policies.ts";
import type { EntryNode, Route, Routes } from "./routes.ts";
import { isSameCookie, taskOfCookie } from "./sticky.ts";
import type { Target, TargetPool } from "./target-pool.ts";

export type RouteHints = {
  /** The key that the policy hashes; null without one. */
  readonly key: string | null;
  /** The target that the request's sticky cookie names; null without a valid cookie. */
  readonly stickyTarget: Target | null;
  /** Name of the service's sticky cookie; null if it has none. */
  readonly stickyCookie: string | null;
  /** Name of the service that the request matched, if that service's canary gets it; else null. */
  readonly canaryOf: string | null;
};

/** The route that serves a request, and its target pool at one node. */
export type RouteChoice = {
  readonly route: Route;
  readonly pool: TargetPool;
  /** Null if the service's policy and options do not read the request. */
  readonly hints: RouteHints | null;
};

/** The parts of a request that hints are read from. */
export type HintSource = {
  readonly headers: Headers;
  readonly entry: EntryPoint;
  /** Path and query. */
  readonly path: string;
  readonly plane: DataPlane;
  /** [0, 1): the same for every table the request is routed by. */
  readonly draw: () => number;
};

/** Reads the hints and chooses a service or its canary. Async only to verify a cookie not seen before. */
export function chooseRoute(
  source: HintSource,
  routes: Routes,
  route: Route,
  node: EntryNode,
): RouteChoice | Promise<RouteChoice> {
  const canary = routes.canaryOf(route);
  const canaryPool = canary?.pool(node);
  const sides: Sides = {
    main: { route, pool: route.pool(node) },
    canary: canary && canaryPool && canaryPool.ids.length > 0 ? { route: canary, pool: canaryPool } : null,
  };
  const sticky = stickyTarget(source, sides);
  return sticky instanceof Promise
    ? sticky.then((verified) => choose(source, sides, verified))
    : choose(source, sides, sticky);
}

type Side = Pick<RouteChoice, "route" | "pool">;
type Sides = { readonly main: Side; readonly canary: Side | null };
type StickyTarget = { readonly side: Side; readonly target: Target };

/** The target that the request's cookie names, if the mesh signed the cookie and the target still exists. */
function stickyTarget(
  { headers, plane }: HintSource,
  { main, canary }: Sides,
): StickyTarget | null | Promise<StickyTarget | null> {
  const { sticky } = main.pool.rules;
  const key = plane.tables.cookieKey;
  const cookie = sticky === null || key === null ? null : cookieOf(headers.get("cookie"), sticky);
  if (cookie === null || key === null) return null;
  const id = taskOfCookie(cookie);
  for (const side of canary === null ? [main] : [main, canary]) {
    const target = side.pool.all.find(({ taskId }) => taskId === id);
    if (target === undefined) continue;
    const signed = plane.sticky.of(key, side.route.service.id, id);
    const verify = (value: string) => (isSameCookie(cookie, value) ? { side, target } : null);
    return signed instanceof Promise ? signed.then(verify) : verify(signed);
  }
  return null;
}

/** The canary's header or cookie decides first, then the sticky cookie, then the canary's share. */
function choose(source: HintSource, { main, canary }: Sides, sticky: StickyTarget | null): RouteChoice {
  const { headers, entry, path, draw } = source;
  const rule = main.route.service.options?.canary;
  const choice = canary === null || rule === undefined ? false : wantsCanary(rule, headers);
  const toCanary = choice ?? (sticky === null ? inShare(rule?.percent ?? 0, draw()) : sticky.side === canary);
  const side = toCanary && canary !== null ? canary : main;
  const { rules } = side.pool;
  const hints: RouteHints = {
    key: keyOf(rules.policy, entry.client, path, headers),
    stickyTarget: sticky?.side === side ? sticky.target : null,
    stickyCookie: main.pool.rules.sticky,
    canaryOf: side === main ? null : main.route.service.name,
  };
  return { ...side, hints };
}
