// The tunnel of this node: open while the registry says that routers reach the node by it.

import type { JoinReply } from "../protocol/agent.ts";
import type { Gateway } from "./gateway/gateway.ts";
import { TunnelClient } from "./tunnel/tunnel-client.ts";
import { wait } from "./wait.ts";

/** A tunnel that is not needed any more stays open for this long, so that its requests can end. Milliseconds. */
const closeDelayMs = 30_000;

type NodeTunnelOptions = {
  readonly url: string;
  readonly membership: JoinReply;
  readonly gateway: Gateway;
  readonly log: (line: string) => void;
};

export class NodeTunnel {
  readonly #options: NodeTunnelOptions;
  #running: AbortController | null = null;
  /** Aborts the end of a tunnel that is needed again. */
  #closing: AbortController | null = null;

  constructor(options: NodeTunnelOptions) {
    this.#options = options;
  }

  /** Opens the tunnel, or closes it after a while. */
  follow(isNeeded: boolean): void {
    if (isNeeded) this.#open();
    else this.#closeLater();
  }

  /** Closes the tunnel at once. */
  stop(): void {
    this.#closing?.abort();
    this.#running?.abort();
    this.#running = null;
  }

  #open(): void {
    this.#closing?.abort();
    this.#closing = null;
    if (this.#running !== null) return;
    const { gateway, ...options } = this.#options;
    const running = new AbortController();
    this.#running = running;
    const client = new TunnelClient({
      ...options,
      handle: (exchange) => void gateway.handle(exchange),
      nowMs: Date.now,
      random: Math.random,
    });
    void client.run(running.signal).then((end) => {
      if (this.#running === running) this.#running = null;
      if (end !== "closed") options.log(`the tunnel has ended (${end})`);
    });
  }

  #closeLater(): void {
    if (this.#running === null || this.#closing !== null) return;
    const closing = new AbortController();
    this.#closing = closing;
    void wait(closeDelayMs, closing.signal).then(() => {
      if (!closing.signal.aborted) this.stop();
    });
  }
}
