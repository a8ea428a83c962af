// Connects to the target of a connection in mode tcp: to a task through the gateway of its node, to a static
// server directly.

import { type ClientRequest, type IncomingMessage, request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { connect, isIP, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { connect as connectTls } from "node:tls";
import { WebSocket } from "ws";
import { endpointOfOrigin, keepAliveProbeMs } from "../agent/gateway/task-connection.ts";
import { wait } from "../agent/wait.ts";
import type { TableGateway } from "../domain/table/table.ts";
import {
  attemptHeader,
  type GatewayOutcome,
  gatewayHeader,
  isUndelivered,
  printAttempt,
  provenText,
  readOutcome,
  targetHeader,
} from "../gateway/attempt.ts";
import { type RelayRouter, toRelayHeaders } from "../gateway/relay.ts";
import { ByteSocket, byteSocketOptions } from "../net/byte-socket.ts";
import { AttemptSigner, type GatewayKey } from "../proxy/attempt-signer.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import type { ConnectFailure } from "../proxy/tcp/tcp-router.ts";

/** What an attempt at a gateway is signed with. */
export type SigningKeys = {
  /** The gateway keys of the mesh; empty before they are known. */
  readonly keys: () => readonly GatewayKey[];
  /** Id of the key to sign with, as the routing table names it; null: attempts cannot be signed. */
  readonly signingKey: () => string | null;
};

/** The mesh's relay, for nodes that this machine cannot reach itself. */
export type RelayAddress = {
  /** With the path, before the id of a node. */
  readonly url: string;
  readonly router: RelayRouter;
};

/** A connection to a target, or why it failed. */
type DialResult = Duplex | ConnectFailure;

/** The protocol that an upgrade names: bytes over TCP as they are. */
const upgradeToken = "waggle-tcp";
/** How often a connection looks for the first key, milliseconds. */
const keyPollMs = 20;

/** Every tunnel is signed for this target: a task gets no head. */
const tunnelTarget = "*";

/** Opens connections to targets. */
export class TargetDialer {
  readonly #signer: AttemptSigner;
  readonly #signing: SigningKeys;
  readonly #nowMs: () => number;
  readonly #relay: RelayAddress | null;

  /**
   * @param routerId unique among all routers, `[\w-]`, at most 48 characters
   * @param relay null: only gateways at addresses are reached
   */
  constructor(routerId: string, signing: SigningKeys, nowMs: () => number, relay: RelayAddress | null) {
    this.#signer = new AttemptSigner(routerId);
    this.#signing = signing;
    this.#nowMs = nowMs;
    this.#relay = relay;
  }

  /**
   * Connects to a target. Never rejects.
   *
   * @param signal ends the attempt, as its timeout does
   */
  dial(target: Target, withinMs: number, signal: AbortSignal): Promise<DialResult> {
    const { origin, gateway } = target;
    return withinLimits(withinMs, signal, async (attempt) => {
      if (origin !== null) connectToOrigin(origin, attempt);
      else if (gateway === null) attempt.end("unreached");
      else await this.#dialGateway(target, gateway, attempt);
    });
  }

  async #dialGateway(
    { taskId, nodeId, port }: Target,
    { transport, base }: TableGateway,
    attempt: DialAttempt,
  ): Promise<void> {
    // A mesh that has just started has its table a moment before its keys.
    while (this.#signing.keys().length === 0 && !attempt.isOver) await wait(keyPollMs);
    const keys = this.#signing.keys();
    this.#signer.setKeys(keys);
    // A table may be here before its new key. Gateways take the key before it for some time.
    const signingKey = this.#signing.signingKey();
    const keyId = keys.find(({ id }) => id === signingKey)?.id ?? keys[0]?.id ?? null;
    const id = this.#signer.newAttemptId();
    const signed = { keyId: keyId ?? "", taskId, port, id, issuedMs: this.#nowMs(), kind: "tunnel" } as const;
    const text = provenText(signed, { method: "GET", target: tunnelTarget, host: null });
    const signature = keyId === null ? null : await this.#signer.sign(keyId, nodeId, text);
    if (attempt.isOver) return;
    if (signature === null) {
      attempt.end("unreached");
      return;
    }
    const proven = {
      [attemptHeader]: printAttempt(signed, signature.proof),
      [targetHeader]: tunnelTarget,
    };
    if (transport === "direct") {
      const headers = { connection: "Upgrade", upgrade: upgradeToken, ...proven };
      const send = base.startsWith("https:") ? requestHttps : requestHttp;
      requestTunnel(send(`${base}/`, { headers, agent: false }), signature.mark, attempt);
    } else if (this.#relay !== null) {
      const headers = toRelayHeaders(new Headers(proven), this.#relay.router);
      const options = { headers: Object.fromEntries(headers), ...byteSocketOptions };
      const url = this.#relay.url.replace(/^http/, "ws") + nodeId;
      requestWebSocket(new WebSocket(url, options), signature.mark, attempt);
    } else {
      attempt.end("unreached");
    }
  }
}

/** One attempt, until its result is known. */
type DialAttempt = {
  readonly isOver: boolean;
  /** Only the first result counts. */
  readonly end: (result: DialResult) => void;
  /** Called if the attempt ends without a connection. */
  onGiveUp: () => void;
};

/** Runs an attempt that ends as `unreached` after a time, or when it is not wanted any more. */
function withinLimits(
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
    attempt.end(ready(socket));
  });
  sent.on("response", (response) => endRefused(response, mark, attempt));
  sent.on("error", () => attempt.end("unreached"));
  sent.end();
}

/** @param origin `http://10.0.0.5:5432`; over TLS with `https:` */
function connectToOrigin(origin: string, attempt: DialAttempt): void {
  const { host, port, tls: isTls = false } = endpointOfOrigin(origin);
  const address = { host, port };
  const socket = isTls
    ? connectTls({ ...address, ...(isIP(host) === 0 && { servername: host }) })
    : connect(address);
  attempt.onGiveUp = () => socket.destroy();
  socket.on("error", ({ code }: NodeJS.ErrnoException) => {
    attempt.end(code === "ECONNREFUSED" ? "refused" : "unreached");
  });
  socket.once(isTls ? "secureConnect" : "connect", () => attempt.end(ready(socket)));
}

/** Sets what holds for all connections to targets. How it ends is the business of the caller. */
function ready(socket: Socket): Socket {
  socket.setNoDelay(true);
  socket.setKeepAlive(true, keepAliveProbeMs);
  socket.allowHalfOpen = true;
  socket.on("error", () => undefined);
  return socket;
}
