// The budget of file descriptors: how many connections and requests the listeners of a process may have.

/** Descriptors that this process and the runtime need besides, idle connections between them included. */
const reservedDescriptors = 300;

/**
 * Requests of all clients that may wait behind others of their connections. Each takes about 3 KiB, which a
 * client causes with 26 bytes.
 */
const defaultMaxWaiting = 20_000;

/** The limit if the system states none. */
const assumedDescriptors = 10_240;

/**
 * Descriptors of the runtime for a request: four of a GET, a POST and a WebSocket were counted in workerd of
 * 2026-11-17, of which one is the connection to the target; a second attempt needs more. workerd ends when
 * it cannot accept a connection.
 */
const runtimeDescriptorsPerRequest = 5;

/** Requests that may be open at a time with a limit of descriptors that the runtime has as well. */
export function maxOpenRequests(descriptors: number): number {
  return Math.max(2, Math.floor((descriptors - reservedDescriptors) / runtimeDescriptorsPerRequest));
}

/** Ends a connection that no request uses. */
type EndIdle = () => void;

/**
 * Counts the connections and open requests of all listeners of a process against its descriptors, and the
 * requests that wait. A new connection takes the place of the one that has been idle for longest, so that idle
 * clients cannot keep others out.
 */
export class DescriptorBudget {
  /** Client connections and connections to the runtime. */
  readonly #max: number;
  readonly #maxRequests: number;
  readonly #maxWaiting: number;
  #connections = 0;
  #requests = 0;
  #waiting = 0;
  /** Idle connections, in the order in which they became idle. */
  readonly #idle = new Map<object, EndIdle>();

  /** @param descriptors the limit of this process; null if it is unknown or unlimited */
  constructor(descriptors: number | null, maxWaiting = defaultMaxWaiting) {
    this.#maxWaiting = maxWaiting;
    this.#max = Math.max(8, (descriptors ?? assumedDescriptors) - reservedDescriptors);
    this.#maxRequests = maxOpenRequests(descriptors ?? assumedDescriptors);
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

  /** Counts a request that waits behind another one of its connection. False if too many wait. */
  wait(): boolean {
    this.#waiting += 1;
    return this.#waiting <= this.#maxWaiting;
  }

  stopWaiting(count: number): void {
    this.#waiting -= count;
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
