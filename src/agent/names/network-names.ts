// The names of services in the containers of a node, across nodes: carries out the plan with a name server, listeners
// and address rules. What runs on this machine is read from its runtime each time, so that nothing has to be remembered.

import { createHash } from "node:crypto";
import type { AssignedTask, Assignment, NamedNetwork, SentNodeKey } from "../../protocol/agent.ts";
import type { RelayAddress } from "../dial-gateway.ts";
import type { GatewayNetworks } from "../gateway/gateway.ts";
import type { NodeKey } from "../gateway/proof.ts";
import type { LocalNetwork, LocalNetworks, Runtime } from "../runtimes/runtime.ts";
import { wait } from "../wait.ts";
import { NameRules, type OpenAddress, type RuleInput } from "./name-rules.ts";
import { type NameAnswer, NameServer } from "./name-server.ts";
import { type NamedForwarding, NamedListener } from "./named-listener.ts";
import {
  addressesOf,
  type NamedAddress,
  type NamedClient,
  type NamedTask,
  type NamesPlan,
  planNames,
} from "./names-plan.ts";
import { type Peer, PeerConnections } from "./peer-connections.ts";
import { type DialContext, TaskDialer } from "./task-dialer.ts";

export type NetworkNamesOptions = {
  /** Without `localNetworks` its tasks cannot use names; others reach them by names. */
  readonly runtime: Pick<Runtime, "localNetworks">;
  /** Identifies the agent across its restarts. */
  readonly agent: string;
  /** Null before the node has joined. */
  readonly relay: () => RelayAddress | null;
  /** The registry's time, epoch milliseconds. */
  readonly nowMs: () => number;
  /** Where a process of this node listens; null if it does not. */
  readonly processEndpoint: (taskId: string, port: number) => { host: string; port: number } | null;
  /** Connections of containers at a time. */
  readonly maxConnections: number;
  readonly log: (line: string) => void;
};

/** Addresses and ports that are accepted at a time, each a descriptor. */
const maxListeners = 2_000;

/** Time until a failed change is tried again, milliseconds. */
const retryMs = 1_000;

/** Questions from addresses that are not known yet cause a look at this machine so often at most, milliseconds. */
const unknownClientMs = 250;

const noNetworks: LocalNetworks = { networks: [], members: [] };
const noPlan: NamesPlan = planNames([], noNetworks);

/** @see docs/networks.md, docs/decisions/0114-names-across-nodes.md */
export class NetworkNames {
  readonly #options: NetworkNamesOptions;
  readonly #rules: NameRules;
  /** The name server's address in containers. */
  readonly #address: string;
  readonly #forwarding: NamedForwarding;
  readonly #servers = new Map<string, NameServer>();
  readonly #listeners = new Map<string, { readonly host: string; readonly listener: NamedListener }>();
  #networks: readonly NamedNetwork[] = [];
  #accepted: ReadonlyMap<string, { readonly key: NodeKey; readonly peer: Peer }> = new Map();
  readonly #connections = new PeerConnections();
  /** The networks of each assigned task. */
  #taskNetworks: ReadonlyMap<string, ReadonlySet<string>> = new Map();
  #local: LocalNetworks = noNetworks;
  #plan: NamesPlan = noPlan;
  readonly #lookForClient = spaced(() => this.refresh(), unknownClientMs);
  #pending: Promise<void> | null = null;
  #running: Promise<void> = Promise.resolve();
  #lastError = "";
  /** Why the agent cannot set rules on this machine; resolves to null if it can. */
  #problem: Promise<string | null> | null = null;
  #isProblemLogged = false;
  #isAssigned = false;
  #isClosed = false;

  constructor(options: NetworkNamesOptions) {
    this.#options = options;
    this.#rules = new NameRules(options.agent);
    this.#address = nameServerAddress(options.agent);
    const dialer = new TaskDialer(() => this.#dialContext());
    this.#forwarding = {
      dial: async (task, port, signal) => {
        const dialed = await dialer.dial(task, port, signal);
        const isPeers = this.#ownAddress(task.networkId, task.id) === null;
        if (isPeers && typeof dialed !== "string") this.#connections.add(task, dialed);
        return dialed;
      },
      isClient: (networkId, ip) => this.#clientAt(ip)?.networkIds.includes(networkId) === true,
      monotonicMs: () => performance.now(),
      avoided: new Map(),
      maxConnections: options.maxConnections,
      connections: 0,
      byClient: new Map(),
    };
  }

  /** What the gateway accepts from other nodes. */
  readonly gateway: GatewayNetworks = {
    key: (keyId) => this.#accepted.get(keyId) ?? null,
    endpoint: (networkId, taskId, port) => {
      if (this.#taskNetworks.get(taskId)?.has(networkId) !== true) return null;
      const host = this.#ownAddress(networkId, taskId);
      return host === null ? this.#options.processEndpoint(taskId, port) : { host, port };
    },
    follow: (peer, connection) => this.#connections.add(peer, connection),
  };

  /** Takes the networks of an assignment. */
  apply({ networks = [], tasks }: Pick<Assignment, "networks" | "tasks">): void {
    this.#isAssigned = true;
    this.#networks = networks;
    this.#accepted = acceptedKeys(networks);
    this.#connections.apply(networks);
    this.#taskNetworks = new Map(tasks.map((task) => [task.id, networkIdsOf(task)]));
    this.refresh();
  }

  /** Reads again what runs here, and makes names fit it. Resolves when that is done. */
  refresh(): Promise<void> {
    this.#pending ??= this.#running.then(() => {
      this.#pending = null;
      this.#running = this.#refresh();
      return this.#running;
    });
    return this.#pending;
  }

  /** See PrepareContext. */
  async openNames(): Promise<string | null> {
    if (await this.#isWorking()) {
      await this.refresh();
      return this.#address;
    }
    const problem = await this.#problem;
    if (problem !== null && !this.#isProblemLogged) {
      this.#isProblemLogged = true;
      this.#options.log(
        `names of services lead to containers of this machine only, because the agent cannot set rules (${problem}): run it as root, with iptables`,
      );
    }
    return null;
  }

  /** Closes the listeners and name servers. The rules stay while a container of this agent is on a network. */
  async close(): Promise<void> {
    await this.#running;
    this.#isClosed = true;
    for (const { listener } of this.#listeners.values()) listener.close();
    for (const server of this.#servers.values()) server.close();
    if (!(await this.#isWorking())) return;
    const { members } = await this.#readLocal().catch(() => this.#local);
    if (members.length === 0) await this.#rules.remove().catch(() => undefined);
  }

  async #readLocal(): Promise<LocalNetworks> {
    return (await this.#options.runtime.localNetworks?.()) ?? noNetworks;
  }

  async #isWorking(): Promise<boolean> {
    if (this.#options.runtime.localNetworks === undefined) return false;
    this.#problem ??= NameRules.problem();
    return (await this.#problem) === null;
  }

  async #refresh(): Promise<void> {
    // Rules of an earlier agent refuse connections until it is known what they should do.
    if (this.#isClosed || !this.#isAssigned) return;
    try {
      this.#local = await this.#readLocal();
      if (!(await this.#isWorking())) return;
      this.#plan = planNames(this.#networks, this.#local);
      const local = this.#usedNetworks();
      await this.#openServers([...local.values()]);
      await this.#openListeners(local);
      await this.#rules.apply(this.#ruleInput(local));
      this.#lastError = "";
    } catch (error) {
      const { message } = error as Error;
      if (message !== this.#lastError)
        this.#options.log(`cannot set up the names of services: ${message}; trying again`);
      this.#lastError = message;
      // Another program may have changed the rules at the same moment.
      setTimeout(() => void this.refresh(), retryMs).unref();
    }
  }

  /** The networks of this machine that its tasks are on, or will be. Others may belong to another agent. */
  #usedNetworks(): ReadonlyMap<string, LocalNetwork> {
    const used = new Set(this.#networks.map(({ id }) => id));
    for (const { addresses } of this.#local.members) for (const id of addresses.keys()) used.add(id);
    const networks = this.#local.networks.filter(({ id }) => used.has(id));
    return new Map(networks.map((network) => [network.id, network]));
  }

  /** One name server on each network, so that it goes with the network. */
  async #openServers(networks: readonly LocalNetwork[]): Promise<void> {
    const wanted = new Set(networks.map(({ gateway }) => gateway));
    for (const [gateway, server] of this.#servers) {
      if (wanted.has(gateway)) continue;
      server.close();
      this.#servers.delete(gateway);
    }
    for (const gateway of wanted) {
      if (this.#servers.has(gateway)) continue;
      this.#servers.set(
        gateway,
        await NameServer.open(gateway, (client, name) => this.#answer(client, name)),
      );
    }
  }

  async #openListeners(local: ReadonlyMap<string, LocalNetwork>): Promise<void> {
    const wanted = new Map<string, { readonly at: NamedAddress; readonly host: string }>();
    for (const at of this.#plan.listeners) {
      const host = local.get(at.networkId)?.gateway;
      if (host !== undefined && wanted.size < maxListeners) wanted.set(keyOf(at), { at, host });
    }
    for (const [key, { host, listener }] of this.#listeners) {
      if (wanted.get(key)?.host === host) continue;
      listener.close();
      this.#listeners.delete(key);
    }
    for (const [key, { at, host }] of wanted) {
      const open = this.#listeners.get(key);
      if (open !== undefined) open.listener.tasks = at.tasks;
      else {
        const listener = await NamedListener.open(host, at, this.#forwarding);
        this.#listeners.set(key, { host, listener });
      }
    }
  }

  #ruleInput(local: ReadonlyMap<string, LocalNetwork>): RuleInput {
    const listeners = new Map<string, OpenAddress>();
    for (const [key, { host, listener }] of this.#listeners) {
      listeners.set(key, { gateway: host, port: listener.localPort });
    }
    return {
      nameServer: this.#address,
      networks: [...local.values()].map((network) => ({
        ...network,
        nameServerPort: this.#servers.get(network.gateway)?.port ?? 0,
      })),
      plan: this.#plan,
      listeners,
    };
  }

  async #answer(client: string, name: string): Promise<NameAnswer> {
    // A container may ask before its start is known here; its connections have to find their rules then.
    if (this.#clientAt(client) === undefined) await this.#lookForClient();
    const found = this.#clientAt(client);
    if (found === undefined) return { kind: "next" };
    const addresses = addressesOf(this.#plan, found, name);
    if (addresses !== null) return { kind: "addresses", addresses: rotated(addresses) };
    return { kind: found.hasNameServers ? "next" : "forward" };
  }

  #clientAt(address: string): NamedClient | undefined {
    return this.#plan.clients.find(({ ip }) => ip === address);
  }

  #dialContext(): DialContext {
    const { relay, nowMs } = this.#options;
    return {
      networks: this.#networks,
      ownAddress: ({ networkId, id }: NamedTask) => this.#ownAddress(networkId, id),
      relay: relay(),
      nowMs,
    };
  }

  #ownAddress(networkId: string, taskId: string): string | null {
    const member = this.#local.members.find((other) => other.taskId === taskId);
    return member?.addresses.get(networkId) ?? null;
  }
}

/**
 * A link-local address for the name server in containers, which leads to this machine by the rules. Agents that share
 * a daemon have different ones. Not the block of metadata services of clouds, 169.254.169.0/24 and above.
 */
function nameServerAddress(agent: string): string {
  const [high = 0, low = 0] = createHash("sha256").update(`name server ${agent}`).digest();
  return `169.254.${2 + (high % 98)}.${1 + (low % 254)}`;
}

function acceptedKeys(networks: readonly NamedNetwork[]) {
  const accepted = new Map<string, { readonly key: NodeKey; readonly peer: Peer }>();
  for (const { id: networkId, peers } of networks) {
    for (const { accept, nodeId } of peers) {
      for (const sent of accept) accepted.set(sent.id, { key: decoded(sent), peer: { networkId, nodeId } });
    }
  }
  return accepted;
}

function decoded({ id, key }: SentNodeKey): NodeKey {
  return { id, key: Buffer.from(key, "base64url") };
}

function networkIdsOf({ networks = [] }: AssignedTask): ReadonlySet<string> {
  return new Set(networks.map(({ id }) => id));
}

function keyOf({ networkId, address, port }: NamedAddress): string {
  return `${networkId} ${address} ${port}`;
}

/** Runs work that starts after a call to it, for all calls meanwhile together; it starts once in `minMs`. */
export function spaced(work: () => Promise<void>, minMs: number): () => Promise<void> {
  let next: Promise<void> | null = null;
  let startedMs = Number.NEGATIVE_INFINITY;
  return () => {
    next ??= wait(Math.max(0, startedMs + minMs - performance.now())).then(() => {
      next = null;
      startedMs = performance.now();
      return work();
    });
    return next;
  };
}

/** From a random place on: a client that takes the first address reaches all of them over time. */
function rotated(addresses: readonly string[]): readonly string[] {
  const at = Math.floor(Math.random() * addresses.length);
  return [...addresses.slice(at), ...addresses.slice(0, at)];
}
