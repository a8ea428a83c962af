// Connections of `waggle connect` through a Worker, which has no port for them: a WebSocket of an operator goes to
// a task of a TCP service, through the gateway of the task's node. The Worker chooses, and sees no bytes.
//
//   GET /mesh/connect?service=NAME&port=PUBLISHED   upgrade to a WebSocket with the messages of byte-messages.ts

import { MeshError } from "../domain/model/error.ts";
import type { TableGateway } from "../domain/table/table.ts";
import {
  attemptHeader,
  gatewayHeader,
  isUndelivered,
  printAttempt,
  provenText,
  readOutcome,
  targetHeader,
} from "../gateway/attempt.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { type ConnectFailure, TcpRouter } from "../proxy/tcp/tcp-router.ts";

/** A target of an attempt that is signed for no head. */
const tunnelTarget = "*";

const noBytes = () => ({ received: 0, sent: 0 });

/** What a connection asks for. */
export type ConnectRequest = {
  readonly service: string;
  /** The published port. */
  readonly port: number;
  /** The client's address, which the policy `source` reads. */
  readonly client: string;
};

/** The connections that this isolate has chosen a task for. */
export class Connector {
  readonly #plane: DataPlane;
  readonly #router: TcpRouter;

  constructor(plane: DataPlane) {
    this.#plane = plane;
    // Nothing reads the counters: the gateway has the bytes, and the isolate does not see a connection's end.
    this.#router = new TcpRouter(plane.nowMs, plane.random, "connect");
  }

  /**
   * Connects to a task. The next one is tried until one accepts, each once.
   *
   * @param handshake the headers of the WebSocket's handshake, without others of the client
   * @returns the 101 of the task's gateway, with the WebSocket; null if no such TCP service has the port
   * @throws MeshError service/unavailable without a task that accepts
   */
  async open({ service, port, client }: ConnectRequest, handshake: Headers): Promise<Response | null> {
    const routes = await this.#plane.tables.fresh();
    if (routes === null) throw unavailable("no routing table has come yet");
    const published = routes.matchTcp(port)?.routes[0]?.service;
    if (published?.name !== service && published?.id !== service) return null;
    this.#router.setRoutes(routes);
    const choice = this.#router.choose({ nodeId: null, port }, client);
    try {
      for (;;) {
        const step = choice.step(this.#plane.nowMs());
        if (step.kind === "refuse") throw unavailable(step.reason);
        if (step.kind === "wait") {
          await new Promise((resolve) => setTimeout(resolve, step.ms));
          const newer = await this.#plane.tables.fresh();
          if (newer !== null) this.#router.setRoutes(newer);
          continue;
        }
        const dialed = await this.#dial(step.target, step.withinMs, handshake);
        if (dialed instanceof Response) {
          choice.connected(this.#plane.nowMs(), noBytes);
          return dialed;
        }
        choice.failed(dialed, this.#plane.nowMs());
        if (dialed === "gone") this.#plane.tables.expire(this.#plane.nowMs());
      }
    } finally {
      // The gateway counts the connection from now on; this isolate does not see its end.
      choice.end();
    }
  }

  /** A late answer of a gateway is not used; its connection ends with this request. */
  #dial(target: Target, withinMs: number, handshake: Headers): Promise<Response | ConnectFailure> {
    const { gateway } = target;
    // A static server has no gateway, and speaks no WebSocket.
    if (gateway === null) return Promise.resolve("unreached");
    return Promise.race([
      this.#ask(target, gateway, handshake),
      new Promise<"unreached">((resolve) => setTimeout(resolve, withinMs, "unreached")),
    ]);
  }

  async #ask(
    { taskId, port, nodeId }: Target,
    gateway: TableGateway,
    handshake: Headers,
  ): Promise<Response | ConnectFailure> {
    const { signer, tables, nowMs, dialGateway } = this.#plane;
    const keyId = tables.held?.signingKey ?? null;
    if (keyId === null) return "unreached";
    const id = signer.newAttemptId();
    const attempt = { keyId, taskId, port, id, issuedMs: nowMs(), kind: "tunnel" } as const;
    const text = provenText(attempt, { method: "GET", target: tunnelTarget, host: null });
    try {
      const signature = await signer.sign(keyId, nodeId, text);
      if (signature === null) return "unreached";
      const headers = new Headers(handshake);
      headers.set(attemptHeader, printAttempt(attempt, signature.proof));
      headers.set(targetHeader, tunnelTarget);
      const response = await dialGateway(gateway, nodeId, { headers, redirect: "manual" });
      const outcome = readOutcome(response.headers.get(gatewayHeader), signature.mark);
      if (outcome === "task" && response.status === 101) return response;
      await response.body?.cancel();
      return outcome !== null && isUndelivered(outcome) ? outcome : "unreached";
    } catch {
      return "unreached";
    }
  }
}

function unavailable(reason: string): MeshError {
  return new MeshError("service/unavailable", `${reason}; try again`, { blame: "mesh", retry: "safe" });
}
