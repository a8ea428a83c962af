// A TCP listener in front of the Workers runtime, whose own sockets are fixed when it starts. It adds the
// entry header to each request, refuses ambiguous requests, and otherwise copies bytes.

import { createServer, connect as dial, type Server, type Socket } from "node:net";
import type { ListenerProfile } from "./listener-profile.ts";
import { RequestHeads } from "./request-heads.ts";

/** The address that requests are forwarded to. */
export type Upstream = { readonly host: string; readonly port: number };

/** How long a new connection waits for a restart of the runtime. */
const upstreamDialTimeoutMs = 10_000;
const upstreamDialIntervalMs = 50;

/**
 * An open port.
 *
 * @see docs/decisions/0004-listeners-on-one-machine.md
 */
export class Listener {
  readonly #server: Server;
  /** Open connections, each with a function that ends it after the current response. */
  readonly #connections = new Map<Socket, () => void>();
  readonly #profile: ListenerProfile;
  readonly #upstream: Upstream;

  private constructor(profile: ListenerProfile, upstream: Upstream) {
    this.#profile = profile;
    this.#upstream = upstream;
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#accept(client));
  }

  /** Opens `address:port`; rejects with Node's error (EADDRINUSE, EADDRNOTAVAIL, EACCES) if that fails. */
  static async open(
    address: string,
    port: number,
    profile: ListenerProfile,
    upstream: Upstream,
  ): Promise<Listener> {
    const listener = new Listener(profile, upstream);
    await new Promise<void>((resolve, reject) => {
      listener.#server.once("error", reject);
      listener.#server.listen({ host: address, port }, () => {
        listener.#server.off("error", reject);
        resolve();
      });
    });
    return listener;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the listener is closed");
    return address.port;
  }

  /** Stops listening. Open responses may take up to `graceMs`. Resolves when all connections are closed. */
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
    const profile = this.#profile;
    const clientAddress = (client.remoteAddress ?? "unknown").replace(/^::ffff:/, "");
    const heads = new RequestHeads("x-waggle-entry", profile.entryHeader(clientAddress));
    this.#connections.set(client, () => client.destroy());
    client.once("close", () => this.#connections.delete(client));
    client.on("error", () => client.destroy());
    client.pause();
    dialWithRetry(this.#upstream, Date.now() + upstreamDialTimeoutMs, client, (upstream) => {
      if (upstream === null)
        return respondAndClose(client, profile, 503, "the mesh is restarting and did not come back in time");
      this.#connections.set(client, () => upstream.end());
      splice(client, upstream, heads, profile);
    });
  }
}

/** Dials until it succeeds, the client is gone, or the deadline (epoch milliseconds) has passed: null. */
function dialWithRetry(
  { host, port }: Upstream,
  deadlineMs: number,
  client: Socket,
  done: (upstream: Socket | null) => void,
): void {
  const upstream = dial({ host, port, noDelay: true, allowHalfOpen: true });
  upstream.once("connect", () => {
    upstream.removeAllListeners("error");
    done(upstream);
  });
  upstream.once("error", () => {
    if (client.destroyed) return;
    if (Date.now() >= deadlineMs) return done(null);
    setTimeout(() => dialWithRetry({ host, port }, deadlineMs, client, done), upstreamDialIntervalMs);
  });
}

/** Copies bytes in both directions and passes the client's through `heads`. */
function splice(client: Socket, upstream: Socket, heads: RequestHeads, profile: ListenerProfile): void {
  let isUpgrading = false;
  let isRefused = false;

  const send = ({ out, refusal, isUpgrade }: ReturnType<RequestHeads["feed"]>): void => {
    let hasRoom = true;
    for (const bytes of out) hasRoom = upstream.write(bytes);
    if (refusal !== null) {
      isRefused = true;
      upstream.destroy();
      respondAndClose(client, profile, refusal.status, refusal.reason);
    } else if (isUpgrade) {
      isUpgrading = true;
      client.pause();
    } else if (!hasRoom) {
      client.pause();
    }
  };

  client.on("data", (bytes: Buffer) => {
    if (!isRefused && upstream.writable) send(heads.feed(bytes));
  });
  client.on("end", () => upstream.end());
  client.on("close", () => upstream.destroy());
  upstream.on("drain", () => {
    if (!isUpgrading) client.resume();
  });
  upstream.on("data", (bytes: Buffer) => {
    if (isUpgrading) {
      isUpgrading = false;
      send(heads.decideUpgrade(bytes.subarray(0, 12).toString("latin1") === "HTTP/1.1 101"));
      client.resume();
    }
    if (!client.write(bytes)) upstream.pause();
  });
  client.on("drain", () => upstream.resume());
  upstream.on("end", () => {
    if (!isRefused) client.end();
  });
  upstream.on("error", () => upstream.destroy());
  upstream.on("close", () => {
    if (!isRefused) client.destroySoon();
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
  profile: ListenerProfile,
  status: keyof typeof reasonPhrases,
  reason: string,
): void {
  const line = `${status} ${reasonPhrases[status]}`;
  const { type, body } = profile.refusal(line, reason);
  const retry = status === 503 ? "retry-after: 1\r\n" : "";
  client.end(
    `HTTP/1.1 ${line}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n` +
      `${retry}cache-control: no-store\r\nconnection: close\r\n\r\n${body}`,
  );
  // Reads and drops what the client still sends, because a reset could arrive before the response.
  client.resume();
  setTimeout(() => client.destroy(), 1_000).unref();
}
