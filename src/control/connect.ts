// Connections of `waggle connect` through a Worker, which has no port for them: a WebSocket of an operator goes to
// a target of a TCP service, to a task through the gateway of its node. The bytes pass through the Worker, which
// treats and counts them as a published port does.
//
//   GET /mesh/connect?service=NAME&port=PUBLISHED   upgrade to a WebSocket with the messages of byte-messages.ts
//
// @see docs/decisions/0113-worker-ends-connect.md

import { parseIp } from "../domain/model/cidr.ts";
import { MeshError } from "../domain/model/error.ts";
import type { TableGateway, TableService } from "../domain/table/table.ts";
import {
  attemptHeader,
  gatewayHeader,
  isUndelivered,
  printAttempt,
  provenText,
  readOutcome,
  targetHeader,
  tunnelRequest,
} from "../gateway/attempt.ts";
import type { ByteEnd } from "../gateway/byte-streams.ts";
import { joinEnds } from "../gateway/join-ends.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { proxyHeader } from "../proxy/tcp/proxy-protocol.ts";
import { type ConnectFailure, type TcpChoice, TcpRouter, tcpSettings } from "../proxy/tcp/tcp-router.ts";
import { Flusher } from "../telemetry/flusher.ts";
import { renewMs } from "../telemetry/meter.ts";

/** What a connection asks for. */
export type ConnectRequest = {
  readonly service: string;
  /** The published port. */
  readonly port: number;
  /** The client's address, which the policy `source` reads, and targets that get it. */
  readonly client: string;
};

/** How the platform opens connections. */
export type ConnectorDeps = {
  readonly plane: DataPlane;
  /** Accepts the client's WebSocket. */
  readonly acceptClient: () => { readonly response: Response; readonly end: ByteEnd };
  /** The end of a WebSocket that a gateway accepted; null if the response has none. */
  readonly endOf: (response: Response) => ByteEnd | null;
  /** Connects to a static server, at an origin of the routing table. Rejects if that fails. */
  readonly dialServer: (origin: string) => Promise<ByteEnd>;
  /** Keeps the isolate alive for work after the response. */
  readonly waitUntil: (work: Promise<unknown>) => void;
};

/** The connections of this isolate. */
export class Connector {
  readonly #deps: ConnectorDeps;
  readonly #router: TcpRouter;
  /** Null if telemetry is off. */
  readonly #flusher: Flusher | null;

  constructor(deps: ConnectorDeps) {
    const { nowMs, random, newId, flush } = deps.plane;
    this.#deps = deps;
    this.#router = new TcpRouter(nowMs, random, newId());
    const { traffic } = this.#router;
    // Before the counters are sent, those of open connections are brought up to date.
    const sleep = async (ms: number) => {
      await new Promise((resolve) => setTimeout(resolve, ms));
      traffic.refresh();
    };
    this.#flusher = flush === undefined ? null : new Flusher(traffic.meter, { send: flush, nowMs, sleep });
  }

  /**
   * Connects to a target. The next one is tried until one accepts, each once.
   *
   * @returns the 101 for the client; null if no such TCP service has the port
   * @throws MeshError service/unavailable without a target that accepts
   */
  async open({ service, port, client }: ConnectRequest): Promise<Response | null> {
    const { plane, acceptClient } = this.#deps;
    const routes = await plane.tables.fresh();
    if (routes === null) throw unavailable("no routing table has come yet");
    const published = routes.matchTcp(port)?.routes[0]?.service;
    if (published === undefined || (published.name !== service && published.id !== service)) return null;
    const { traffic } = this.#router;
    traffic.meter.colo = plane.meter?.colo || "local";
    this.#router.setRoutes(routes);
    const choice = this.#router.choose({ nodeId: null, port }, client);
    try {
      const target = await this.#connect(choice);
      const { response, end } = acceptClient();
      void this.#serve(choice, end, target, prefaceOf(published, client, port), tcpSettings(published));
      return response;
    } catch (error) {
      choice.end();
      this.#report();
      throw error;
    }
  }

  async #connect(choice: TcpChoice): Promise<ByteEnd> {
    const { nowMs, tables } = this.#deps.plane;
    for (;;) {
      const step = choice.step(nowMs());
      if (step.kind === "refuse") throw unavailable(step.reason);
      if (step.kind === "wait") {
        await new Promise((resolve) => setTimeout(resolve, step.ms));
        const newer = await tables.fresh();
        if (newer !== null) this.#router.setRoutes(newer);
        continue;
      }
      const dialed = await this.#dial(step.target, step.withinMs);
      if (typeof dialed !== "string") return dialed;
      choice.failed(dialed, nowMs());
      if (dialed === "gone") tables.expire(nowMs());
    }
  }

  /** Passes the bytes on until both directions have ended, and counts them. */
  async #serve(
    choice: TcpChoice,
    client: ByteEnd,
    target: ByteEnd,
    preface: Uint8Array | null,
    { idleTimeoutMs }: ReturnType<typeof tcpSettings>,
  ): Promise<void> {
    const { nowMs } = this.#deps.plane;
    const bytes = { received: 0, sent: 0 };
    choice.connected(nowMs(), () => bytes);
    this.#report();
    // An open connection on which nothing happens would expire in telemetry.
    const renewal = setInterval(() => this.#report(), renewMs);
    await joinEnds(client, target, {
      preface,
      idleMs: idleTimeoutMs,
      nowMs,
      onBytes: (direction, count) => {
        bytes[direction] += count;
        this.#report();
      },
    });
    clearInterval(renewal);
    choice.end();
    this.#report();
  }

  /** Has the counters sent soon, and failing targets reported. */
  #report(): void {
    const { plane, waitUntil } = this.#deps;
    const { traffic } = this.#router;
    const nowMs = plane.nowMs();
    this.#flusher?.schedule(nowMs, waitUntil);
    const failing = traffic.suspects.hasAny ? traffic.suspects.due(nowMs) : null;
    if (failing !== null) waitUntil(plane.reportSuspects(failing).catch(() => undefined));
  }

  /** A late answer of a target is not used. */
  async #dial(target: Target, withinMs: number): Promise<ByteEnd | ConnectFailure> {
    let isLate = false;
    const dialed = this.#dialNow(target).then((result) => {
      if (isLate && typeof result !== "string") result.reset("the connection was given up");
      return result;
    });
    let timer: ReturnType<typeof setTimeout> | undefined;
    const timeout = new Promise<"unreached">((resolve) => {
      timer = setTimeout(() => {
        isLate = true;
        resolve("unreached");
      }, withinMs);
    });
    const result = await Promise.race([dialed, timeout]);
    clearTimeout(timer);
    return result;
  }

  async #dialNow(target: Target): Promise<ByteEnd | ConnectFailure> {
    const { origin, gateway } = target;
    try {
      if (origin !== null) return await this.#deps.dialServer(origin);
      return gateway === null ? "unreached" : await this.#askGateway(target, gateway);
    } catch {
      return "unreached";
    }
  }

  async #askGateway(
    { taskId, port, nodeId }: Target,
    gateway: TableGateway,
  ): Promise<ByteEnd | ConnectFailure> {
    const { signer, tables, nowMs, dialGateway } = this.#deps.plane;
    const keyId = tables.held?.signingKey ?? null;
    if (keyId === null) return "unreached";
    const id = signer.newAttemptId();
    const attempt = { keyId, taskId, port, id, issuedMs: nowMs(), kind: "tunnel" } as const;
    const text = provenText(attempt, tunnelRequest);
    const signature = await signer.sign(keyId, nodeId, text);
    if (signature === null) return "unreached";
    const headers = new Headers({
      upgrade: "websocket",
      [attemptHeader]: printAttempt(attempt, signature.proof),
      [targetHeader]: tunnelRequest.target,
    });
    const response = await dialGateway(gateway, nodeId, { headers, redirect: "manual" });
    const outcome = readOutcome(response.headers.get(gatewayHeader), signature.mark);
    const end = outcome === "task" ? this.#deps.endOf(response) : null;
    if (end !== null) return end;
    await response.body?.cancel();
    return outcome !== null && isUndelivered(outcome) ? outcome : "unreached";
  }
}

/**
 * The header by which the target learns the client's address. A Worker sees neither the client's port, which is 0
 * in it, nor an address that the client connects to.
 */
function prefaceOf(service: TableService, client: string, port: number): Uint8Array | null {
  const { sendProxy } = tcpSettings(service);
  if (sendProxy === null) return null;
  const address = parseIp(client)?.length === 16 ? "::" : "0.0.0.0";
  return proxyHeader(sendProxy, { address: client, port: 0 }, { address, port });
}

function unavailable(reason: string): MeshError {
  return new MeshError("service/unavailable", `${reason}; try again`, { blame: "mesh", retry: "safe" });
}
