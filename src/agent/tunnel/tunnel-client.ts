// The agent's end of its node's tunnel: dials the control API, and hands each request that comes over the
// tunnel to the gateway.

import type { WebSocket } from "ws";
import { maxDataBytes, maxTunnelMessageBytes } from "../../gateway/tunnel/frames.ts";
import { readRequestHead } from "../../gateway/tunnel/heads.ts";
import type { TunnelStream } from "../../gateway/tunnel/stream.ts";
import { TunnelEnd } from "../../gateway/tunnel/tunnel.ts";
import { closeCodes, type JoinReply } from "../../protocol/agent.ts";
import { ControlSocket, type SessionEnd } from "../control-socket.ts";
import { TunnelExchange } from "./tunnel-exchange.ts";
import { openUpgrade, type TunnelledExchange } from "./upgrade-exchange.ts";

/** While the socket has more to send than this, bytes, no stream reads more from its task. */
const maxUnsentBytes = 512 * 1024;

type TunnelClientOptions = {
  /** The control URL. */
  readonly url: string;
  readonly membership: JoinReply;
  /** Serves a request: the gateway's handler. */
  readonly handle: (exchange: TunnelledExchange) => void;
  readonly log: (line: string) => void;
  readonly nowMs: () => number;
  readonly random: () => number;
};

/** @see docs/decisions/0072-tunnel-framing.md */
export class TunnelClient {
  readonly #options: TunnelClientOptions;
  readonly #control: ControlSocket;

  constructor(options: TunnelClientOptions) {
    this.#options = options;
    this.#control = new ControlSocket({
      ...options,
      route: "mesh/tunnel",
      maxMessageBytes: maxTunnelMessageBytes,
      words: { peer: "the mesh's tunnel", consequence: "requests on it ended, reconnecting" },
      onOpen: (socket) => this.#open(socket),
      onMessage: () => {},
    });
  }

  /** Dials and redials until `signal` aborts or redialing does not help. */
  run(signal: AbortSignal): Promise<SessionEnd> {
    return this.#control.run(signal);
  }

  #open(socket: WebSocket): void {
    const gate = new SendGate(() => socket.bufferedAmount);
    const end = new TunnelEnd({
      side: "agent",
      firstStream: 1,
      send: (message) => socket.send(message, () => gate.open()),
      defer: setImmediate,
      onRequest: (stream, head) => this.#receive(stream, head, () => gate.ready()),
      onIdle: () => {},
    });
    socket.on("message", (data: Buffer, isBinary) => {
      if (!isBinary) return;
      try {
        end.receive(data);
      } catch (error) {
        this.#options.log(`ended the tunnel: ${(error as Error).message}`);
        socket.close(closeCodes.badMessage, (error as Error).message);
      }
    });
    socket.once("close", () => end.close());
  }

  #receive(stream: TunnelStream, bytes: Uint8Array, ready: () => Promise<void>): void {
    const head = readRequestHead(Buffer.from(bytes).toString("latin1"));
    if (head === null) {
      stream.reset("broken");
      return;
    }
    const request = { head, stream, ready };
    if (openUpgrade(request, this.#options.handle)) return;
    this.#options.handle(new TunnelExchange(request));
  }
}

/** Holds streams back while the socket has much to send, and lets them go one at a time. */
class SendGate {
  readonly #unsentBytes: () => number;
  readonly #waiting: (() => void)[] = [];

  /** @param unsentBytes what the socket has to send */
  constructor(unsentBytes: () => number) {
    this.#unsentBytes = unsentBytes;
  }

  /** Resolves when a stream may send one frame. */
  ready(): Promise<void> {
    if (this.#waiting.length === 0 && this.#unsentBytes() < maxUnsentBytes) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Lets as many streams go as the socket takes frames. */
  open(): void {
    let room = maxUnsentBytes - this.#unsentBytes();
    while (room > 0 && this.#waiting.length > 0) {
      this.#waiting.shift()?.();
      room -= maxDataBytes;
    }
  }
}
