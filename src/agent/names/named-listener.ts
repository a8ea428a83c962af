// A port of the agent that stands for one address and port of a network: each connection goes to one of its tasks.

import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { joinStreams } from "../../net/join-streams.ts";
import type { DialResult } from "../dial-gateway.ts";
import { keepAliveProbeMs } from "../gateway/task-connection.ts";
import { listenBacklog } from "../listen-backlog.ts";
import type { NamedAddress, NamedTask } from "./names-plan.ts";

/** How long a task that did not answer is the last choice, milliseconds. */
const avoidMs = 5_000;

/** What the listeners of an agent share. */
export type NamedForwarding = {
  readonly dial: (task: NamedTask, port: number, signal: AbortSignal) => Promise<DialResult>;
  /** True for an address of a container on the network. */
  readonly isClient: (networkId: string, ip: string) => boolean;
  /** Milliseconds of a clock that is never set. */
  readonly monotonicMs: () => number;
  /** Until when tasks are the last choice, by task id. */
  readonly avoided: Map<string, number>;
  /** One container has at most half of them. */
  readonly maxConnections: number;
  /** Number of open connections. */
  connections: number;
  /** The same of each container, by address. */
  readonly byClient: Map<string, number>;
};

export class NamedListener {
  readonly #networkId: string;
  readonly #port: number;
  readonly #forwarding: NamedForwarding;
  readonly #server: Server;
  /** The tasks that connections go to, in turn. */
  tasks: readonly NamedTask[];
  #next = 0;

  private constructor({ networkId, port, tasks }: NamedAddress, forwarding: NamedForwarding) {
    this.#networkId = networkId;
    this.#port = port;
    this.tasks = tasks;
    this.#forwarding = forwarding;
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      keepAlive: true,
      keepAliveInitialDelay: keepAliveProbeMs,
    });
    this.#server.on("connection", (socket) => void this.#serve(socket));
  }

  /** Opens any port of an address of this machine; rejects with Node's error. */
  static async open(host: string, at: NamedAddress, forwarding: NamedForwarding): Promise<NamedListener> {
    const listener = new NamedListener(at, forwarding);
    const server = listener.#server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen({ host, port: 0, backlog: listenBacklog }, resolve);
    });
    server.on("error", () => undefined);
    return listener;
  }

  /** The port of this machine. */
  get localPort(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Accepts no more connections; open ones go on. */
  close(): void {
    this.#server.close();
  }

  async #serve(client: Socket): Promise<void> {
    const forwarding = this.#forwarding;
    client.on("error", () => undefined);
    const address = client.remoteAddress ?? "";
    if (!this.#admits(address)) {
      client.resetAndDestroy();
      return;
    }
    count(forwarding, address, 1);
    const leaving = new AbortController();
    client.once("close", () => {
      count(forwarding, address, -1);
      leaving.abort();
    });
    const target = await this.#connect(leaving.signal);
    if (target === null) client.resetAndDestroy();
    else if (client.destroyed) target.destroy();
    else joinStreams(client, target);
  }

  #admits(address: string): boolean {
    const { isClient, maxConnections, connections, byClient } = this.#forwarding;
    // The port is open to every container of this machine, and to machines that have a route to its bridges.
    if (!isClient(this.#networkId, address)) return false;
    return connections < maxConnections && (byClient.get(address) ?? 0) < maxConnections / 2;
  }

  /** Tries the tasks in turn, each once. Null if none of them accepts. */
  async #connect(signal: AbortSignal): Promise<Duplex | null> {
    const { dial, avoided, monotonicMs } = this.#forwarding;
    for (const task of this.#inTurn()) {
      if (signal.aborted) return null;
      const dialed = await dial(task, this.#port, signal);
      if (typeof dialed !== "string") {
        avoided.delete(task.id);
        return dialed;
      }
      if (dialed === "unreached" && !signal.aborted) avoided.set(task.id, monotonicMs() + avoidMs);
    }
    return null;
  }

  /** The tasks from the next one on; those that did not answer recently are last. */
  #inTurn(): readonly NamedTask[] {
    const { avoided, monotonicMs } = this.#forwarding;
    const at = this.#next % Math.max(1, this.tasks.length);
    this.#next = at + 1;
    const turned = [...this.tasks.slice(at), ...this.tasks.slice(0, at)];
    const nowMs = monotonicMs();
    const isAvoided = ({ id }: NamedTask): boolean => (avoided.get(id) ?? 0) > nowMs;
    return [...turned.filter((task) => !isAvoided(task)), ...turned.filter(isAvoided)];
  }
}

function count(forwarding: NamedForwarding, address: string, change: 1 | -1): void {
  const own = (forwarding.byClient.get(address) ?? 0) + change;
  forwarding.connections += change;
  if (own === 0) forwarding.byClient.delete(address);
  else forwarding.byClient.set(address, own);
}
