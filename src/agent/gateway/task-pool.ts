// Connections to tasks that are kept open between requests that may be repeated.

import { Agent, type ClientRequest, type IncomingMessage } from "node:http";
import type { Socket } from "node:net";
import type { TaskEndpoint, TaskUnreachableError } from "./task-connection.ts";

/** Servers close idle connections after 2 s (gunicorn), 5 s (Node, Apache) or later. */
const idleConnectionMs = 1_500;

/** A connection is not used in the last milliseconds that a task announces for it. */
const announcedMarginMs = 1_000;

/** Idle connections kept to one port of a task. */
const maxIdleConnections = 64;

type Connect = (
  endpoint: TaskEndpoint,
  onDone: (error: TaskUnreachableError | null, socket: Socket) => void,
) => unknown;

/** What Node's client calls with the connection of a request, or with the reason why it gets none. */
type WaitingRequest = { onSocket(socket: Socket | undefined, error?: Error): void };

/** A connection, the one used last at the end of its list. */
type KeptConnection = {
  readonly socket: Socket;
  /** How long it may be idle, milliseconds. */
  maxIdleMs: number;
  /** When it became idle, monotonic milliseconds. */
  sinceMs: number;
};

/**
 * Gives each request of Node's HTTP client a connection, an idle one if there is any: the one that was used
 * last. Node's own pool does the same in 1.5 times the CPU time of the whole request; only its interface to
 * the client, `addRequest`, is used.
 *
 * @see docs/decisions/0079-connection-pool-of-the-gateway.md
 */
export class TaskPool extends Agent {
  readonly #connect: Connect;
  readonly #idle = new Map<string, KeptConnection[]>();
  readonly #kept = new WeakMap<Socket, KeptConnection>();
  #expiry: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(connect: Connect) {
    super({ keepAlive: true });
    this.#connect = connect;
  }

  /** Called by Node's client with each request that names this pool. */
  addRequest(request: ClientRequest, endpoint: TaskEndpoint): void {
    const waiting = request as unknown as WaitingRequest;
    const key = `${endpoint.host}:${endpoint.port}`;
    const idle = this.#takeIdle(key);
    if (idle !== null) {
      request.reusedSocket = true;
      waiting.onSocket(idle);
      return;
    }
    this.#connect(endpoint, (error, socket) => {
      if (error !== null) {
        waiting.onSocket(undefined, error);
        return;
      }
      this.#watch(key, socket);
      waiting.onSocket(socket);
    });
  }

  /** Reads for how long the task of a response keeps the connection open (`Keep-Alive: timeout=5`). */
  noteResponse({ socket, rawHeaders }: IncomingMessage): void {
    for (let index = 0; index < rawHeaders.length; index += 2) {
      const name = rawHeaders[index] as string;
      if (name.length !== 10 || name.toLowerCase() !== "keep-alive") continue;
      const seconds = /\btimeout=(\d+)/i.exec(rawHeaders[index + 1] as string)?.[1];
      const kept = this.#kept.get(socket);
      if (seconds === undefined || kept === undefined) continue;
      kept.maxIdleMs = Math.min(kept.maxIdleMs, Number(seconds) * 1_000 - announcedMarginMs);
    }
  }

  /** Closes connections that no request uses. */
  closeIdle(): void {
    for (const list of [...this.#idle.values()]) for (const { socket } of [...list]) socket.destroy();
  }

  /** Closes idle connections now, the others after their request. */
  override destroy(): void {
    this.#isClosed = true;
    this.closeIdle();
  }

  /** The connection used last that can take a request. */
  #takeIdle(key: string): Socket | null {
    const list = this.#idle.get(key);
    const nowMs = performance.now();
    for (let kept = list?.pop(); kept !== undefined; kept = list?.pop()) {
      const { socket } = kept;
      socket.off("data", endEarly);
      if (isUsable(socket) && nowMs - kept.sinceMs < kept.maxIdleMs) return socket;
      socket.destroy();
    }
    return null;
  }

  #watch(key: string, socket: Socket): void {
    const kept: KeptConnection = { socket, maxIdleMs: idleConnectionMs, sinceMs: 0 };
    this.#kept.set(socket, kept);
    // While a request uses the connection, Node's client listens as well.
    socket.on("error", ignore);
    // Node's client says so when the response has been read and the request written.
    socket.on("free", () => this.#keep(key, kept));
    socket.once("close", () => this.#forget(key, kept));
  }

  #keep(key: string, kept: KeptConnection): void {
    const list = this.#idle.get(key) ?? [];
    if (
      this.#isClosed ||
      !isUsable(kept.socket) ||
      kept.maxIdleMs <= 0 ||
      list.length >= maxIdleConnections
    ) {
      kept.socket.destroy();
      return;
    }
    kept.sinceMs = performance.now();
    // What a task sends without a request is not the response to the next one.
    kept.socket.on("data", endEarly);
    list.push(kept);
    this.#idle.set(key, list);
    this.#expiry ??= setTimeout(() => this.#expire(), idleConnectionMs).unref();
  }

  /** One timer serves all connections. It runs while any is idle. */
  #expire(): void {
    const nowMs = performance.now();
    let nextMs = Number.POSITIVE_INFINITY;
    for (const list of [...this.#idle.values()]) {
      for (const { socket, sinceMs, maxIdleMs } of [...list]) {
        const leftMs = sinceMs + maxIdleMs - nowMs;
        if (leftMs > 0) nextMs = Math.min(nextMs, leftMs);
        else socket.destroy();
      }
    }
    this.#expiry =
      nextMs === Number.POSITIVE_INFINITY ? null : setTimeout(() => this.#expire(), nextMs).unref();
  }

  #forget(key: string, kept: KeptConnection): void {
    const list = this.#idle.get(key);
    const index = list?.indexOf(kept) ?? -1;
    if (index >= 0) list?.splice(index, 1);
    if (list?.length === 0) this.#idle.delete(key);
  }
}

function isUsable(socket: Socket): boolean {
  return !socket.destroyed && socket.writable && !socket.readableEnded;
}

function endEarly(this: Socket): void {
  this.destroy();
}

function ignore(): void {}
