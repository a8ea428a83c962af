// An attempt at a static server through the exit of this machine, for a request that `fetch` would change, or
// might send on a connection that the server closes at that moment.

import { exitKeyId, exitNodeId } from "../gateway/attempt.ts";
import type { Exit } from "../proxy/plane.ts";
import type { Target } from "../proxy/routing/target-pool.ts";
import { reserve, send, type Undelivered } from "./gateway-attempt.ts";
import { type ProxyRequest, sentTarget } from "./proxy-request.ts";
import type { UpstreamRequest } from "./upstream-request.ts";

/** A static server has an origin. */
export type ServerTarget = Target & { readonly origin: string };

/**
 * How long an attempt waits each time before it asks again for a server that the exit does not know,
 * milliseconds: the exit may get a table a moment after the data plane.
 */
const unknownServerWaitsMs: readonly number[] = [50, 100, 200];

/**
 * How long the exit may take to connect to a server, milliseconds. It gives up itself after 3 s, and runs as
 * long as the mesh does, so that only a busy machine makes it late.
 */
const exitTimeoutMs = 10_000;

/**
 * Sends a request to a static server through the exit, on a connection of its own. Never rejects.
 *
 * @param hostHeader the Host that the server gets; absent: its own address
 * @returns `failed` if the server may have got the request
 * @see docs/decisions/0084-exit-for-static-servers.md
 */
export async function dialExit(
  incoming: ProxyRequest,
  upstream: UpstreamRequest,
  server: ServerTarget,
  { gateway, signer }: Exit,
  hostHeader: string | undefined,
): Promise<Response | "failed" | Undelivered> {
  const { plane, method } = incoming;
  const common = {
    plane,
    signer,
    target: { ...server, nodeId: exitNodeId, gateway },
    keyId: exitKeyId,
    path: sentTarget(incoming),
    host: hostHeader ?? new URL(server.origin).host,
  };
  for (const waitMs of [...unknownServerWaitsMs, null]) {
    const call = { ...common, id: signer.newAttemptId() };
    // A body that streams is lost with an attempt, so the server must accept the connection first.
    const reserved = upstream.streams ? await reserve(call, exitTimeoutMs) : "ready";
    const result = reserved === "ready" ? await send(call, "once", method, upstream.init) : reserved;
    if (result !== "gone" || waitMs === null) return result;
    await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
  return "gone";
}
