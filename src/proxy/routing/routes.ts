// An index of the routing table: finds the routes that a request matches, and the nodes that may serve it.
//
// Built once per table version. A target pool is built when its route is first used, so that a request does
// not pay for the size of the table.

import type { PublishMode } from "../../domain/model/service.ts";
import type { RoutingTable, TableGateway, TableNode, TableService } from "../../domain/table/table.ts";
import { isTcpService } from "../../domain/table/tcp-options.ts";
import { hostName } from "../http/host.ts";
import { type PathRoute, PathRoutes } from "./path-routes.ts";
import { usesRequest } from "./policies/policies.ts";
import { poolOf, rulesOf, type TargetPool, targetsOf } from "./target-pool.ts";

/** The parts of a request that its route depends on. */
export type RouteQuery = {
  /** The published port it came in on; null if the port says nothing and the host name decides. */
  readonly port: number | null;
  /** The Host header as sent, with its port. */
  readonly host: string;
  /** Path and query as targets get them. Read only if some service has path rules. */
  readonly path: string;
};

/** The routes a request matches. */
export type RouteMatch = {
  /** More than one only if services share a port in host mode, each on its own nodes. */
  readonly routes: readonly [Route, ...Route[]];
  /** The path rule that the request matches; null without one. */
  readonly pathRoute: PathRoute | null;
};

/**
 * The node whose entry point serves a request; `direct` if the edge sends to static servers without a node.
 */
export type EntryNode = TableNode | "direct";

/** Nodes that the edge picks from, ascending by id. */
export type NodePool = { readonly ids: readonly string[]; readonly nodes: readonly TableNode[] };

/** The gateway of a node by its id. */
type GatewayOf = (nodeId: string) => TableGateway | undefined;

/** One published port of one service. */
export class Route {
  readonly service: TableService;
  readonly targetPort: number;
  readonly mode: PublishMode;
  /** The policy, a sticky cookie or a canary reads the request. */
  readonly usesRequest: boolean;
  /** Name of the cursor over nodes at the edge. Built once: a new string would be hashed for each request. */
  readonly edgeCursor: string;
  readonly #cursors = new Map<EntryNode, string>();
  readonly #gatewayOf: GatewayOf;
  #loopMark: string | null = null;
  #pool: TargetPool | null = null;
  #poolByNode: ReadonlyMap<string, TargetPool> | null = null;

  constructor(service: TableService, target: number, mode: PublishMode, gatewayOf: GatewayOf) {
    this.#gatewayOf = gatewayOf;
    const { options, policy } = service;
    this.service = service;
    this.targetPort = target;
    this.mode = mode;
    this.usesRequest = usesRequest(policy) || options?.sticky !== undefined || options?.canary !== undefined;
    this.edgeCursor = `edge ${service.id} ${target}`;
  }

  /** Name of the cursor over targets at a node's entry point. */
  cursorAt(node: EntryNode): string {
    const known = this.#cursors.get(node);
    if (known !== undefined) return known;
    const cursor = `${node === "direct" ? node : node.id} ${this.service.id} ${this.targetPort}`;
    this.#cursors.set(node, cursor);
    return cursor;
  }

  /** This hop's loop mark, `my-web.waggle`. */
  loopMark(meshName: string): string {
    this.#loopMark ??= `${this.service.name}.${meshName}`;
    return this.#loopMark;
  }

  /** The targets that a node's entry point may send to; in host mode only the node's own tasks. */
  pool(node: EntryNode): TargetPool {
    if (this.mode === "host") return (node !== "direct" && this.#poolsByNode().get(node.id)) || emptyPool;
    this.#pool ??= poolOf(targetsOf(this.service, this.targetPort, this.#gatewayOf), rulesOf(this.service));
    return this.#pool;
  }

  /** Ids of the nodes that have a task of it. */
  nodeIds(): Iterable<string> {
    return this.#poolsByNode().keys();
  }

  #poolsByNode(): ReadonlyMap<string, TargetPool> {
    if (this.#poolByNode !== null) return this.#poolByNode;
    // A static server is on no node.
    const onNodes = targetsOf(this.service, this.targetPort, this.#gatewayOf).filter(
      ({ server }) => server === null,
    );
    const rules = rulesOf(this.service);
    const pools = [...Map.groupBy(onNodes, ({ nodeId }) => nodeId)].map(
      ([nodeId, targets]) => [nodeId, poolOf(targets, rules)] as const,
    );
    this.#poolByNode = new Map(pools.filter(([, { ids }]) => ids.length > 0));
    return this.#poolByNode;
  }
}

const emptyPool: TargetPool = poolOf([]);

/** A routing table, indexed. */
export class Routes {
  readonly version: number;
  /** Id of the key that attempts at gateways are signed with; null: attempts cannot be signed. */
  readonly signingKey: string | null;
  /** Ids of all nodes, ascending. */
  readonly nodeIds: readonly string[];
  /** The nodes that the edge picks from. */
  readonly eligibleNodes: NodePool;
  /** True if a service has static servers. */
  readonly hasServers: boolean;
  readonly #domain: string;
  readonly #nodeById = new Map<string, TableNode>();
  readonly #nodeByName = new Map<string, TableNode>();
  readonly #nodeByHost = new Map<string, TableNode>();
  readonly #byPort = new Map<number, RouteMatch>();
  /** The published ports of services in mode tcp, which no HTTP request matches. */
  readonly #tcpByPort = new Map<number, RouteMatch>();
  readonly #byHost = new Map<string, RouteMatch>();
  readonly #byService = new Map<string, RouteMatch>();
  readonly #defaultMatch: RouteMatch | null;
  /** Null if no service has path rules. */
  readonly #pathRoutes: PathRoutes | null;
  readonly #canaries = new Map<Route, Route | null>();
  readonly #gatewayOf: GatewayOf = (nodeId) => this.#nodeById.get(nodeId)?.gateway;

  /** @param domain the mesh's domain, lower case, or empty: services are also reached as NAME.domain */
  constructor(table: RoutingTable, domain = "") {
    this.version = table.version;
    this.signingKey = table.signingKey;
    this.hasServers = table.services.some(({ servers = [] }) => servers.length > 0);
    this.#domain = domain;
    for (const node of table.nodes) this.#addNode(node);
    // After all of them: a name of its own takes precedence.
    for (const node of this.#nodeByName.values()) this.#addEntryHost(node);
    for (const service of table.services) this.#addService(service);
    this.nodeIds = [...this.#nodeById.keys()].sort();
    this.eligibleNodes = this.#eligible(this.nodeIds);
    this.#defaultMatch = this.#byService.get(table.defaultService ?? "") ?? null;
    this.#pathRoutes = this.#pathRoutesOf(table);
  }

  /**
   * The routes that a request matches: by its published port, else by its host name, else the default service
   * if the port says nothing. A path rule may then send the request to another service.
   *
   * @returns null if no service matches
   * @see docs/spec.md X1-X4, X90-X93
   */
  match(query: RouteQuery): RouteMatch | null {
    const matched = this.matchService(query);
    return this.#pathRoutes === null ? matched : this.#matchPath(this.#pathRoutes, matched, query);
  }

  /** True if `match` compares the path of a request with path rules. */
  comparesPath(query: RouteQuery): boolean {
    const service = pathSource(this.matchService(query));
    return this.#pathRoutes?.hasRules(service, this.#isMatchedByName(query)) ?? false;
  }

  /** As `match`, before path rules apply. */
  matchService({ port, host }: RouteQuery): RouteMatch | null {
    const published = port === null ? undefined : this.#byPort.get(port);
    return published ?? this.#matchName(hostName(host), port);
  }

  /** The routes of services in mode tcp that are published at a port; null if there is no such service. */
  matchTcp(port: number): RouteMatch | null {
    return this.#tcpByPort.get(port) ?? null;
  }

  /**
   * The nodes that the edge picks from for a match: in host mode those with a task of the service.
   *
   * A node that is down is picked only if all are: its entry point runs in this isolate, not on the node. A
   * node in drain or maint is never picked.
   *
   * @see docs/spec.md X5
   */
  eligibleFor({ routes }: RouteMatch): NodePool {
    if (routes[0].mode !== "host") return this.eligibleNodes;
    return this.#eligible([...new Set(routes.flatMap((route) => [...route.nodeIds()]))].sort());
  }

  /** The node with an id or a name. Of two with the same name, the one that is up. */
  node(idOrName: string): TableNode | undefined {
    return this.#nodeById.get(idOrName) ?? this.#nodeByName.get(idOrName);
  }

  /** The node whose entry point has a host name (lower case). */
  nodeOfHost(host: string): TableNode | undefined {
    return this.#nodeByHost.get(host);
  }

  /** True if a service of this name exists and is published. */
  isPublished(service: string): boolean {
    return this.#byService.has(service);
  }

  /**
   * The route of a service's canary, at the same target port if the canary publishes it; null if it has no
   * canary or the canary is not published.
   */
  canaryOf(route: Route): Route | null {
    const { options } = route.service;
    if (options?.canary === undefined || route.mode === "host") return null;
    const known = this.#canaries.get(route);
    if (known !== undefined) return known;
    const canary = this.#canaryRoute(route, this.#byService.get(options.canary.service)?.routes[0]);
    this.#canaries.set(route, canary);
    return canary;
  }

  #canaryRoute(route: Route, canary: Route | undefined): Route | null {
    if (canary === undefined || canary.service === route.service) return null;
    const sameTarget = canary.service.ports.find(({ target }) => target === route.targetPort);
    if (sameTarget === undefined) return canary;
    return new Route(canary.service, sameTarget.target, sameTarget.mode, this.#gatewayOf);
  }

  #matchName(host: string, port: number | null): RouteMatch | null {
    const domain = this.#domain;
    const named = this.#byHost.get(host);
    if (named !== undefined) return named;
    if (domain !== "" && host.endsWith(`.${domain}`) && !host.endsWith(`.nodes.${domain}`)) {
      return this.#byService.get(host.slice(0, -domain.length - 1)) ?? null;
    }
    return port === null ? this.#defaultMatch : null;
  }

  #matchPath(pathRoutes: PathRoutes, matched: RouteMatch | null, query: RouteQuery): RouteMatch | null {
    const from = matched?.routes[0];
    const { host, path } = query;
    const pathRoute = pathRoutes.find(
      pathSource(matched),
      hostName(host),
      path,
      this.#isMatchedByName(query),
    );
    if (pathRoute === null) return matched;
    // A rule by which the service keeps its requests leaves their target port as it is.
    const isKept = pathRoute.route.service === from?.service;
    return { routes: isKept && matched !== null ? matched.routes : [pathRoute.route], pathRoute };
  }

  #isMatchedByName({ port }: RouteQuery): boolean {
    return port === null || !this.#byPort.has(port);
  }

  #pathRoutesOf({ services }: RoutingTable): PathRoutes | null {
    const withRules = services.flatMap((service) => {
      if (service.options?.paths === undefined) return [];
      return this.#byService.get(service.name)?.routes[0] ?? [];
    });
    return withRules.length === 0 ? null : new PathRoutes(withRules);
  }

  /** The ready nodes that are up among some (ids ascending); if none is up, all ready ones. */
  #eligible(nodeIds: readonly string[]): NodePool {
    const ready = nodeIds
      .flatMap((id) => this.#nodeById.get(id) ?? [])
      .filter(({ admin }) => admin === undefined);
    const up = ready.filter((node) => node.up);
    const nodes = up.length > 0 ? up : ready;
    return { ids: nodes.map(({ id }) => id), nodes };
  }

  #addNode(node: TableNode): void {
    this.#nodeById.set(node.id, node);
    if (node.up || !this.#nodeByName.has(node.name)) this.#nodeByName.set(node.name, node);
    for (const host of node.hosts) this.#nodeByHost.set(host, node);
  }

  /**
   * The host name of a node's entry point that is one label below the domain, as certificates for `*.DOMAIN`
   * require.
   */
  #addEntryHost(node: TableNode): void {
    const host = `${node.name.toLowerCase()}-nodes.${this.#domain}`;
    if (this.#domain !== "" && !this.#nodeByHost.has(host)) this.#nodeByHost.set(host, node);
  }

  #addService(service: TableService): void {
    const isTcp = isTcpService(service);
    const byPort = isTcp ? this.#tcpByPort : this.#byPort;
    for (const { published, target, mode } of service.ports) {
      const route = new Route(service, target, mode, this.#gatewayOf);
      const sharing = byPort.get(published)?.routes ?? [];
      byPort.set(published, { routes: [...sharing, route] as [Route], pathRoute: null });
    }
    if (isTcp) return;
    // A match by name uses the service's lowest published port, preferably one in ingress mode.
    const port = service.ports.find(({ mode }) => mode === "ingress") ?? service.ports[0];
    if (port === undefined) return;
    const match: RouteMatch = {
      routes: [new Route(service, port.target, port.mode, this.#gatewayOf)],
      pathRoute: null,
    };
    this.#byService.set(service.name.toLowerCase(), match);
    this.#byService.set(service.name, match);
    for (const host of service.hosts) this.#byHost.set(host, match);
  }
}

/** Name of the service whose path rules apply to a match; null if only those of host names do. */
function pathSource(match: RouteMatch | null): string | null {
  const route = match?.routes[0];
  // In host mode a node sends to its own tasks only, and another service's tasks may be elsewhere.
  return route === undefined || route.mode === "host" ? null : route.service.name;
}

/**
 * True if the edge may send to a match's targets without a node: a service with static servers needs none.
 */
export function servesDirectly({ routes: [first] }: RouteMatch): boolean {
  return first.mode === "ingress" && first.service.servers !== undefined;
}

/** The route of a match at a node: of services that share a port in host mode, the one with a task there. */
export function routeAt({ routes }: RouteMatch, node: EntryNode): Route {
  const [first, ...others] = routes;
  if (others.length === 0 || first.pool(node).ids.length > 0) return first;
  return others.find((route) => route.pool(node).ids.length > 0) ?? first;
}
