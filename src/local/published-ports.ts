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
import { type InheritedSockets, socketKey } from "./kept-sockets.ts";
import { Listener, type ListenerOptions } from "./listener.ts";
import { type ListenerIdentity, listenerProfile } from "./listener-profile.ts";
import { openFailure, type SocketHandle } from "./listening-socket.ts";
import type { RuntimeAgent } from "./runtime-agent.ts";
import { type TcpForwarding, TcpListener } from "./tcp-listener.ts";
import type { CertificateStore } from "./tls/certificate-store.ts";
import type { ServerTls } from "./tls/server-tls.ts";

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
  /** Absent: it speaks plain HTTP. */
  readonly isTls?: true;
  /** The port with TLS to which it redirects; absent: it redirects nothing. */
  readonly redirectTo?: number;
  /** A name for messages: `node1`, `balancer`. */
  readonly owner: string;
};

type TaskRuntime = NodeDescription["runtime"];

/** The edge's address, and its port for the default service. */
type Balancer = { readonly address: string; readonly defaultPort: number };

/** The ports of a machine that speak TLS. */
export type TlsPorts = {
  /** At least one. Published ones of mode http, and others for the default service. */
  readonly ports: readonly number[];
  /** True if a balancer's plain port for the default service redirects to the first of them. */
  readonly redirects: boolean;
};

/** How long open responses may take after their port is no longer published, milliseconds. */
const closeGraceMs = 5_000;

/**
 * How long connections of mode tcp may go on when the mesh stops, milliseconds. Unlike a response, such a
 * connection has no end of its own.
 */
const tcpStopGraceMs = 500;

/** Interval between attempts to open a port, milliseconds. */
const openRetryMs = 1_000;
const retryNote = "; retrying until the port can be opened";

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
 * @param tls null: no port speaks TLS
 * @see docs/spec.md O130, N123
 */
export function listenersOfNode(
  table: RoutingTable,
  node: { readonly id: string; readonly name: string; readonly runtime?: TaskRuntime },
  address: string,
  tls: TlsPorts | null = null,
): readonly DesiredListener[] {
  const isOpen = (service: TableService, mode: PublishedPort["mode"]): boolean =>
    mode === "ingress" || (node.runtime !== "docker" && hasTaskOn(service, node.id));
  const desired = table.services.flatMap((service) =>
    service.ports
      .filter(({ mode }) => isOpen(service, mode))
      .map(({ published }) => withMode(service, nodeListener(node, address, published, published))),
  );
  return withoutRepetitions(withTls(desired, tls));
}

/**
 * The listeners of a balancer machine.
 *
 * @param defaultPort null: no plain port for the default service
 * @param tls null: no port speaks TLS
 * @see docs/spec.md U491
 */
export function listenersOfBalancer(
  table: RoutingTable,
  address: string,
  defaultPort: number | null,
  tls: TlsPorts | null = null,
): readonly DesiredListener[] {
  const desired = table.services.flatMap((service) =>
    service.ports
      .filter(({ mode }) => mode === "ingress")
      .map(({ published }) => withMode(service, balancerListener({ address }, published))),
  );
  // A service that publishes such a port gets its requests.
  const published = new Set(desired.map(({ port }) => port));
  const atDefault = [...(defaultPort === null ? [] : [defaultPort]), ...(tls?.ports ?? [])]
    .filter((port) => !published.has(port))
    .map((port) => defaultListener({ address, defaultPort: port }));
  const listeners = withTls([...atDefault, ...desired], tls);
  return withoutRepetitions(listeners.map((listener) => withRedirect(listener, defaultPort, tls)));
}

/** Connections of mode tcp pass as they are, with the TLS of the client and the task. */
function withTls(listeners: readonly DesiredListener[], tls: TlsPorts | null): readonly DesiredListener[] {
  return listeners.map((listener) =>
    tls?.ports.includes(listener.port) && listener.isTcp !== true
      ? { ...listener, key: `${listener.key} tls`, isTls: true }
      : listener,
  );
}

function withRedirect(
  listener: DesiredListener,
  defaultPort: number | null,
  tls: TlsPorts | null,
): DesiredListener {
  const [tlsPort] = tls?.ports ?? [];
  if (tls?.redirects !== true || tlsPort === undefined || listener.port !== defaultPort) return listener;
  if (listener.isTls === true || listener.isTcp === true) return listener;
  return { ...listener, key: `${listener.key} redirect`, redirectTo: tlsPort };
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

/** What the listeners of a machine of their own have besides. */
export type MachineListening = {
  /** Outlive this process. */
  readonly sockets: InheritedSockets;
  /** Null: no port speaks TLS. */
  readonly certificates: CertificateStore | null;
};

/** Opens and closes listeners until they match the desired ones. */
export class PublishedPorts {
  readonly #agent: RuntimeAgent;
  readonly #entryKey: string;
  readonly #log: (line: string) => void;
  readonly #open = new Map<string, Listener | TcpListener>();
  readonly #failed = new Map<string, ClosedPort>();
  /** The keys of the open listeners' sockets. */
  readonly #places = new Map<string, string>();
  /** The keys of the sockets whose listener has closed, until another one serves them. */
  readonly #vacant = new Set<string>();
  readonly #onClosedPorts: (closed: readonly ClosedPort[]) => void;
  readonly #listenerOptions: ListenerOptions;
  readonly #tcp: TcpForwarding | null;
  readonly #machine: MachineListening | null;
  #desired: readonly DesiredListener[] = [];
  #work: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;

  /**
   * @param entryKey seals the entry facts, so that the runtime knows requests of this mesh's listeners
   * @param onClosedPorts receives the ports that cannot be opened, each time they change
   * @param tcp forwards the connections of services in mode tcp; null: their ports are not opened
   * @param machine null: sockets close with this process, and no port speaks TLS
   */
  constructor(
    agent: RuntimeAgent,
    entryKey: string,
    log: (line: string) => void,
    onClosedPorts: (closed: readonly ClosedPort[]) => void,
    listenerOptions: ListenerOptions = {},
    tcp: TcpForwarding | null = null,
    machine: MachineListening | null = null,
  ) {
    this.#agent = agent;
    this.#entryKey = entryKey;
    this.#log = log;
    this.#onClosedPorts = onClosedPorts;
    this.#listenerOptions = listenerOptions;
    this.#tcp = tcp;
    this.#machine = machine;
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

  /**
   * Why a port cannot be served whose socket another process serves: `cannot serve 0.0.0.0:443: …`. Null if all can.
   * Before `apply` it is known of certificates only.
   */
  takeoverProblem(desired: readonly DesiredListener[]): string | null {
    for (const { key, address, port, isTls } of desired) {
      if (this.#machine?.sockets.isUntaken(socketKey(address, port)) !== true) continue;
      const certificates = isTls === true ? this.#machine.certificates : null;
      const why = this.#failed.get(key)?.why.replace(retryNote, "") ?? certificates?.problem ?? null;
      if (why !== null) return `cannot serve ${hostPort(address, port)}: ${why}`;
    }
    return null;
  }

  /** @param graceMs for all open responses and connections; absent: the usual times */
  close(graceMs?: number): Promise<void> {
    return this.#end((listener) =>
      listener.close(graceMs ?? (listener instanceof TcpListener ? tcpStopGraceMs : closeGraceMs)),
    );
  }

  /** Leaves the sockets to another process, and serves the connections that were accepted here for `graceMs`. */
  drain(graceMs: number): Promise<void> {
    return this.#end((listener) => listener.drain(graceMs));
  }

  async #end(end: (listener: Listener | TcpListener) => Promise<void>): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#work;
    await Promise.all([...this.#open.values()].map(end));
    this.#open.clear();
  }

  async #reconcile(): Promise<void> {
    if (this.#isClosed) return;
    const keys = new Set(this.#desired.map(({ key }) => key));
    for (const [key, listener] of this.#open) {
      if (keys.has(key)) continue;
      this.#open.delete(key);
      const place = this.#places.get(key);
      if (place !== undefined) this.#vacant.add(place);
      this.#places.delete(key);
      void listener.close(closeGraceMs);
    }
    const wanted = new Set(this.#desired.map(({ address, port }) => socketKey(address, port)));
    for (const place of this.#vacant) if (!wanted.has(place)) this.#vacate(place);
    const previous = [...this.#failed.values()];
    for (const key of this.#failed.keys()) if (!keys.has(key)) this.#failed.delete(key);
    for (const listener of this.#desired) if (!this.#open.has(listener.key)) await this.#tryOpen(listener);
    // Clients would wait in a socket that no listener serves.
    for (const place of this.#vacant) this.#vacate(place);
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

  #vacate(place: string): void {
    this.#machine?.sockets.drop(place);
    this.#vacant.delete(place);
  }

  async #openListener(desired: DesiredListener): Promise<Listener | TcpListener> {
    const { key, address, port } = desired;
    const sockets = this.#machine?.sockets;
    const place = socketKey(address, port);
    const tls = desired.isTls === true ? this.#tls() : null;
    const isVacant = this.#vacant.has(place);
    const socket = sockets?.take(place) ?? (isVacant ? await sockets?.reclaim(place) : null) ?? null;
    const listener = await this.#openAt(desired, socket, tls);
    this.#places.set(key, place);
    this.#vacant.delete(place);
    if (socket === null) sockets?.keep(place, listener.socket);
    return listener;
  }

  #openAt(
    { address, port, identity, isTcp, redirectTo, owner }: DesiredListener,
    socket: SocketHandle | null,
    tls: ServerTls | null,
  ): Promise<Listener | TcpListener> {
    const { nodeId, published } = identity;
    const report = (text: string): void => this.#log(`${owner}: ${address}:${port}: ${text}`);
    const onError = (error: Error): void => report(error.message);
    if (isTcp !== true || this.#tcp === null) {
      const profile = listenerProfile(identity, this.#entryKey, tls === null ? "http" : "https");
      const options = {
        onError,
        socket,
        ...(tls !== null && { tls }),
        ...(redirectTo !== undefined && { redirectTo }),
      };
      return Listener.open(address, port, profile, this.#agent, { ...options, ...this.#listenerOptions });
    }
    const entry = { nodeId, port: published ?? port };
    return TcpListener.open(address, port, entry, this.#tcp, { onError, onRefusal: report, socket });
  }

  /** @throws Error if there is no certificate */
  #tls(): ServerTls | null {
    const certificates = this.#machine?.certificates ?? null;
    const problem = certificates?.problem ?? null;
    if (problem !== null) throw new Error(problem);
    return certificates;
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
      const why = `${openFailure(error as NodeJS.ErrnoException)}${retryNote}`;
      if (this.#failed.get(key)?.why === why) return;
      this.#log(`${owner}: cannot open ${hostPort(address, port)}: ${why}`);
      this.#failed.set(key, { owner, address, port, why, sinceMs: Date.now() });
    }
  }
}
