// The limits of the listeners of one process: sizes, times, and descriptors.

import { readFileSync } from "node:fs";

/** Limit of a request head. Node.js and HAProxy default to 16 KiB; the cookies of some sites need more. */
export const maxHeaderBytes = 64 * 1024;

/** Times in milliseconds. */
export type ListenerTimeouts = {
  /** For a request head to arrive, from the first byte or from the connection (HAProxy `timeout http-request`). */
  readonly headMs: number;
  /** Of a connection between two requests (HAProxy `timeout http-keep-alive`). */
  readonly keepAliveMs: number;
  /**
   * Without a byte of the body, or without reading a byte of the response (HAProxy `timeout client`). A longer
   * time for bodies can be set: see `longestBodyTimeoutMs`.
   */
  readonly clientMs: number;
};

export const defaultTimeouts: ListenerTimeouts = { headMs: 15_000, keepAliveMs: 60_000, clientMs: 30_000 };

/**
 * Longest time without a byte of a body, milliseconds; Infinity: any. A listener does not know which service a
 * request is for, so the longest of all services applies; the data plane applies the service's own.
 *
 * @param services the labels `waggle.body-timeout` of all services, undefined for those without; 0: any time
 * @param variable BODY_TIMEOUT_MS; null if it is not set
 */
export function longestBodyTimeoutMs(
  services: readonly (number | undefined)[],
  variable: number | null,
): number {
  const times = services.map((ms) => ms ?? variable ?? defaultTimeouts.clientMs);
  if (times.includes(0) || (services.length === 0 && variable === 0)) return Number.POSITIVE_INFINITY;
  return Math.max(defaultTimeouts.clientMs, variable ?? 0, ...times);
}

/** Descriptors that this process and the runtime need besides, idle connections between them included. */
const reservedDescriptors = 300;

/** Assumed where the system does not tell, such as macOS. */
const assumedDescriptors = 10_240;

/**
 * The limit of open descriptors of this process, which the runtime shares: Node raises the soft limit to the
 * hard one at its start, and its children inherit it.
 */
export function descriptorLimit(): number {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8"));
    return line === null ? assumedDescriptors : Number(line[1]);
  } catch {
    return assumedDescriptors;
  }
}

/** Ends a connection that no request uses. */
type EndIdle = () => void;

/**
 * Counts the connections and open requests of all listeners of a process against its descriptors. A new
 * connection takes the place of the one that has been idle for longest, so that idle clients cannot keep
 * others out.
 */
export class DescriptorBudget {
  /** Client connections and connections to the runtime. */
  readonly #max: number;
  /** A request also needs descriptors in the runtime: its connection, and one to the target. */
  readonly #maxRequests: number;
  #connections = 0;
  #requests = 0;
  /** Idle connections, in the order in which they became idle. */
  readonly #idle = new Map<object, EndIdle>();

  constructor(descriptors: number) {
    this.#max = Math.max(8, descriptors - reservedDescriptors);
    this.#maxRequests = Math.floor(this.#max / 2);
  }

  /** Counts a new, idle connection. False if there is no room for it. */
  connect(connection: object, endIdle: EndIdle): boolean {
    if (this.#connections + this.#requests >= this.#max && !this.#endOldest()) return false;
    this.#connections += 1;
    this.#idle.set(connection, endIdle);
    return true;
  }

  disconnect(connection: object): void {
    this.#connections -= 1;
    this.#idle.delete(connection);
  }

  /** Counts a request. False if too many are open. */
  begin(connection: object): boolean {
    if (this.#requests >= this.#maxRequests) return false;
    this.#requests += 1;
    this.#idle.delete(connection);
    return true;
  }

  /** The request has ended. @param endIdle null if the connection has other requests, or is closed */
  end(connection: object, endIdle: EndIdle | null): void {
    this.#requests -= 1;
    if (endIdle !== null) this.#idle.set(connection, endIdle);
  }

  #endOldest(): boolean {
    const [oldest] = this.#idle;
    if (oldest === undefined) return false;
    const [connection, endIdle] = oldest;
    this.#idle.delete(connection);
    endIdle();
    return true;
  }
}
