// The published ports of the mesh as listeners on this machine: on every node's address and at the balancer. Follows
// the routing table: what it publishes is open, what it no longer publishes is closed.

import type { ClosedPort } from "../cli/closed-ports.ts";
import type { RoutingTable, TableService } from "../domain/table/table.ts";
import { type AddressPlan, nodePort } from "./addresses.ts";
import { Listener, type Upstream } from "./listener.ts";
import { type ListenerIdentity, publishedPortProfile } from "./listener-profile.ts";

/** One listener that should be open. */
export type DesiredListener = {
  /** Tells listeners apart; the same key is the same listener. */
  readonly key: string;
  readonly address: string;
  /** 0: any free port. */
  readonly port: number;
  readonly identity: ListenerIdentity;
  /** For people: `node1`, `balancer`. */
  readonly owner: string;
};

/** Where the balancer listens besides the published ports. */
type Balancer = { readonly address: string; readonly defaultPort: number };

/** How long answers under way may take once their port is no longer published, milliseconds. */
const closeGraceMs = 5_000;

/** How long until a port that could not be opened is tried again, milliseconds. */
const openRetryMs = 1_000;

/**
 * The listeners a routing table asks for. An ingress port is open on every node, down or up, and at the balancer; a
 * host-mode port only on the nodes that run a task of it.
 *
 * @see docs/spec.md U4-U6
 */
export function desiredListeners(
  table: RoutingTable,
  plan: AddressPlan,
  balancer: Balancer,
): readonly DesiredListener[] {
  const wanted: DesiredListener[] = [
    {
      key: `default ${balancer.address}:${balancer.defaultPort}`,
      address: balancer.address,
      port: balancer.defaultPort,
      identity: { role: "edge", nodeId: null, published: null },
      owner: "balancer",
    },
  ];
  for (const service of table.services) {
    for (const { published, mode } of service.ports) {
      if (mode === "ingress") wanted.push(balancerListener(balancer, published));
      for (const [index, node] of table.nodes.entries()) {
        if (!isLoopback(node.address)) continue;
        if (mode === "host" && !hasTaskOn(service, node.id)) continue;
        wanted.push({
          key: `${node.id} ${node.address}:${published}`,
          address: node.address,
          port: nodePort(plan, nodeOrdinal(node.name, index), published),
          identity: { role: "ingress", nodeId: node.id, published },
          owner: node.name,
        });
      }
    }
  }
  return [...new Map(wanted.map((one) => [one.key, one])).values()];
}

function balancerListener(balancer: Balancer, published: number): DesiredListener {
  return {
    key: `edge ${balancer.address}:${published}`,
    address: balancer.address,
    port: published,
    identity: { role: "edge", nodeId: null, published },
    owner: "balancer",
  };
}

function hasTaskOn(service: TableService, nodeId: string): boolean {
  return service.tasks.some((task) => task.nodeId === nodeId);
}

/** A node of another machine has published ports of its own; only loopback addresses are ours to open. */
function isLoopback(address: string): boolean {
  return address.startsWith("127.");
}

function nodeOrdinal(name: string, index: number): number {
  const number = /(\d{1,3})$/.exec(name)?.[1];
  return number === undefined ? index + 1 : Number(number);
}

/** Opens and closes listeners until they are what was last wanted. */
export class PublishedPorts {
  readonly #upstream: Upstream;
  readonly #key: string;
  readonly #log: (line: string) => void;
  readonly #open = new Map<string, Listener>();
  readonly #failed = new Map<string, ClosedPort>();
  readonly #onClosedPorts: (closed: readonly ClosedPort[]) => void;
  #desired: readonly DesiredListener[] = [];
  #work: Promise<void> = Promise.resolve();
  #retry: NodeJS.Timeout | null = null;
  #isClosed = false;

  /**
   * @param key what the runtime knows the listeners by
   * @param tell takes the ports that cannot be opened, whenever they are others
   */
  constructor(
    upstream: Upstream,
    key: string,
    log: (line: string) => void,
    tell: (closed: readonly ClosedPort[]) => void,
  ) {
    this.#upstream = upstream;
    this.#key = key;
    this.#log = log;
    this.#onClosedPorts = tell;
  }

  /** Converges on `wanted`; resolves when every port that can be opened is. A port that cannot is tried again. */
  apply(wanted: readonly DesiredListener[]): Promise<void> {
    this.#desired = wanted;
    this.#work = this.#work.then(() => this.#reconcile());
    return this.#work;
  }

  /** The port a wanted listener has, when it is open. */
  portOf(key: string): number | null {
    return this.#open.get(key)?.port ?? null;
  }

  /** True when a wanted listener could not be opened, so far. */
  hasFailed(key: string): boolean {
    return this.#failed.has(key);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#retry !== null) clearTimeout(this.#retry);
    await this.#work;
    await Promise.all([...this.#open.values()].map((listener) => listener.close(closeGraceMs)));
    this.#open.clear();
  }

  async #reconcile(): Promise<void> {
    if (this.#isClosed) return;
    const keys = new Set(this.#desired.map((one) => one.key));
    for (const [key, listener] of this.#open) {
      if (keys.has(key)) continue;
      this.#open.delete(key);
      void listener.close(closeGraceMs);
    }
    const before = [...this.#failed.values()];
    for (const key of this.#failed.keys()) if (!keys.has(key)) this.#failed.delete(key);
    for (const one of this.#desired) if (!this.#open.has(one.key)) await this.#tryOpen(one);
    const closed = [...this.#failed.values()];
    if (closed.length !== before.length || closed.some((one, index) => one !== before[index]))
      this.#onClosedPorts(closed);
    if (this.#failed.size > 0 && this.#retry === null) {
      this.#retry = setTimeout(() => {
        this.#retry = null;
        void this.apply(this.#desired);
      }, openRetryMs);
    }
  }

  async #tryOpen(one: DesiredListener): Promise<void> {
    try {
      const door = publishedPortProfile(one.identity, this.#key);
      const listener = await Listener.open(one.address, one.port, door, this.#upstream);
      this.#open.set(one.key, listener);
      const { published } = one.identity;
      // Where nodes share an address nobody could guess it.
      if (published !== null && published !== listener.port)
        this.#log(`${one.owner}: published port ${published} is open at ${one.address}:${listener.port}`);
      if (this.#failed.delete(one.key)) this.#log(`${one.owner}: ${one.address}:${one.port} is open now`);
    } catch (error) {
      const { owner, address, port, key } = one;
      const why = `${reasonOf(error as NodeJS.ErrnoException)}; trying again until it works`;
      if (this.#failed.get(key)?.why === why) return;
      this.#log(`${owner}: cannot open ${address}:${port}: ${why}`);
      this.#failed.set(key, { owner, address, port, why, sinceMs: Date.now() });
    }
  }
}

const bindErrorReasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "something else on this machine listens there",
  EACCES: "this user may not listen on ports under 1024",
  EADDRNOTAVAIL: "this machine does not have that address",
};

function reasonOf(error: NodeJS.ErrnoException): string {
  return bindErrorReasons[error.code ?? ""] ?? error.code ?? error.message;
}
