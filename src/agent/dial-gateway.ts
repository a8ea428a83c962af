// Opens byte tunnels to gateways: by an upgrade at the gateway's address, or by a WebSocket of the mesh's relay.

import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { WebSocket } from "ws";
import type { TableGateway } from "../domain/table/table.ts";
import {
  attemptHeader,
  type GatewayAttempt,
  type GatewayOutcome,
  gatewayHeader,
  isUndelivered,
  printAttempt,
  readOutcome,
  targetHeader,
  tunnelRequest,
} from "../gateway/attempt.ts";
import { type RelayRouter, toRelayHeaders } from "../gateway/relay.ts";
import { ByteSocket, byteSocketOptions } from "../net/byte-socket.ts";
import { keepAliveProbeMs } from "./gateway/task-connection.ts";

/** The mesh's relay, for nodes that this machine cannot reach itself. */
export type RelayAddress = {
  /** With the path, before the id of a node. */
  readonly url: string;
  readonly router: RelayRouter;
};

/** A connection, or why it failed: `unreached` if neither the task nor its gateway answered. */
export type DialResult = Duplex | "refused" | "gone" | "full" | "unreached";

/** The protocol that an upgrade names: bytes over TCP as they are. */
const upgradeToken = "waggle-tcp";

/** A signed attempt. */
export type SignedTunnel = {
  readonly attempt: GatewayAttempt;
  /** 22 characters of base64url each. */
  readonly proof: string;
  readonly mark: string;
};

/**
 * Opens a tunnel to a task through the gateway of its node.
 *
 * @param relay null: only gateways at addresses are reached
 */
export function openTunnel(
  { transport, base }: TableGateway,
  nodeId: string,
  signed: SignedTunnel,
  relay: RelayAddress | null,
  dialing: DialAttempt,
): void {
  const proven = {
    [attemptHeader]: printAttempt(signed.attempt, signed.proof),
    [targetHeader]: tunnelRequest.target,
  };
  if (transport === "direct") {
    const headers = { connection: "Upgrade", upgrade: upgradeToken, ...proven };
    const send = base.startsWith("https:") ? requestHttps : requestHttp;
    requestTunnel(send(`${base}/`, { headers, agent: false }), signed.mark, dialing);
  } else if (relay !== null) {
    const headers = toRelayHeaders(new Headers(proven), relay.router);
    const options = { headers: Object.fromEntries(headers), ...byteSocketOptions };
    const url = relay.url.replace(/^http/, "ws") + nodeId;
    requestWebSocket(new WebSocket(url, options), signed.mark, dialing);
  } else {
    dialing.end("unreached");
  }
}

/** One attempt, until its result is known. */
export type DialAttempt = {
  readonly isOver: boolean;
  /** Only the first result counts. */
  readonly end: (result: DialResult) => void;
  /** Called if the attempt ends without a connection. */
  onGiveUp: () => void;
};

/** Runs an attempt that ends as `unreached` after a time, or when it is not wanted any more. */
export function withinLimits(
  withinMs: number,
  signal: AbortSignal,
  run: (attempt: DialAttempt) => Promise<void>,
): Promise<DialResult> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const attempt = {
      get isOver() {
        return isOver;
      },
      end(result: DialResult) {
        if (isOver) return;
        isOver = true;
        clearTimeout(timer);
        signal.removeEventListener("abort", abort);
        if (typeof result === "string") attempt.onGiveUp();
        resolve(result);
      },
      onGiveUp: (): void => undefined,
    };
    const abort = (): void => attempt.end("unreached");
    const timer = setTimeout(abort, withinMs);
    signal.addEventListener("abort", abort);
    run(attempt).catch(reject);
  });
}

/** A response without the mark is not the gateway's. */
function outcomeOf({ headers }: IncomingMessage, mark: string): GatewayOutcome | null {
  return readOutcome(String(headers[gatewayHeader] ?? ""), mark);
}

/** Ends an attempt that the gateway, or something before it, has answered. */
function endRefused(response: IncomingMessage, mark: string, attempt: DialAttempt): void {
  const outcome = outcomeOf(response, mark);
  attempt.end(outcome !== null && isUndelivered(outcome) ? outcome : "unreached");
}

/** Waits for the gateway's 101 through the relay. */
function requestWebSocket(ws: WebSocket, mark: string, attempt: DialAttempt): void {
  let isReady = false;
  attempt.onGiveUp = () => ws.terminate();
  ws.once("upgrade", (response) => {
    isReady = outcomeOf(response, mark) === "task";
  });
  ws.once("open", () => {
    if (isReady && !attempt.isOver) attempt.end(new ByteSocket(ws).on("error", () => undefined));
    else attempt.end("unreached");
  });
  ws.once("unexpected-response", (sent: ClientRequest, response: IncomingMessage) => {
    endRefused(response, mark, attempt);
    sent.destroy();
  });
  ws.on("error", () => attempt.end("unreached"));
}

/** Waits for the gateway's 101. */
function requestTunnel(sent: ClientRequest, mark: string, attempt: DialAttempt): void {
  attempt.onGiveUp = () => sent.destroy();
  sent.on("upgrade", (response, socket: Socket, first: Buffer) => {
    if (attempt.isOver || outcomeOf(response, mark) !== "task") {
      socket.destroy();
      attempt.end("unreached");
      return;
    }
    if (first.length > 0) socket.unshift(first);
    attempt.end(tuned(socket));
  });
  sent.on("response", (response) => endRefused(response, mark, attempt));
  sent.on("error", () => attempt.end("unreached"));
  sent.end();
}

/** Sets what holds for all connections to targets. The caller decides how it ends. */
export function tuned(socket: Socket): Socket {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveProbeMs);
  socket.allowHalfOpen = true;
  socket.on("error", () => undefined);
  return socket;
}
