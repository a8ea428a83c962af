// The budget of file descriptors: how many connections and requests the listeners of a process may have.

import { assumedDescriptors } from "../net/descriptor-limit.ts";
import { RuntimeDescriptors, runtimeDescriptorsPerRequest } from "./runtime-descriptors.ts";

/** Descriptors that this process and the runtime need besides, idle connections between them included. */
const reservedDescriptors = 300;

/**
 * Requests of all clients that may wait behind others of their connections. Each takes about 3 KiB, which a
 * client causes with 26 bytes.
 */
export const defaultMaxWaiting = 20_000;

/** The part of the descriptors that connections of mode tcp may have, so that HTTP requests find others. */
const maxTunnelShare = 3 / 4;

/** Requests that may be open at a time with a limit of descriptors that the runtime has as well. */
export function maxOpenRequests(descriptors: number): number {
  return Math.max(2, Math.floor((descriptors - reservedDescriptors) / runtimeDescriptorsPerRequest));
}

/**
 * Descriptors that the exit of a process may have: for each request that may be open one to the runtime and one to
 * the server, and one more, because a request that has ended may still be closing when the next one begins. The exit
 * ends a connection beyond that, and a POST on it is lost.
 *
 * @param descriptors the limit of the process; null if it is unknown or unlimited
 */
export function exitDescriptors(descriptors: number | null): number {
  return 3 * maxOpenRequests(descriptors ?? assumedDescriptors);
}

/** Ends a connection that no request uses. */
type EndIdle = () => void;

/**
 * Counts the connections and open requests of all listeners of a process against its descriptors and those of
 * the runtime, and the requests that wait. A new connection or request takes the place of one that was refused,
 * or of the one that has been idle for longest, so that idle clients cannot keep others out.
 */
export class DescriptorBudget {
  /** The processes that requests are forwarded to. */
  readonly runtime: RuntimeDescriptors;
  /** Listeners, client connections, and connections to the runtime. */
  readonly #max: number;
  readonly #maxRequests: number;
  readonly #maxWaiting: number;
  readonly #maxTunnels: number;
  #listeners = 0;
  #waiting = 0;
  readonly #connections = new Set<object>();
  /** When the request of a connection began, milliseconds. */
  readonly #requests = new Map<object, number>();
  /** Connections of mode tcp that have a connection of their own to a target. */
  readonly #tunnels = new Set<object>();
  /** Connections whose request was refused, in that order; they end soon. */
  readonly #refused = new Map<object, EndIdle>();
  /** Idle connections, in the order in which they became idle. */
  readonly #idle = new Map<object, EndIdle>();

  /**
   * @param descriptors the limit of this process; null if it is unknown or unlimited
   * @param reserved descriptors that another part of this process has
   */
  constructor(descriptors: number | null, maxWaiting = defaultMaxWaiting, reserved = 0) {
    const limit = descriptors ?? assumedDescriptors;
    this.runtime = new RuntimeDescriptors(limit);
    this.#maxWaiting = maxWaiting;
    this.#max = Math.max(8, limit - reservedDescriptors - reserved);
    this.#maxRequests = maxOpenRequests(limit);
    this.#maxTunnels = Math.floor((this.#max * maxTunnelShare) / 2);
  }

  openListener(): void {
    this.#listeners += 1;
  }

  closeListener(): void {
    this.#listeners -= 1;
  }

  /** Counts a new, idle connection. False if there is no room for it. */
  connect(connection: object, endIdle: EndIdle): boolean {
    if (!this.#makeRoom()) return false;
    this.#connections.add(connection);
    this.#idle.set(connection, endIdle);
    return true;
  }

  disconnect(connection: object): void {
    this.#connections.delete(connection);
    this.#tunnels.delete(connection);
    this.#refused.delete(connection);
    this.#idle.delete(connection);
  }

  /**
   * Counts the second descriptor of a connection, the one to its target, until it disconnects. No other takes
   * its place: bytes of it may be on their way at any time. False if there is no room.
   */
  tunnel(connection: object): boolean {
    this.#idle.delete(connection);
    if (this.#tunnels.size >= this.#maxTunnels || !this.#makeRoom()) return false;
    this.#tunnels.add(connection);
    return true;
  }

  /**
   * Counts a request. False if too many are open; the connection must end then.
   *
   * @param nowMs of a clock that never goes back
   */
  begin(connection: object, nowMs: number): boolean {
    const endIdle = this.#idle.get(connection);
    if (this.beginStream(connection, connection, nowMs)) return true;
    if (endIdle !== undefined) this.#refused.set(connection, endIdle);
    return false;
  }

  /**
   * Counts one of several requests of a connection, which is not idle from here on. False if too many are open; the
   * connection may go on.
   */
  beginStream(connection: object, stream: object, nowMs: number): boolean {
    this.#idle.delete(connection);
    if (!this.#hasRoomForRequest(nowMs)) return false;
    this.#requests.set(stream, nowMs);
    return true;
  }

  /** The request has ended. @param endIdle null if the connection has other requests, or is closed */
  end(connection: object, endIdle: EndIdle | null): void {
    this.endStream(connection, connection, endIdle);
  }

  /** One of several requests has ended, or was not counted. @param endIdle as of `end` */
  endStream(connection: object, stream: object, endIdle: EndIdle | null): void {
    this.#requests.delete(stream);
    if (endIdle !== null) this.#idle.set(connection, endIdle);
  }

  /** Counts a request that waits behind another one of its connection. False if too many wait. */
  wait(): boolean {
    this.#waiting += 1;
    return this.#waiting <= this.#maxWaiting;
  }

  stopWaiting(count: number): void {
    this.#waiting -= count;
  }

  #hasRoomForRequest(nowMs: number): boolean {
    if (this.#requests.size >= this.#maxRequests) return false;
    return this.runtime.begin(nowMs, (sinceMs) => this.#openSince(sinceMs)) && this.#makeRoom();
  }

  #openSince(sinceMs: number): number {
    let count = 0;
    for (const beganMs of this.#requests.values()) if (beganMs >= sinceMs) count += 1;
    return count;
  }

  #open(): number {
    return this.#connections.size + this.#tunnels.size + this.#requests.size + this.#listeners;
  }

  /** Ends connections without a request until another descriptor may be open. False if that is not enough. */
  #makeRoom(): boolean {
    while (this.#open() >= this.#max) {
      const [oldest] = this.#refused.size > 0 ? this.#refused : this.#idle;
      if (oldest === undefined) return false;
      const [connection, endIdle] = oldest;
      this.disconnect(connection);
      endIdle();
    }
    return true;
  }
}
