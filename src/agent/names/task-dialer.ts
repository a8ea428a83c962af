// Connects to tasks of a network: to those of this agent at their container, to others through the gateway of their
// node, with a key that only nodes of the network have.

import { createHmac, randomUUID } from "node:crypto";
import { connect } from "node:net";
import { proofBytes, provenText, tunnelRequest } from "../../gateway/attempt.ts";
import type { NamedNetwork, NetworkPeer } from "../../protocol/agent.ts";
import {
  type DialAttempt,
  type DialResult,
  openTunnel,
  type RelayAddress,
  tuned,
  withinLimits,
} from "../dial-gateway.ts";
import type { NamedTask } from "./names-plan.ts";

/** Time for a task to accept a connection, milliseconds. */
const dialMs = 5_000;

/** What a connection to a task depends on; read for each. */
export type DialContext = {
  readonly networks: readonly NamedNetwork[];
  /** The address of this agent's own container; null: it is on another node. */
  readonly ownAddress: (task: NamedTask) => string | null;
  readonly relay: RelayAddress | null;
  /** The registry's time, epoch milliseconds. */
  readonly nowMs: () => number;
};

export class TaskDialer {
  readonly #context: () => DialContext;
  /** No other agent and no earlier run of this one has the same ids. */
  readonly #prefix = randomUUID().slice(0, 13);
  #count = 0;

  constructor(context: () => DialContext) {
    this.#context = context;
  }

  /** Connects to a port of a task. Never rejects. @param signal ends the attempt, as its timeout does */
  dial(task: NamedTask, port: number, signal: AbortSignal): Promise<DialResult> {
    return withinLimits(dialMs, signal, async (dialing) => {
      const context = this.#context();
      const own = context.ownAddress(task);
      const peer = peerOf(context.networks, task);
      if (own !== null) connectTo(own, port, dialing);
      else if (peer?.gateway == null) dialing.end("unreached");
      else this.#dialPeer(peer, peer.gateway, task, port, context, dialing);
    });
  }

  #dialPeer(
    { nodeId, dial }: NetworkPeer,
    gateway: NonNullable<NetworkPeer["gateway"]>,
    task: NamedTask,
    port: number,
    { relay, nowMs }: DialContext,
    dialing: DialAttempt,
  ): void {
    this.#count += 1;
    const id = `${this.#prefix}.${this.#count.toString(36)}`;
    const kind = "tunnel" as const;
    const attempt = { keyId: dial.id, taskId: task.id, port, id, issuedMs: Math.round(nowMs()), kind };
    const digest = createHmac("sha256", Buffer.from(dial.key, "base64url"))
      .update(provenText(attempt, tunnelRequest))
      .digest();
    const proof = digest.toString("base64url", 0, proofBytes);
    const mark = digest.toString("base64url", proofBytes);
    openTunnel(gateway, nodeId, { attempt, proof, mark }, relay, dialing);
  }
}

function peerOf(networks: readonly NamedNetwork[], { networkId, nodeId }: NamedTask): NetworkPeer | null {
  const network = networks.find(({ id }) => id === networkId);
  return network?.peers.find((peer) => peer.nodeId === nodeId) ?? null;
}

function connectTo(host: string, port: number, dialing: DialAttempt): void {
  const socket = connect({ host, port });
  dialing.onGiveUp = () => socket.destroy();
  socket.on("error", ({ code }: NodeJS.ErrnoException) => {
    dialing.end(code === "ECONNREFUSED" ? "refused" : "unreached");
  });
  socket.once("connect", () => dialing.end(tuned(socket)));
}
