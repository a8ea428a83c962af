// A wish: what a request itself has to say about which task it goes to, where its service asks: the side of a canary, the
// task its sticky cookie names, the key a policy hashes.

import type { EntryPoint } from "../entry-point.ts";
import { cookieOf } from "../http/cookies.ts";
import type { DataPlane } from "../plane.ts";
import { inShare, saysCanary } from "./canary.ts";
import { keyOf } from "./policies/policies.ts";
import type { Route, Routes } from "./routes.ts";
import { isSameCookie, taskOfCookie } from "./sticky.ts";
import type { Target, TargetPool } from "./target-pool.ts";

export type RouteHints = {
  /** What the policy hashes; null: nothing. */
  readonly key: string | null;
  /** The task its cookie names. */
  readonly kept: Target | null;
  /** Name of the cookie that the mesh takes for its own; null: clients do not stay. */
  readonly sticky: string | null;
  /** Name of the service that the request was for, where its canary gets it. */
  readonly canaryOf: string | null;
};

/** Where a request goes by its wish; null: it has none, and its service does not ask. */
export type ChosenRoute = {
  readonly route: Route;
  readonly ring: TargetPool;
  readonly wish: RouteHints | null;
};

/** What of a request a wish is read from. */
export type Wishing = {
  readonly request: Request;
  readonly entry: EntryPoint;
  /** Path and query. */
  readonly path: string;
  readonly plane: DataPlane;
  /** [0, 1); null until the first. The same for all that is drawn for the request, also with another table. */
  draw: number | null;
};

/** Whether a service goes by nothing that a request says: the usual case, kept cheap. */
export function needsNoHints({ route, ring }: Side): boolean {
  const { options } = route.service;
  return (
    ring.isSimple && (options === undefined || (options.sticky === undefined && options.canary === undefined))
  );
}

/** Waits only where a cookie is to be checked that this isolate has not seen yet. */
export function chooseRoute(
  wishing: Wishing,
  routes: Routes,
  first: { readonly route: Route; readonly ring: TargetPool },
  nodeId: string,
): ChosenRoute | Promise<ChosenRoute> {
  const { route } = first;
  const canary = routes.canaryOf(route);
  const canaryRing = canary?.pool(nodeId);
  const sides: Sides = {
    main: first,
    canary:
      canary === null || canaryRing === undefined || canaryRing.ids.length === 0
        ? null
        : { route: canary, ring: canaryRing },
  };
  const named = namedTask(wishing, sides);
  return named instanceof Promise
    ? named.then((known) => decide(wishing, sides, known))
    : decide(wishing, sides, named);
}

type Side = { readonly route: Route; readonly ring: TargetPool };
type Sides = { readonly main: Side; readonly canary: Side | null };
type NamedTarget = { readonly side: Side; readonly target: Target };

/** The task that the client's cookie names, if it was signed by the mesh and is still there. */
function namedTask(
  { request, plane }: Wishing,
  { main, canary }: Sides,
): NamedTarget | null | Promise<NamedTarget | null> {
  const { sticky } = main.ring.rules;
  const secret = plane.tables.cookieKey;
  const given = sticky === null || secret === null ? null : cookieOf(request.headers.get("cookie"), sticky);
  if (given === null || secret === null) return null;
  const id = taskOfCookie(given);
  for (const side of canary === null ? [main] : [main, canary]) {
    const target = side.ring.all.find(({ taskId }) => taskId === id);
    if (target === undefined) continue;
    const made = plane.sticky.of(secret, side.route.service.id, id);
    const checked = (value: string) => (isSameCookie(given, value) ? { side, target } : null);
    return made instanceof Promise ? made.then(checked) : checked(made);
  }
  return null;
}

/** What the request says comes first, then where its client stays, then the canary's share. */
function decide(wishing: Wishing, { main, canary }: Sides, named: NamedTarget | null): ChosenRoute {
  const { request, entry, path, plane } = wishing;
  const share = main.route.service.options?.canary;
  const said = canary === null || share === undefined ? false : saysCanary(share, request.headers);
  wishing.draw ??= plane.random();
  const toCanary =
    said ?? (named === null ? inShare(share?.percent ?? 0, wishing.draw) : named.side === canary);
  const side = toCanary && canary !== null ? canary : main;
  const { route, ring } = side;
  const wish: RouteHints = {
    key: keyOf(ring.rules.policy, entry.client, path, request.headers),
    kept: named?.side === side ? named.target : null,
    sticky: main.ring.rules.sticky,
    canaryOf: side === main ? null : main.route.service.name,
  };
  return { route, ring, wish };
}
