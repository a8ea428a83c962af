// A port on one address: a real TCP listener in front of the Workers runtime, whose own sockets are fixed when it
// starts. It says in each request head where the request came in, refuses what two readers could read differently, and
// otherwise moves bytes.

import { createServer, connect as dial, type Server, type Socket } from "node:net";
import type { ListenerProfile } from "./listener-profile.ts";
import { RequestHeads } from "./request-heads.ts";

/** Where requests go on to. */
export type Upstream = { readonly host: string; readonly port: number };

/** How long a new connection waits for the runtime while that restarts, and how often it tries; milliseconds. */
const upstreamDialTimeoutMs = 10_000;
const upstreamDialIntervalMs = 50;

/** An open port. */
export class Listener {
  readonly #server: Server;
  /** Open connections, each with what lets it finish: no further request is taken, the answer under way is given. */
  readonly #connections = new Map<Socket, () => void>();
  readonly #profile: ListenerProfile;
  readonly #upstream: Upstream;

  private constructor(door: ListenerProfile, upstream: Upstream) {
    this.#profile = door;
    this.#upstream = upstream;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Opens `address:port`; rejects with Node's error (EADDRINUSE, EADDRNOTAVAIL, EACCES) when it cannot. */
  static async open(
    address: string,
    port: number,
    door: ListenerProfile,
    upstream: Upstream,
  ): Promise<Listener> {
    const listener = new Listener(door, upstream);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once("error", reject);
      listener.#server.listen({ host: address, port }, () => {
        listener.#server.off("error", reject);
        resolve();
      });
    });
    return listener;
  }

  /** The port it listens on. */
  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the listener is closed");
    return address.port;
  }

  /** Stops listening; answers under way are given up to `graceMs`. Resolves when all connections are closed. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    for (const finish of this.#connections.values()) finish();
    const deadline = setTimeout(() => {
      for (const client of this.#connections.keys()) client.destroy();
    }, graceMs);
    await closed;
    clearTimeout(deadline);
  }

  #accept(client: Socket): void {
    const door = this.#profile;
    const from = (client.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
    const heads = new RequestHeads("x-waggle-entry", door.entryHeader(from));
    this.#connections.set(client, () => client.destroy());
    client.once("close", () => this.#connections.delete(client));
    client.on("error", () => client.destroy());
    client.pause();
    dialWithRetry(this.#upstream, Date.now() + upstreamDialTimeoutMs, client, (upstream) => {
      if (upstream === null)
        return respondAndClose(client, door, 503, "the mesh is restarting and did not come back in time");
      this.#connections.set(client, () => upstream.end());
      splice(client, upstream, heads, door);
    });
  }
}

function dialWithRetry(
  to: Upstream,
  untilMs: number,
  client: Socket,
  done: (upstream: Socket | null) => void,
): void {
  const upstream = dial({ host: to.host, port: to.port, noDelay: true, allowHalfOpen: true });
  upstream.once("connect", () => {
    upstream.removeAllListeners("error");
    done(upstream);
  });
  upstream.once("error", () => {
    if (client.destroyed) return;
    if (Date.now() >= untilMs) return done(null);
    setTimeout(() => dialWithRetry(to, untilMs, client, done), upstreamDialIntervalMs);
  });
}

function splice(client: Socket, upstream: Socket, heads: RequestHeads, door: ListenerProfile): void {
  let upgrading = false;
  let refused = false;

  const send = (fed: ReturnType<RequestHeads["feed"]>): void => {
    let room = true;
    for (const bytes of fed.out) room = upstream.write(bytes);
    if (fed.refusal !== null) {
      refused = true;
      upstream.destroy();
      respondAndClose(client, door, fed.refusal.status, fed.refusal.reason);
    } else if (fed.isUpgrade) {
      upgrading = true;
      client.pause();
    } else if (!room) {
      client.pause();
    }
  };

  client.on("data", (bytes: Buffer) => {
    if (!refused && upstream.writable) send(heads.feed(bytes));
  });
  client.on("end", () => upstream.end());
  client.on("close", () => upstream.destroy());
  upstream.on("drain", () => {
    if (!upgrading) client.resume();
  });
  upstream.on("data", (bytes: Buffer) => {
    if (upgrading) {
      upgrading = false;
      send(heads.decideUpgrade(bytes.subarray(0, 12).toString("latin1") === "HTTP/1.1 101"));
      client.resume();
    }
    if (!client.write(bytes)) upstream.pause();
  });
  client.on("drain", () => upstream.resume());
  upstream.on("end", () => {
    if (!refused) client.end();
  });
  upstream.on("error", () => upstream.destroy());
  upstream.on("close", () => {
    if (!refused) client.destroySoon();
  });
  client.resume();
}

const reasonPhrases = {
  400: "Bad Request",
  431: "Request Header Fields Too Large",
  501: "Not Implemented",
  503: "Service Unavailable",
};

function respondAndClose(
  client: Socket,
  door: ListenerProfile,
  status: keyof typeof reasonPhrases,
  reason: string,
): void {
  const line = `${status} ${reasonPhrases[status]}`;
  const { type, body } = door.refusal(line, reason);
  const retry = status === 503 ? "retry-after: 1\r\n" : "";
  client.end(
    `HTTP/1.1 ${line}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `${retry}cache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
  // Bytes the client still sends are read and forgotten, so that it gets to read the answer before a reset.
  client.resume();
  setTimeout(() => client.destroy(), 1_000).unref();
}
