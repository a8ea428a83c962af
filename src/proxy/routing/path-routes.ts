// Takers: the services that take part of the requests that would go to others, by path and host name.

import { byPrecedence, matchesPath, type PathRule } from "../../domain/table/path-rule.ts";
import type { TableService } from "../../domain/table/table.ts";
import type { Route } from "./routes.ts";

/** One rule of one service. */
export type PathRoute = {
  readonly rule: PathRule;
  /** Where requests go that it holds for. */
  readonly route: readonly [Route];
  /** Name of the service it takes them from; null: from nobody, they are those of its host name. */
  readonly from: string | null;
};

/** The takers from one service, or those of host names; each list in the order it is looked through. */
type PathRouteGroup = { readonly anyHost: PathRoute[]; readonly byHost: Map<string, PathRoute[]> };

export class PathRoutes {
  readonly #byService = new Map<string | null, PathRouteGroup>();

  /** @param services with their routes by name; those that are not published take nothing */
  constructor(services: readonly (readonly [TableService, readonly [Route]])[]) {
    for (const [{ options }, route] of services) {
      const { at = [], rules = [] } = options?.paths ?? {};
      for (const rule of rules) {
        if (at.length === 0) this.#add({ rule, route, from: null });
        for (const service of at) this.#add({ rule, route, from: service });
      }
    }
    for (const { anyHost, byHost } of this.#byService.values()) {
      anyHost.sort(comparePrecedence);
      for (const [host, takers] of byHost) byHost.set(host, [...takers, ...anyHost].sort(comparePrecedence));
    }
  }

  /**
   * The rule that decides about a request; null where none holds.
   *
   * @param service name of the service that the request would go to
   * @param host lower case, without port
   * @param path may have its query after it
   * @param byName no published port led to the service, so that rules of host names count, too
   */
  find(service: string | null, host: string, path: string, byName: boolean): PathRoute | null {
    const taker = service === null ? null : this.#find(service, host, path);
    const named = byName ? this.#find(null, host, path) : null;
    if (taker === null || named === null) return taker ?? named;
    return comparePrecedence(named, taker) < 0 ? named : taker;
  }

  #find(service: string | null, host: string, path: string): PathRoute | null {
    const group = this.#byService.get(service);
    if (group === undefined) return null;
    const takers = group.byHost.get(host) ?? group.anyHost;
    return takers.find(({ rule }) => matchesPath(rule, path)) ?? null;
  }

  #add(taker: PathRoute): void {
    const { from, rule } = taker;
    const group = this.#byService.get(from) ?? { anyHost: [], byHost: new Map<string, PathRoute[]>() };
    this.#byService.set(from, group);
    if (rule.host === null) group.anyHost.push(taker);
    else group.byHost.set(rule.host, [...(group.byHost.get(rule.host) ?? []), taker]);
  }
}

function comparePrecedence(a: PathRoute, b: PathRoute): number {
  const [mine, other] = [a.route[0].service.name, b.route[0].service.name];
  return byPrecedence(a.rule, b.rule) || (mine < other ? -1 : mine > other ? 1 : 0);
}
