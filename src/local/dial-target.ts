// Connects to the target of a connection in mode tcp: to a task through the gateway of its node, to a static
// server directly.

import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import {
  type DialAttempt,
  type DialResult,
  openTunnel,
  type RelayAddress,
  tuned,
  withinLimits,
} from "../agent/dial-gateway.ts";
import { endpointOfOrigin } from "../agent/gateway/task-connection.ts";
import { wait } from "../agent/wait.ts";
import type { TableGateway } from "../domain/table/table.ts";
import { provenText, tunnelRequest } from "../gateway/attempt.ts";
import { AttemptSigner, type GatewayKey } from "../proxy/attempt-signer.ts";
import type { Target } from "../proxy/routing/target-pool.ts";

/** What an attempt at a gateway is signed with. */
export type SigningKeys = {
  /** The gateway keys of the mesh; empty before they are known. */
  readonly keys: () => readonly GatewayKey[];
  /** Id of the key to sign with, as the routing table names it; null: attempts cannot be signed. */
  readonly signingKey: () => string | null;
};

/** How often a connection looks for the first key, milliseconds. */
const keyPollMs = 20;

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
    gateway: TableGateway,
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
    const text = provenText(signed, tunnelRequest);
    const signature = keyId === null ? null : await this.#signer.sign(keyId, nodeId, text);
    if (attempt.isOver) return;
    if (signature === null) attempt.end("unreached");
    else openTunnel(gateway, nodeId, { attempt: signed, ...signature }, this.#relay, attempt);
  }
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
  socket.once(isTls ? "secureConnect" : "connect", () => attempt.end(tuned(socket)));
}
