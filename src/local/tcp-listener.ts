// A port of a service in mode tcp: forwards the bytes of each connection to a target and back.

import { createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { keepAliveProbeMs } from "../agent/gateway/task-connection.ts";
import { joinStreams } from "../net/join-streams.ts";
import { proxyHeader } from "../proxy/tcp/proxy-protocol.ts";
import { type TcpChoice, type TcpEntry, type TcpRouter, tcpSettings } from "../proxy/tcp/tcp-router.ts";
import type { DescriptorBudget } from "./descriptor-budget.ts";
import type { TargetDialer } from "./dial-target.ts";
import { handleOf, listenAt, type SocketHandle } from "./listening-socket.ts";

/** What the ports of a process share. */
export type TcpForwarding = {
  readonly router: TcpRouter;
  readonly dialer: TargetDialer;
  readonly budget: DescriptorBudget;
};

export type TcpListenerOptions = {
  /** Receives an error of the open port, once in a row; the port stays open. */
  readonly onError: (error: Error) => void;
  /** Receives the reason why a connection ended without a target, at most once in `refusalLogMs`. */
  readonly onRefusal: (reason: string) => void;
  /** A socket that is open already; absent: a new one. */
  readonly socket?: SocketHandle | null;
};

const refusalLogMs = 10_000;

/**
 * An open port.
 *
 * @see docs/tcp.md
 */
export class TcpListener {
  readonly #entry: TcpEntry;
  readonly #forwarding: TcpForwarding;
  readonly #options: TcpListenerOptions;
  readonly #server: Server;
  readonly #clients = new Set<Socket>();
  #refusalMs = Number.NEGATIVE_INFINITY;

  private constructor(entry: TcpEntry, forwarding: TcpForwarding, options: TcpListenerOptions) {
    this.#entry = entry;
    this.#forwarding = forwarding;
    this.#options = options;
    this.#server = createServer({
      allowHalfOpen: true,
      noDelay: true,
      // A client whose machine is gone without a word.
      keepAlive: true,
      keepAliveInitialDelay: keepAliveProbeMs,
    });
    this.#server.on("connection", (socket) => this.#accept(socket));
  }

  /** Opens `address:port`; rejects with Node's error (EADDRINUSE, EADDRNOTAVAIL, EACCES) if that fails. */
  static async open(
    address: string,
    port: number,
    entry: TcpEntry,
    forwarding: TcpForwarding,
    options: TcpListenerOptions,
  ): Promise<TcpListener> {
    const listener = new TcpListener(entry, forwarding, options);
    const server = listener.#server;
    await listenAt(server, { address, port, handle: options.socket ?? null }, options.onError);
    forwarding.budget.openListener();
    server.once("close", () => forwarding.budget.closeListener());
    return listener;
  }

  get port(): number {
    const address = this.#server.address();
    if (address === null || typeof address === "string") throw new Error("the listener is closed");
    return address.port;
  }

  /** The open socket, for another process. */
  get socket(): SocketHandle {
    return handleOf(this.#server);
  }

  /** Stops listening. Connections may go on for up to `graceMs`. Resolves when all are closed. */
  async close(graceMs: number): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    const deadline = setTimeout(() => {
      for (const socket of this.#clients) socket.resetAndDestroy();
    }, graceMs);
    await closed;
    clearTimeout(deadline);
  }

  /** The same: another process accepts from the socket. */
  drain(graceMs: number): Promise<void> {
    return this.close(graceMs);
  }

  #accept(client: Socket): void {
    const { router, budget } = this.#forwarding;
    client.on("error", () => undefined);
    if (!budget.connect(client, () => client.resetAndDestroy())) {
      client.resetAndDestroy();
      return;
    }
    this.#clients.add(client);
    const choice = router.choose(this.#entry, client.remoteAddress ?? "");
    const stopping = new AbortController();
    client.once("close", () => {
      this.#clients.delete(client);
      budget.disconnect(client);
      stopping.abort();
      choice.end();
    });
    if (budget.tunnel(client)) void this.#forward(client, choice, stopping.signal);
    else this.#refuse(client, "too many connections are open on this machine");
  }

  /** Until it is connected, the client's bytes stay in its socket, which is read only up to its buffer's size. */
  async #forward(client: Socket, choice: TcpChoice, signal: AbortSignal): Promise<void> {
    const { router, dialer } = this.#forwarding;
    const { nowMs } = router.state;
    while (!signal.aborted) {
      const step = choice.step(nowMs());
      if (step.kind === "refuse") {
        this.#refuse(client, step.reason);
        return;
      }
      if (step.kind === "wait") {
        await new Promise((resolve) => setTimeout(resolve, step.ms));
        continue;
      }
      const dialed = await dialer.dial(step.target, step.withinMs, signal);
      if (typeof dialed !== "string") {
        choice.connected(nowMs(), () => ({ received: client.bytesRead, sent: client.bytesWritten }));
        this.#join(client, dialed, choice);
        return;
      }
      if (!signal.aborted) choice.failed(dialed, nowMs());
    }
  }

  #join(client: Socket, target: Duplex, choice: TcpChoice): void {
    const { service } = choice;
    if (client.destroyed || service === null) {
      target.destroy();
      client.destroy();
      return;
    }
    const { sendProxy, idleTimeoutMs } = tcpSettings(service);
    if (sendProxy !== null) {
      const { remoteAddress = "", remotePort = 0, localAddress = "", localPort = 0 } = client;
      const ends = [remoteAddress, remotePort, localAddress, localPort] as const;
      target.write(
        proxyHeader(sendProxy, { address: ends[0], port: ends[1] }, { address: ends[2], port: ends[3] }),
      );
    }
    // A byte in either direction passes through this socket.
    client.setTimeout(idleTimeoutMs, () => {
      target.destroy();
      client.destroy();
    });
    joinStreams(client, target);
  }

  #refuse(client: Socket, reason: string): void {
    client.destroy();
    const nowMs = performance.now();
    if (nowMs - this.#refusalMs < refusalLogMs) return;
    this.#refusalMs = nowMs;
    this.#options.onRefusal(reason);
  }
}
