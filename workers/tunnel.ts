// The Durable Object of one node's tunnel, named after the node's id: holds the socket that the node's agent
// has opened, and relays the requests of routers over it. Without requests it hibernates.

import { DurableObject } from "cloudflare:workers";
import { messagePoolBytes } from "../src/gateway/tunnel/messages.ts";
import { type TunnelOutcome, tunnelHeader, tunnelPath } from "../src/gateway/tunnel/relay.ts";
import type { TunnelStream } from "../src/gateway/tunnel/stream.ts";
import { TunnelEnd } from "../src/gateway/tunnel/tunnel.ts";
import { BytePool } from "../src/gateway/tunnel/windows.ts";
import { closeCodes, heartbeatMs, maxMissedHeartbeats } from "../src/protocol/agent.ts";
import type { Env } from "./env.ts";
import { openRequest, relayRequest } from "./tunnel-relay.ts";

/** A socket on which nothing has come for this long has lost its agent, milliseconds. */
const tunnelTimeoutMs = heartbeatMs * maxMissedHeartbeats;
/** How many stream numbers are reserved in the attachment at a time. */
const numbersReserved = 1_024;

/** The state of a socket, which outlives the object. */
type TunnelAttachment = {
  readonly kind: "tunnel";
  /** Epoch milliseconds. */
  readonly openedAtMs: number;
  /** No stream of this socket has this number or a higher one. */
  readonly nextStream: number;
  /** Closed by the object: it stays in the platform's list until its agent answers. */
  readonly closed: boolean;
};

/** The open socket and the streams on it. */
type OpenTunnel = { readonly ws: WebSocket; readonly end: TunnelEnd; heardAtMs: number };

/** @see docs/decisions/0072-tunnel-framing.md */
export class MeshTunnel extends DurableObject<Env> {
  readonly #messages = new BytePool(messagePoolBytes);
  #tunnel: OpenTunnel | null = null;
  #watchdog: ReturnType<typeof setTimeout> | null = null;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
    const ws = ctx.getWebSockets().find((socket) => isOpen(socket));
    if (ws !== undefined) this.#tunnel = this.#attach(ws);
  }

  /** An agent's upgrade, whose credential the control Worker has checked; or a router's request. */
  override fetch(request: Request): Response | Promise<Response> {
    return new URL(request.url).pathname === tunnelPath ? this.#accept() : this.#relay(request);
  }

  /** Closes the tunnel: the node was removed, or its credential is void. */
  disconnect(code: number, reason: string): void {
    this.#close(code, reason);
  }

  override webSocketMessage(ws: WebSocket, message: string | ArrayBuffer): void {
    const tunnel = this.#tunnel;
    if (tunnel?.ws !== ws) return;
    tunnel.heardAtMs = Date.now();
    try {
      if (typeof message === "string") throw new Error("the agent sent text");
      tunnel.end.receive(new Uint8Array(message));
    } catch (error) {
      this.#close(closeCodes.badMessage, (error as Error).message);
    }
  }

  override webSocketClose(ws: WebSocket): void {
    if (this.#tunnel?.ws === ws) this.#forget();
  }

  override webSocketError(ws: WebSocket): void {
    this.webSocketClose(ws);
  }

  /** Opens a socket for the agent, in the place of an earlier one. */
  #accept(): Response {
    this.#close(closeCodes.superseded, "a newer tunnel of this node replaced it");
    const [agentEnd, ownEnd] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    this.ctx.acceptWebSocket(ownEnd);
    ownEnd.serializeAttachment({
      kind: "tunnel",
      openedAtMs: Date.now(),
      nextStream: 1,
      closed: false,
    } satisfies TunnelAttachment);
    this.#tunnel = this.#attach(ownEnd);
    return new Response(null, { status: 101, webSocket: agentEnd });
  }

  #attach(ws: WebSocket): OpenTunnel {
    const { nextStream, openedAtMs } = ws.deserializeAttachment() as TunnelAttachment;
    const end = new TunnelEnd({
      side: "object",
      firstStream: nextStream,
      send: (message) => ws.send(message),
      defer: (flush) => queueMicrotask(flush),
      onRequest: () => {},
      onIdle: () => this.#stopWatching(),
    });
    return { ws, end, heardAtMs: openedAtMs };
  }

  #relay(request: Request): Response | Promise<Response> {
    const tunnel = this.#liveTunnel();
    if (tunnel === null) return unavailable("absent", "the node's agent has no tunnel open");
    const stream = this.#open(tunnel, request);
    if (stream === null) return unavailable("full", "the node's tunnel has its maximum of open requests");
    this.#watch();
    return relayRequest(request, stream, {
      messages: this.#messages,
      waitUntil: (work) => this.ctx.waitUntil(work),
    });
  }

  #open({ ws, end }: OpenTunnel, request: Request): TunnelStream | null {
    const attachment = ws.deserializeAttachment() as TunnelAttachment;
    const stream = openRequest(end, request);
    // A number must not be used twice, also if the object is evicted next.
    if (end.nextStream > attachment.nextStream)
      ws.serializeAttachment({ ...attachment, nextStream: end.nextStream + numbersReserved });
    return stream;
  }

  /** The tunnel, unless its agent has been silent for too long. */
  #liveTunnel(): OpenTunnel | null {
    const tunnel = this.#tunnel;
    if (tunnel === null) return null;
    const pingedAtMs = this.ctx.getWebSocketAutoResponseTimestamp(tunnel.ws)?.getTime() ?? 0;
    if (Date.now() - Math.max(tunnel.heardAtMs, pingedAtMs) <= tunnelTimeoutMs) return tunnel;
    this.#close(closeCodes.missedHeartbeats, "no ping arrived");
    return null;
  }

  /** Checks the tunnel while requests are open on it, so that a silent agent ends them. */
  #watch(): void {
    this.#watchdog ??= setTimeout(() => {
      this.#watchdog = null;
      if ((this.#liveTunnel()?.end.openStreams ?? 0) > 0) this.#watch();
    }, heartbeatMs);
  }

  /** A timer would keep the object from hibernating. */
  #stopWatching(): void {
    if (this.#watchdog !== null) clearTimeout(this.#watchdog);
    this.#watchdog = null;
  }

  #close(code: number, reason: string): void {
    const tunnel = this.#forget();
    if (tunnel === null) return;
    tunnel.ws.serializeAttachment({
      ...(tunnel.ws.deserializeAttachment() as TunnelAttachment),
      closed: true,
    });
    tunnel.ws.close(code, reason);
  }

  /** Ends the streams of the tunnel, and returns what it was. */
  #forget(): OpenTunnel | null {
    const tunnel = this.#tunnel;
    this.#tunnel = null;
    tunnel?.end.close();
    return tunnel;
  }
}

function isOpen(ws: WebSocket): boolean {
  const attachment = ws.deserializeAttachment() as TunnelAttachment | null;
  return attachment?.kind === "tunnel" && !attachment.closed && ws.readyState === WebSocket.OPEN;
}

function unavailable(outcome: TunnelOutcome, reason: string): Response {
  return new Response(`${reason}\n`, { status: 503, headers: { [tunnelHeader]: outcome } });
}
