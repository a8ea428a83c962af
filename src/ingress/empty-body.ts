// Empty bodies: of a GET or HEAD whose body has no stated length, and of a request that must be sent once.

import type { Failure } from "../proxy/http/failure.ts";
import { bodyWatch } from "../proxy/limits.ts";
import { within } from "./attempt.ts";
import type { ProxyRequest } from "./proxy-request.ts";
import { bodyFailure } from "./refusals.ts";

/** A timer's longest time, milliseconds. */
const maxTimerMs = 2 ** 31 - 1;

/**
 * Reads the body of a GET or HEAD up to its first byte, at most for the time that a client may pause. `fetch`
 * would drop a body of unknown length.
 *
 * @returns the request without a body if it is empty, else the failure; the rest of the body is not read
 */
export async function withoutEmptyBody(incoming: ProxyRequest): Promise<ProxyRequest | Failure> {
  const { request, method, plane } = incoming;
  const watch = bodyWatch(plane, {});
  const start = await within(bodyStart(request.body?.getReader()), Math.min(watch.stallMs, maxTimerMs));
  if (start === "empty") return { ...incoming, bodyBytes: 0 };
  if (start === "broken") return bodyFailure("body-broken", watch);
  if (start === "timeout") return bodyFailure("body-stalled", watch);
  const reason = `a ${method} with a body of unknown length cannot be passed on; state its Content-Length`;
  return { status: 411, reason };
}

type BodyReader = { readonly read: () => Promise<{ done: boolean; value?: Uint8Array | undefined }> };

async function bodyStart(reader: BodyReader | undefined): Promise<"empty" | "bytes" | "broken"> {
  try {
    for (;;) {
      const { done, value } = (await reader?.read()) ?? { done: true };
      if (done) return "empty";
      if (value !== undefined && value.length > 0) return "bytes";
    }
  } catch {
    return "broken";
  }
}

/** Methods of which the runtime sends a request without a body again by itself, and that may have a body. */
const resentMethods: ReadonlySet<string> = new Set(["OPTIONS", "PUT", "DELETE"]);

/**
 * An empty stream as the body of a request without a body that must be sent once; null for methods that the
 * runtime does not send again. When a kept-alive connection breaks, the runtime sends a request without a body
 * again on another connection, but not a request whose body has no length.
 *
 * @see docs/spec.md Y42
 */
export function sentOnceBody(method: string): ReadableStream<Uint8Array> | null {
  if (!resentMethods.has(method)) return null;
  return new ReadableStream({ start: (body) => body.close() });
}
