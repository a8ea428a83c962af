// The published ports of the mesh as listeners on this machine: on each node's address and at the edge. Opens
// and closes them as the routing table changes.

import { isLoopback } from "../domain/model/dialed-host.ts";
import type { ClosedPort } from "../domain/model/node-listeners.ts";
import { hostPort } from "../domain/model/server.ts";
import type { PublishedPort } from "../domain/model/service.ts";
import type { RoutingTable, TableNode, TableService } from "../domain/table/table.ts";
import { isTcpService } from "../domain/table/tcp-options.ts";
import type { NodeDescription } from "../protocol/agent.ts";
import { type AddressPlan, coversAddress, nodePort } from "./addresses.ts";
import { Listener, type ListenerOptions } from "./listener.ts";
import { type ListenerIdentity, listenerProfile } from "./listener-profile.ts";
import type { RuntimeAgent } from "./runtime-agent.ts";
import { type TcpForwarding, TcpListener } from "./tcp-listener.ts";

/** A listener that should be open. */
export type DesiredListener = {
  /** Identifies the listener across tables. */
  readonly key: string;
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly identity: ListenerIdentity;
  /** The port of a service in mode tcp. Absent: of one in mode http. */
  readonly isTcp?: true;
  /** A name for messages: `node1`, `balancer`. */
  readonly owner: string;
};

type TaskRuntime = NodeDescription["runtime"];

/** The edge's address, and its port for the default service. */
type Balancer = { readonly address: string; readonly defaultPort: number };

/** How long open responses may take after their port is no longer published, milliseconds. */
const closeGraceMs = 5_000;

/**
 * How long connections of mode tcp may go on when the mesh stops, milliseconds. Unlike a response, such a
 * connection has no end of its own.
 */
const tcpStopGraceMs = 500;

/** Interval between attempts to open a port, milliseconds. */
const openRetryMs = 1_000;

/**
 * The listeners that a routing table requires. An ingress port is open on every node, up or down, and at the
 * edge; a host-mode port only on nodes that run a task of its service.
 *
 * @param ownIngress ids of the nodes whose agents open their ports themselves
 * @param runtime of the nodes: Docker publishes host-mode ports itself
 * @see docs/spec.md U4-U6, N123
 */
export function desiredListeners(
  table: RoutingTable,
  plan: AddressPlan,
  balancer: Balancer,
  ownIngress: ReadonlySet<string> = new Set(),
  runtime: TaskRuntime = "process",
): readonly DesiredListener[] {
  const desired: DesiredListener[] = [defaultListener(balancer)];
  const addressPlanOf = ({ id, address }: TableNode): AddressPlan => {
    const isShared =
      coversAddress(balancer.address, address) ||
      table.nodes.some((other) => other.id !== id && other.address === address);
    return isShared ? { kind: "shared" } : plan;
  };
  for (const service of table.services) {
    for (const { published, mode } of service.ports) {
      if (mode === "ingress") desired.push(withMode(service, balancerListener(balancer, published)));
      for (const [index, node] of table.nodes.entries()) {
        // A node on another machine opens its own ports.
        if (!isLoopback(node.address) || ownIngress.has(node.id)) continue;
        if (mode === "host" && (runtime === "docker" || !hasTaskOn(service, node.id))) continue;
        const port = nodePort(addressPlanOf(node), nodeOrdinal(node.name, index), published);
        desired.push(withMode(service, nodeListener(node, node.address, published, port)));
      }
    }
  }
  return withoutRepetitions(desired);
}

/**
 * The listeners of one node on its own machine.
 *
 * @param address that it listens on
 * @see docs/spec.md O130, N123
 */
export function listenersOfNode(
  table: RoutingTable,
  node: { readonly id: string; readonly name: string; readonly runtime?: TaskRuntime },
  address: string,
): readonly DesiredListener[] {
  const isOpen = (service: TableService, mode: PublishedPort["mode"]): boolean =>
    mode === "ingress" || (node.runtime !== "docker" && hasTaskOn(service, node.id));
  const desired = table.services.flatMap((service) =>
    service.ports
      .filter(({ mode }) => isOpen(service, mode))
      .map(({ published }) => withMode(service, nodeListener(node, address, published, published))),
  );
  return withoutRepetitions(desired);
}

/** The listeners of a balancer machine. @param defaultPort null: none for the default service */
export function listenersOfBalancer(
  table: RoutingTable,
  address: string,
  defaultPort: number | null,
): readonly DesiredListener[] {
  const desired = table.services.flatMap((service) =>
    service.ports
      .filter(({ mode }) => mode === "ingress")
      .map(({ published }) => withMode(service, balancerListener({ address }, published))),
  );
  // A service that publishes this port gets its requests.
  const isPublished = desired.some(({ port }) => port === defaultPort);
  const atDefault = defaultPort === null || isPublished ? [] : [defaultListener({ address, defaultPort })];
  return withoutRepetitions([...atDefault, ...desired]);
}

/** A listener of one mode does not become one of the other. */
function withMode(service: TableService, listener: DesiredListener): DesiredListener {
  return isTcpService(service) ? { ...listener, key: `${listener.key} tcp`, isTcp: true } : listener;
}

function withoutRepetitions(desired: readonly DesiredListener[]): readonly DesiredListener[] {
  return [...new Map(desired.map((listener) => [listener.key, listener])).values()];
}

function nodeListener(
  { id, name }: { readonly id: string; readonly name: string },
  address: string,
  published: number,
  port: number,
): DesiredListener {
  const identity = { role: "ingress", nodeId: id, published } as const;
  return { key: `${id} ${address}:${published}`, address, port, identity, owner: name };
}

function defaultListener({ address, defaultPort }: Balancer): DesiredListener {
  const identity = { role: "edge", nodeId: null, published: null } as const;
  return {
    key: `default ${address}:${defaultPort}`,
    address,
    port: defaultPort,
    identity,
    owner: "balancer",
  };
}

function balancerListener({ address }: Pick<Balancer, "address">, published: number): DesiredListener {
  return {
    key: `edge ${address}:${published}`,
    address,
    port: published,
    identity: { role: "edge", nodeId: null, published },
    owner: "balancer",
  };
}

function hasTaskOn(service: TableService, nodeId: string): boolean {
  return service.tasks.some((task) => task.nodeId === nodeId);
}

function nodeOrdinal(name: string, index: number): number {
  const number = /(\d{1,3})$/.exec(name)?.[1];
  return number === undefined ? index + 1 : Number(number);
}

/** Opens and closes listeners until they match the desired ones. */
export class PublishedPorts {
  readonly #agent: RuntimeAgent;
  readonly #entryKey: string;
  readonly #log: (line: string) => void;
  readonly #open = new Map<string, Listener | TcpListener>();
  readonly #failed = new Map<string, ClosedPort>();
  readonly #onClosedPorts: (closed: readonly ClosedPort[]) => void;
  readonly #listenerOptions: ListenerOptions;
  readonly #tcp: TcpForwarding | null;
  #desired: readonly DesiredListener[] = [];
  #work: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;

  /**
   * @param entryKey seals the entry facts, so that the runtime knows requests of this mesh's listeners
   * @param onClosedPorts receives the ports that cannot be opened, each time they change
   * @param tcp forwards the connections of services in mode tcp; null: their ports are not opened
   */
  constructor(
    agent: RuntimeAgent,
    entryKey: string,
    log: (line: string) => void,
    onClosedPorts: (closed: readonly ClosedPort[]) => void,
    listenerOptions: ListenerOptions = {},
    tcp: TcpForwarding | null = null,
  ) {
    this.#agent = agent;
    this.#entryKey = entryKey;
    this.#log = log;
    this.#onClosedPorts = onClosedPorts;
    this.#listenerOptions = listenerOptions;
    this.#tcp = tcp;
  }

  /**
   * Opens and closes listeners to match `desired`; resolves after one attempt each. Retries failed ones
   * later.
   */
  apply(desired: readonly DesiredListener[]): Promise<void> {
    this.#desired = this.#tcp === null ? desired.filter(({ isTcp }) => isTcp !== true) : desired;
    this.#work = this.#work.then(() => this.#reconcile());
    return this.#work;
  }

  /** The port of a listener; null if it is not open. */
  portOf(key: string): number | null {
    return this.#open.get(key)?.port ?? null;
  }

  /** True if the last attempt to open the listener failed. */
  hasFailed(key: string): boolean {
    return this.#failed.has(key);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#work;
    await Promise.all(
      [...this.#open.values()].map((listener) =>
        listener.close(listener instanceof TcpListener ? tcpStopGraceMs : closeGraceMs),
      ),
    );
    this.#open.clear();
  }

  async #reconcile(): Promise<void> {
    if (this.#isClosed) return;
    const keys = new Set(this.#desired.map(({ key }) => key));
    for (const [key, listener] of this.#open) {
      if (keys.has(key)) continue;
      this.#open.delete(key);
      void listener.close(closeGraceMs);
    }
    const previous = [...this.#failed.values()];
    for (const key of this.#failed.keys()) if (!keys.has(key)) this.#failed.delete(key);
    for (const listener of this.#desired) if (!this.#open.has(listener.key)) await this.#tryOpen(listener);
    const closed = [...this.#failed.values()];
    if (closed.length !== previous.length || closed.some((port, index) => port !== previous[index]))
      this.#onClosedPorts(closed);
    if (this.#failed.size > 0 && this.#retry === null) {
      this.#retry = setTimeout(() => {
        this.#retry = null;
        void this.apply(this.#desired);
      }, openRetryMs);
    }
  }

  #openListener({ address, port, identity, isTcp, owner }: DesiredListener): Promise<Listener | TcpListener> {
    const { nodeId, published } = identity;
    const report = (text: string): void => this.#log(`${owner}: ${address}:${port}: ${text}`);
    const onError = (error: Error): void => report(error.message);
    if (isTcp !== true || this.#tcp === null) {
      const profile = listenerProfile(identity, this.#entryKey);
      return Listener.open(address, port, profile, this.#agent, { onError, ...this.#listenerOptions });
    }
    const entry = { nodeId, port: published ?? port };
    return TcpListener.open(address, port, entry, this.#tcp, { onError, onRefusal: report });
  }

  async #tryOpen(desired: DesiredListener): Promise<void> {
    const { key, address, port, identity, owner } = desired;
    try {
      const listener = await this.#openListener(desired);
      this.#open.set(key, listener);
      const { published } = identity;
      // Nodes that share an address have other ports than the published ones.
      if (published !== null && published !== listener.port)
        this.#log(`${owner}: published port ${published} is open at ${hostPort(address, listener.port)}`);
      if (this.#failed.delete(key)) this.#log(`${owner}: ${hostPort(address, port)} is open now`);
    } catch (error) {
      const why = `${reasonOf(error as NodeJS.ErrnoException)}; retrying until the port can be opened`;
      if (this.#failed.get(key)?.why === why) return;
      this.#log(`${owner}: cannot open ${hostPort(address, port)}: ${why}`);
      this.#failed.set(key, { owner, address, port, why, sinceMs: Date.now() });
    }
  }
}

const bindErrorReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "another process on this machine listens there",
  EACCES: "this user may not listen on ports below 1024, which takes root or CAP_NET_BIND_SERVICE",
  EADDRNOTAVAIL: "this machine does not have that address",
};

function reasonOf(error: NodeJS.ErrnoException): string {
  return bindErrorReasons[error.code ?? ""] ?? error.code ?? error.message;
}
