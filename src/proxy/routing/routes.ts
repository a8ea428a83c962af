// Routes: the routing table as the data plane looks things up in it. Built once per table version; task lists are made
// when a service is first asked for, so that a large table costs a request only what it touches.

import type { PublishMode } from "../../domain/model/service.ts";
import type { RoutingTable, TableNode, TableService } from "../../domain/table/table.ts";
import { hostName, pathOf } from "../http/host.ts";
import { type PathRoute, PathRoutes } from "./path-routes.ts";
import { poolOf, rulesOf, type TargetPool, targetsOf } from "./target-pool.ts";

const emptyPool: TargetPool = poolOf([]);

/** One published port of one service. */
export class Route {
  readonly service: TableService;
  readonly target: number;
  readonly mode: PublishMode;
  /** Names the round of nodes at the balancer. Made once, as those below: a name made anew has to be hashed anew. */
  readonly edgeCursor: string;
  readonly #cursors = new Map<string, string>();
  #via: string | null = null;
  #pool: TargetPool | null = null;
  #byNode: ReadonlyMap<string, TargetPool> | null = null;

  constructor(service: TableService, target: number, mode: PublishMode) {
    this.service = service;
    this.target = target;
    this.mode = mode;
    this.edgeCursor = `edge ${service.id} ${target}`;
  }

  /** Names the round of tasks at a node's entry point. */
  cursorAt(nodeId: string): string {
    const known = this.#cursors.get(nodeId);
    if (known !== undefined) return known;
    const made = `${nodeId} ${this.service.id} ${this.target}`;
    this.#cursors.set(nodeId, made);
    return made;
  }

  /** This hop's entry in Via, `1.1 my-web.waggle`. */
  via(meshName: string): string {
    this.#via ??= `1.1 ${this.service.name}.${meshName}`;
    return this.#via;
  }

  /** The tasks a node's entry point may send to: all of them, or in host mode only its own. */
  pool(nodeId: string): TargetPool {
    if (this.mode === "host") return this.#poolsByNode().get(nodeId) ?? emptyPool;
    this.#pool ??= poolOf(targetsOf(this.service, this.target), rulesOf(this.service));
    return this.#pool;
  }

  /** Ids of the nodes that have a task of it. */
  nodeIds(): Iterable<string> {
    return this.#poolsByNode().keys();
  }

  #poolsByNode(): ReadonlyMap<string, TargetPool> {
    if (this.#byNode !== null) return this.#byNode;
    // A server is on no node, so that no node has it for its own.
    const onNodes = targetsOf(this.service, this.target).filter(({ server }) => server === null);
    const lists = Map.groupBy(onNodes, ({ nodeId }) => nodeId);
    const rules = rulesOf(this.service);
    const rings = [...lists].map(([nodeId, targets]) => [nodeId, poolOf(targets, rules)] as const);
    this.#byNode = new Map(rings.filter(([, { ids }]) => ids.length > 0));
    return this.#byNode;
  }
}

/** A routing table, indexed. */
export class Routes {
  readonly version: number;
  /** Ids of the nodes the balancer picks from, ascending: those in its rotation that are up, or all of those. */
  readonly eligibleNodes: readonly string[];
  /** Ids of all nodes, ascending. */
  readonly nodes: readonly string[];
  readonly #nodeById = new Map<string, TableNode>();
  readonly #nodeByName = new Map<string, TableNode>();
  readonly #nodeByHost = new Map<string, TableNode>();
  readonly #byPort = new Map<number, Route[]>();
  readonly #byHost = new Map<string, readonly [Route]>();
  readonly #byService = new Map<string, readonly [Route]>();
  readonly #byDefault: readonly Route[] | null;
  /** Null: no service goes by paths. */
  readonly #takers: PathRoutes | null;
  readonly #canaries = new Map<Route, Route | null>();
  /** What was asked for last and the answer: each request asks for the same twice, and often its successor too. */
  #lastPort: number | null = null;
  #lastHost = "";
  #lastDomain = "";
  #lastMatch: readonly Route[] | null | undefined;

  constructor(table: RoutingTable) {
    this.version = table.version;
    for (const node of table.nodes) this.#addNode(node);
    for (const service of table.services) this.#addService(service);
    this.nodes = [...this.#nodeById.keys()].sort();
    this.eligibleNodes = this.eligible(this.nodes);
    this.#byDefault = this.#byService.get(table.defaultService ?? "") ?? null;
    this.#takers = this.#takersOf(table);
  }

  /**
   * Those of some nodes (ascending ids) that take turns at the balancer: in its rotation and up, or if none is up, in its
   * rotation. A node that is down can be picked because its entry point is here, and not on the node.
   */
  eligible(nodeIds: readonly string[]): readonly string[] {
    const ready = nodeIds.filter((id) => this.#nodeById.get(id)?.admin === undefined);
    const up = ready.filter((id) => this.#nodeById.get(id)?.up);
    return up.length > 0 ? up : ready;
  }

  /** The node of an id or a name, or undefined. Where two share a name, the one that is up. */
  node(idOrName: string): TableNode | undefined {
    return this.#nodeById.get(idOrName) ?? this.#nodeByName.get(idOrName);
  }

  /** The node whose own entry point has this host name (lower case), or undefined. */
  nodeOfHost(host: string): TableNode | undefined {
    return this.#nodeByHost.get(host);
  }

  /**
   * The route a request asks for. A published port decides; then a host name; then, where the port means nothing, the
   * default service; and last who takes such requests from that service. More than one only where services share a port
   * in host mode, each on nodes of its own.
   *
   * @param port null where the port means nothing
   * @param host the Host header
   * @param domain the mesh's domain, lower case, or empty: services are also reached as NAME.domain
   * @param asked its URL is read only where services go by paths: reading it costs something
   * @returns null when nothing is published there
   * @see docs/spec.md X1-X4, X90-X93
   */
  match(
    port: number | null,
    host: string,
    domain: string,
    asked: Pick<Request, "url">,
  ): readonly Route[] | null {
    const matched = this.matchWhole(port, host, domain);
    if (this.#takers === null) return matched;
    const taker = this.#takerOf(this.#takers, matched, port, host, asked);
    // What a service keeps of its own stays at the target port that was asked for.
    const isKept = taker !== null && taker.route[0].service === matched?.[0]?.service;
    return taker === null || isKept ? matched : taker.route;
  }

  /** Whether a service of this name is published, so that it can be reached at all. */
  isPublished(service: string): boolean {
    return this.#byService.has(service);
  }

  /** The path rule by which `match` came to its answer; null: by none. */
  pathRouteOf(
    port: number | null,
    host: string,
    domain: string,
    asked: Pick<Request, "url">,
  ): PathRoute | null {
    if (this.#takers === null) return null;
    return this.#takerOf(this.#takers, this.matchWhole(port, host, domain), port, host, asked);
  }

  #takerOf(
    takers: PathRoutes,
    matched: readonly Route[] | null,
    port: number | null,
    host: string,
    { url }: Pick<Request, "url">,
  ): PathRoute | null {
    const from = matched?.[0];
    // In host mode a node sends to its own tasks only, and those of another service may be elsewhere.
    const name = from === undefined || from.mode === "host" ? null : from.service.name;
    const byName = port === null || !this.#byPort.has(port);
    return takers.find(name, hostName(host), pathOf(url), byName);
  }

  /** As `match`, before path rules are looked at. */
  matchWhole(port: number | null, host: string, domain: string): readonly Route[] | null {
    const isSame = port === this.#lastPort && host === this.#lastHost && domain === this.#lastDomain;
    if (isSame && this.#lastMatch !== undefined) return this.#lastMatch;
    const published = port === null ? undefined : this.#byPort.get(port);
    const matched = published ?? this.#matchName(hostName(host), port, domain);
    this.#lastPort = port;
    this.#lastHost = host;
    this.#lastDomain = domain;
    this.#lastMatch = matched;
    return matched;
  }

  /** The route of a service's canary, by the same target port if it is published there; null: there is none. */
  canaryOf(route: Route): Route | null {
    const { options } = route.service;
    if (options?.canary === undefined || route.mode === "host") return null;
    const known = this.#canaries.get(route);
    if (known !== undefined) return known;
    const named = this.#byService.get(options.canary.service)?.[0];
    const other = named?.service.ports.find(({ target }) => target === route.target);
    const found =
      named === undefined || named.service === route.service
        ? null
        : other === undefined
          ? named
          : new Route(named.service, other.target, other.mode);
    this.#canaries.set(route, found);
    return found;
  }

  #matchName(host: string, port: number | null, domain: string): readonly Route[] | null {
    const named = this.#byHost.get(host);
    if (named !== undefined) return named;
    if (domain !== "" && host.endsWith(`.${domain}`) && !host.endsWith(`.nodes.${domain}`)) {
      return this.#byService.get(host.slice(0, -domain.length - 1)) ?? null;
    }
    return port === null ? this.#byDefault : null;
  }

  #takersOf({ services }: RoutingTable): PathRoutes | null {
    const taking = services.flatMap((service) => {
      const route = service.options?.paths === undefined ? undefined : this.#byService.get(service.name);
      return route === undefined ? [] : [[service, route] as const];
    });
    return taking.length === 0 ? null : new PathRoutes(taking);
  }

  #addNode(node: TableNode): void {
    this.#nodeById.set(node.id, node);
    if (node.up || !this.#nodeByName.has(node.name)) this.#nodeByName.set(node.name, node);
    for (const host of node.hosts) this.#nodeByHost.set(host, node);
  }

  #addService(service: TableService): void {
    for (const { published, target, mode } of service.ports) {
      const route = new Route(service, target, mode);
      const sharing = this.#byPort.get(published);
      if (sharing === undefined) this.#byPort.set(published, [route]);
      else sharing.push(route);
    }
    // Reached by name, a service answers with its lowest published port, if it can with one every node has.
    const port = service.ports.find(({ mode }) => mode === "ingress") ?? service.ports[0];
    if (port === undefined) return;
    const route = [new Route(service, port.target, port.mode)] as const;
    this.#byService.set(service.name.toLowerCase(), route);
    this.#byService.set(service.name, route);
    for (const host of service.hosts) this.#byHost.set(host, route);
  }
}
