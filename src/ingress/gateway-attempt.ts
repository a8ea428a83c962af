// An attempt at a task through the gateway of its node, and what the gateway says became of it.

import type { TableGateway } from "../domain/table/table.ts";
import {
  type AttemptKind,
  attemptHeader,
  type GatewayOutcome,
  gatewayHeader,
  hostHeader,
  isUndelivered,
  printAttempt,
  provenText,
  readOutcome,
  targetHeader,
} from "../gateway/attempt.ts";
import { isUndeliveredByTunnel, readTunnelOutcome, tunnelHeader } from "../gateway/tunnel/relay.ts";
import type { AttemptSigner } from "../proxy/attempt-signer.ts";
import type { DataPlane } from "../proxy/plane.ts";
import { trustedForMs } from "../proxy/routing/table-cache.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import type { ProxyRequest } from "./proxy-request.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

/** Why a request was not delivered to a task, so that any request may go on to another. */
export type Undelivered =
  /** Nothing accepts connections at the task's port. */
  | "refused"
  /** The task is not on its node any more. */
  | "gone"
  /** The task has its maximum of open requests. */
  | "full"
  /** The gateway did not answer. */
  | "unreached";

/**
 * How long a gateway may take to connect to a task for a request that may not be repeated, milliseconds. Then
 * the request goes to another task, as nothing of it was sent.
 */
const reserveTimeoutMs = 1_000;
/** The same through the mesh's relay, where the first attempt may open two connections and ask the registry. */
const relayedReserveTimeoutMs = 3_000;
/**
 * The same if no other task is left: a connection with TLS takes three round trips, and a lost packet a second more.
 */
const lastReserveTimeoutMs = 10_000;

/** Where an attempt goes. */
export type GatewayTarget = Target & { readonly gateway: TableGateway };

/** One attempt, ready to be signed and sent. */
export type GatewayCall = {
  readonly plane: DataPlane;
  readonly signer: AttemptSigner;
  readonly target: GatewayTarget;
  readonly keyId: string;
  readonly id: string;
  readonly path: string;
  readonly host: string | null;
};

/**
 * Sends a request to a task through its node's gateway. A request that may not be repeated is sent only after
 * the gateway has connected to the task for it: until then it is known that no task got it.
 *
 * @param path the target that the task gets
 * @param hostHeader the Host that the task gets; absent: the client's
 * @param isLast no other task is left for the request
 * @returns `failed` if the task may have got the request. Never rejects
 * @see docs/decisions/0074-gateway-proofs.md
 */
export async function dialGateway(
  { plane, method, host }: ProxyRequest,
  { init, isRepeatable, streams }: UpstreamRequest,
  target: GatewayTarget,
  path: string,
  hostHeader: string | undefined,
  isLast: boolean,
): Promise<Response | "failed" | Undelivered> {
  const keyId = plane.tables.held?.signingKey ?? null;
  if (keyId === null) return "unreached";
  const { signer } = plane;
  const id = signer.newAttemptId();
  const call = { plane, signer, target, keyId, id, path, host: hostHeader ?? (host === "" ? null : host) };
  // A tunnel says itself what was not delivered, but by then a streaming body is lost. It does not say that the
  // gateway has dropped the key of an old table.
  const isUnsafe = streams || target.gateway.transport !== "tunnel" || plane.usesRelay;
  if (!isRepeatable && (isUnsafe || plane.tables.isOlderThan(trustedForMs))) {
    const isRelayed = plane.usesRelay && target.gateway.transport !== "direct";
    const withinMs = isRelayed ? relayedReserveTimeoutMs : reserveTimeoutMs;
    const reserved = await reserve(call, isLast ? lastReserveTimeoutMs : withinMs);
    if (reserved !== "ready") return reserved;
  }
  return send(call, isRepeatable ? "repeat" : "once", method, init);
}

/** True if the gateway of a target's node answers. Never rejects; its caller limits the wait. */
export async function isGatewayReady(plane: DataPlane, target: GatewayTarget): Promise<boolean> {
  const keyId = plane.tables.held?.signingKey ?? null;
  if (keyId === null) return false;
  const { signer } = plane;
  const node = { ...target, taskId: "", port: 0 };
  const call = { plane, signer, target: node, keyId, id: signer.newAttemptId(), path: "*", host: null };
  const answer = await ask(call, "hello", "POST", bodilessPost());
  if (typeof answer === "string") return false;
  void answer[0].body?.cancel();
  return answer[1] === "ready";
}

function bodilessPost(): RequestInit {
  return { method: "POST", headers: new Headers(), redirect: "manual" };
}

/** Has the gateway connect to the target. A timer ends the wait; a late connection ends by itself. */
export async function reserve(call: GatewayCall, withinMs: number): Promise<"ready" | Undelivered> {
  const answer = await Promise.race([
    ask(call, "reserve", "POST", bodilessPost()),
    new Promise<"unreached">((resolve) => setTimeout(resolve, withinMs, "unreached")),
  ]);
  if (typeof answer === "string") return "unreached";
  const [response, outcome] = answer;
  void response.body?.cancel();
  if (outcome === "ready") return "ready";
  return outcome !== null && isUndelivered(outcome) ? outcome : "unreached";
}

/** Sends the request of an attempt. @returns `failed` if the target may have got it */
export async function send(
  call: GatewayCall,
  kind: AttemptKind,
  method: string,
  init: RequestInit,
): Promise<Response | "failed" | Undelivered> {
  const answer = await ask(call, kind, method, init);
  if (answer === "undelivered") return "unreached";
  if (answer === "unreached") return "failed";
  const [response, outcome] = answer;
  if (outcome === "task") return response;
  await response.body?.cancel();
  return outcome !== null && isUndelivered(outcome) ? outcome : "failed";
}

/** Signs an attempt and sends it. @returns the response with its outcome, null if it has no mark */
async function ask(
  { plane, signer, target, keyId, id, path, host }: GatewayCall,
  kind: AttemptKind,
  method: string,
  init: RequestInit,
): Promise<readonly [Response, GatewayOutcome | null] | "unreached" | "undelivered"> {
  const { taskId, port, nodeId, gateway } = target;
  const attempt = { keyId, taskId, port, id, issuedMs: plane.nowMs(), kind };
  const text = provenText(attempt, { method, target: path, host });
  try {
    const signature = await signer.sign(keyId, nodeId, text);
    if (signature === null) return "undelivered";
    const headers = init.headers as Headers;
    headers.set(attemptHeader, printAttempt(attempt, signature.proof));
    headers.set(targetHeader, path);
    if (host !== null) headers.set(hostHeader, host);
    const response = await plane.dialGateway(gateway, nodeId, init);
    const outcome = readOutcome(response.headers.get(gatewayHeader), signature.mark);
    const mayBeLost = gateway.transport === "tunnel" || (plane.usesRelay && gateway.transport === "vpc");
    if (outcome === null && mayBeLost && isLostInTunnel(response)) {
      await response.body?.cancel();
      return "undelivered";
    }
    return [response, outcome];
  } catch {
    // The runtime's errors do not distinguish a refused connection, a reset one and an unknown host name.
    return "unreached";
  }
}

/**
 * True if the object of a tunnel, or the relay, says that the request was not delivered. Neither passes such a
 * word of a gateway on.
 */
function isLostInTunnel({ headers }: Response): boolean {
  const outcome = readTunnelOutcome(headers.get(tunnelHeader));
  return outcome !== null && isUndeliveredByTunnel(outcome);
}
