// Routes: the routing table as the data plane looks things up in it. Built once per table version; task lists are made
// when a service is first asked for, so that a large table costs a request only what it touches.

import type { PublishMode } from "../domain/service.ts";
import type { RoutingTable, TableNode, TableService } from "../domain/table.ts";
import { hostName } from "./headers.ts";

/** A task as one route reaches it. */
export type Target = {
  readonly taskId: string;
  readonly slot: number;
  readonly nodeId: string;
  /** `http://127.0.0.2:41233`, no slash at its end. */
  readonly origin: string;
};

/** Targets ascending by task id, and those ids: what round robin goes round. */
export type Ring = { readonly ids: readonly string[]; readonly targets: readonly Target[] };

const noRing: Ring = { ids: [], targets: [] };

/** One published port of one service. */
export class Route {
  readonly service: TableService;
  readonly target: number;
  readonly mode: PublishMode;
  #ring: Ring | null = null;
  #byNode: ReadonlyMap<string, Ring> | null = null;

  constructor(service: TableService, target: number, mode: PublishMode) {
    this.service = service;
    this.target = target;
    this.mode = mode;
  }

  /** The tasks a node's entry point may send to: all of them, or in host mode only its own. */
  ring(nodeId: string): Ring {
    if (this.mode === "host") return this.#perNode().get(nodeId) ?? noRing;
    this.#ring ??= ringOf(targetsOf(this.service, this.target));
    return this.#ring;
  }

  /** Ids of the nodes that have a task of it. */
  nodeIds(): Iterable<string> {
    return this.#perNode().keys();
  }

  #perNode(): ReadonlyMap<string, Ring> {
    if (this.#byNode !== null) return this.#byNode;
    const lists = Map.groupBy(targetsOf(this.service, this.target), (target) => target.nodeId);
    this.#byNode = new Map([...lists].map(([nodeId, targets]) => [nodeId, ringOf(targets)]));
    return this.#byNode;
  }
}

/** A routing table, indexed. */
export class Routes {
  readonly version: number;
  /** Ids of the nodes that are up, ascending. */
  readonly upNodes: readonly string[];
  /** Ids of all nodes, ascending. */
  readonly nodes: readonly string[];
  readonly #nodeById = new Map<string, TableNode>();
  readonly #nodeByName = new Map<string, TableNode>();
  readonly #nodeByHost = new Map<string, TableNode>();
  readonly #byPort = new Map<number, Route[]>();
  readonly #byHost = new Map<string, Route>();
  readonly #byService = new Map<string, Route>();
  readonly #byDefault: readonly Route[] | null;

  constructor(table: RoutingTable) {
    this.version = table.version;
    for (const node of table.nodes) this.#addNode(node);
    for (const service of table.services) this.#addService(service);
    this.nodes = [...this.#nodeById.keys()].sort();
    this.upNodes = this.nodes.filter((id) => this.#nodeById.get(id)?.up);
    const byDefault = this.#byService.get(table.defaultService ?? "");
    this.#byDefault = byDefault === undefined ? null : [byDefault];
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
   * default service. More than one only where services share a port in host mode, each on nodes of its own.
   *
   * @param port null where the port means nothing
   * @param host the Host header
   * @param domain the mesh's domain, lower case, or empty: services are also reached as NAME.domain
   * @returns null when nothing is published there
   * @see docs/spec.md X1-X4
   */
  match(port: number | null, host: string, domain: string): readonly Route[] | null {
    const published = port === null ? undefined : this.#byPort.get(port);
    return published ?? this.#matchName(hostName(host), port, domain);
  }

  #matchName(host: string, port: number | null, domain: string): readonly Route[] | null {
    const named = this.#byHost.get(host);
    if (named !== undefined) return [named];
    if (domain !== "" && host.endsWith(`.${domain}`) && !host.endsWith(`.nodes.${domain}`)) {
      const service = this.#byService.get(host.slice(0, -domain.length - 1));
      return service === undefined ? null : [service];
    }
    return port === null ? this.#byDefault : null;
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
    const route = new Route(service, port.target, port.mode);
    this.#byService.set(service.name.toLowerCase(), route);
    this.#byService.set(service.name, route);
    for (const host of service.hosts) this.#byHost.set(host, route);
  }
}

/** Tasks of weight 0 take no requests; tasks that do not listen on the target port cannot. */
function targetsOf(service: TableService, port: number): Target[] {
  const targets: Target[] = [];
  for (const { id, slot, nodeId, weight, endpoints } of service.tasks) {
    const origin = endpoints.find(([target]) => target === port)?.[1];
    if (origin !== undefined && weight > 0) targets.push({ taskId: id, slot, nodeId, origin });
  }
  return targets;
}

function ringOf(targets: readonly Target[]): Ring {
  return { ids: targets.map((target) => target.taskId), targets };
}
