// Path routes: rules that send part of a service's or host name's requests to another service, by path.

import { normalPrefix } from "../../domain/model/normal-path.ts";
import { byPrecedence, matchesPath, type PathRule } from "../../domain/table/path-rule.ts";
import type { Route } from "./routes.ts";

/** One path rule of one service. */
export type PathRoute = {
  /** Its path is in the form in which requests are compared: `/%7Bid%7D` for `/{id}`. */
  readonly rule: PathRule;
  /** The route of the requests that match the rule. */
  readonly route: Route;
  /** Name of the service whose requests the rule takes; null if it takes those of its host name. */
  readonly from: string | null;
};

/** The path routes of one service's requests, or of all host names; each list in order of precedence. */
type PathRouteGroup = { readonly anyHost: PathRoute[]; readonly byHost: Map<string, PathRoute[]> };

/** @see docs/decisions/0053-path-rules.md */
export class PathRoutes {
  readonly #byService = new Map<string | null, PathRouteGroup>();

  /** @param routes one route of each service that has path rules */
  constructor(routes: readonly Route[]) {
    for (const route of routes) {
      const { at = [], rules = [] } = route.service.options?.paths ?? {};
      for (const written of rules) {
        const rule = { ...written, path: normalPrefix(written.path) };
        if (at.length === 0) this.#add({ rule, route, from: null });
        for (const service of at) this.#add({ rule, route, from: service });
      }
    }
    for (const { anyHost, byHost } of this.#byService.values()) {
      anyHost.sort(comparePrecedence);
      for (const [host, ownRoutes] of byHost)
        byHost.set(host, [...ownRoutes, ...anyHost].sort(comparePrecedence));
    }
  }

  /**
   * The path route with the highest precedence that matches a request; null if none does.
   *
   * @param service name of the service that the request matched; null if it matched none
   * @param host lower case, without port
   * @param path as `pathOf` returns it, with or without a query
   * @param isMatchedByName no published port decided, so that rules of host names apply as well
   */
  find(service: string | null, host: string, path: string, isMatchedByName: boolean): PathRoute | null {
    const ofService = service === null ? null : this.#find(service, host, path);
    const ofHost = isMatchedByName ? this.#find(null, host, path) : null;
    if (ofService === null || ofHost === null) return ofService ?? ofHost;
    return comparePrecedence(ofHost, ofService) < 0 ? ofHost : ofService;
  }

  /** True if `find` compares the paths of a service's requests with rules. Its arguments are those of `find`. */
  hasRules(service: string | null, isMatchedByName: boolean): boolean {
    return (
      (service !== null && this.#byService.has(service)) || (isMatchedByName && this.#byService.has(null))
    );
  }

  #find(service: string | null, host: string, path: string): PathRoute | null {
    const group = this.#byService.get(service);
    if (group === undefined) return null;
    const pathRoutes = group.byHost.get(host) ?? group.anyHost;
    return pathRoutes.find(({ rule }) => matchesPath(rule, path)) ?? null;
  }

  #add(pathRoute: PathRoute): void {
    const { from, rule } = pathRoute;
    const group = this.#byService.get(from) ?? { anyHost: [], byHost: new Map<string, PathRoute[]>() };
    this.#byService.set(from, group);
    if (rule.host === null) group.anyHost.push(pathRoute);
    else group.byHost.set(rule.host, [...(group.byHost.get(rule.host) ?? []), pathRoute]);
  }
}

function comparePrecedence(a: PathRoute, b: PathRoute): number {
  const [first, second] = [a.route.service.name, b.route.service.name];
  return byPrecedence(a.rule, b.rule) || (first < second ? -1 : first > second ? 1 : 0);
}
