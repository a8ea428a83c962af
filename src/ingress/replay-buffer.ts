// The replay buffer: bodies that an isolate holds so that it can send them to a second target.

import type { Failure } from "../proxy/http/failure.ts";
import { methodsWithoutBody } from "../proxy/http/methods.ts";
import type { BodyWatch } from "../proxy/limits.ts";
import type { DataPlane } from "../proxy/plane.ts";
import type { TargetPool } from "../proxy/routing/target-pool.ts";
import { readBody } from "./client-body.ts";
import type { ProxyRequest } from "./proxy-request.ts";
import { bodyFailure } from "./refusals.ts";

/** Maximum bytes of bodies that an isolate buffers: an eighth of its 128 MiB. */
export const maxReplayBufferBytes = 16 * 1024 ** 2;

/**
 * True if a request's body is buffered: another target may get it, it is small enough, and the buffer has room for it.
 * A request that may not be repeated goes on to another static server if the platform says that it did not connect;
 * gateways and the exit connect before they take a body.
 *
 * @param replayBytes largest body of its service that is buffered
 */
export function shouldBufferBody(
  { bodyBytes, method, isIdempotent }: ProxyRequest,
  replayBytes: number,
  { replayBuffer, platformStatuses }: Pick<DataPlane, "replayBuffer" | "platformStatuses">,
  { hasOrigins, ids }: Pick<TargetPool, "hasOrigins" | "ids">,
): boolean {
  if (bodyBytes === 0 || bodyBytes === null || methodsWithoutBody.has(method)) return false;
  if (!isIdempotent && !(platformStatuses && hasOrigins && ids.length > 1)) return false;
  return bodyBytes <= replayBytes && replayBuffer.bytes + bodyBytes <= maxReplayBufferBytes;
}

/** Reads the body, so that it can be sent more than once, and holds it while it is used. */
export async function withBufferedBody(
  { request, bodyBytes, plane }: ProxyRequest,
  watch: BodyWatch,
  use: (body: ArrayBuffer) => Promise<Response | Failure>,
): Promise<Response | Failure> {
  const { replayBuffer } = plane;
  const bytes = bodyBytes ?? 0;
  replayBuffer.bytes += bytes;
  try {
    const body = await readBody(request.body as ReadableStream<Uint8Array>, bytes, watch, plane.nowMs);
    return body instanceof ArrayBuffer ? await use(body) : bodyFailure(body, watch);
  } finally {
    replayBuffer.bytes -= bytes;
  }
}
