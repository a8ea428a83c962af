// The open connections of a gateway's port, and which of them end when descriptors run short.

import type { Duplex } from "node:stream";
import { assumedDescriptors, descriptorLimit } from "../../net/descriptor-limit.ts";

/** Descriptors that the agent needs besides: files, logs, its connection to the registry. */
const reservedByAgent = 128;

type RouterConnection = {
  /** Requests in progress. */
  active: number;
  /** A request on it has proven that the peer is a router. */
  isProven: boolean;
};

/**
 * Counts connections against the descriptors of the process. A new one, or a request, takes the place of an
 * idle one if there is no other: first of one that has proven nothing, the oldest first.
 */
export class RouterConnections {
  readonly #connections = new Map<Duplex, RouterConnection>();
  /** Idle connections in the order in which they became idle. */
  readonly #unproven = new Set<Duplex>();
  readonly #proven = new Set<Duplex>();
  readonly #max: number;
  #isClosing = false;
  readonly #openToTasks: () => number;
  readonly #closeIdleToTasks: () => void;

  /** @param maxDescriptors of routers' and tasks' connections together */
  constructor(maxDescriptors: number, toTasks: { open: () => number; closeIdle: () => void }) {
    this.#max = maxDescriptors;
    this.#openToTasks = toTasks.open;
    this.#closeIdleToTasks = toTasks.closeIdle;
  }

  /** Counts a new connection, or ends it if there is no room. */
  add(socket: Duplex): void {
    if (!this.hasRoom()) {
      socket.destroy();
      return;
    }
    this.#connections.set(socket, { active: 0, isProven: false });
    this.#unproven.add(socket);
    socket.once("close", () => {
      this.#connections.delete(socket);
      this.#unproven.delete(socket);
      this.#proven.delete(socket);
    });
  }

  /** True if a request of the connection is in progress. */
  isActive(socket: Duplex): boolean {
    return (this.#connections.get(socket)?.active ?? 0) > 0;
  }

  begin(socket: Duplex): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.active += 1;
    this.#unproven.delete(socket);
    this.#proven.delete(socket);
  }

  /** @param isProven the request had a proof */
  end(socket: Duplex, isProven: boolean): void {
    const connection = this.#connections.get(socket);
    if (connection === undefined) return;
    connection.active -= 1;
    connection.isProven ||= isProven;
    if (connection.active > 0) return;
    if (this.#isClosing) socket.end();
    else (connection.isProven ? this.#proven : this.#unproven).add(socket);
  }

  /** True if there is a descriptor for one more connection, if need be in place of an idle one. */
  hasRoom(): boolean {
    if (this.#count() < this.#max) return true;
    const [idle] = this.#unproven.size > 0 ? this.#unproven : [];
    if (idle === undefined) this.#closeIdleToTasks();
    const [victim] = idle === undefined ? this.#proven : [idle];
    if (victim !== undefined) this.#forget(victim);
    return this.#count() < this.#max;
  }

  /** Ends idle connections, or all. No connection stays idle from now on. */
  close(which: "idle" | "all"): void {
    this.#isClosing = true;
    const sockets = which === "all" ? this.#connections.keys() : [...this.#unproven, ...this.#proven];
    for (const socket of [...sockets]) socket.destroy();
  }

  #count(): number {
    return this.#connections.size + this.#openToTasks();
  }

  #forget(socket: Duplex): void {
    this.#connections.delete(socket);
    this.#unproven.delete(socket);
    this.#proven.delete(socket);
    socket.destroy();
  }
}

/** Descriptors for connections: the limit of this process without what the agent needs besides. */
export function connectionDescriptors(): number {
  return Math.max(16, (descriptorLimit() ?? assumedDescriptors) - reservedByAgent);
}
