// Delivering: a task's response on its way to the client.

import { cleanResponse } from "../proxy/http/headers.ts";

/** The task's response with the mesh's headers. Its body stays the runtime's own, so that it streams by itself. */
export function deliver(response: Response, requestId: string, cookie: string | null): Response {
  if (response.status === 101) return response;
  const delivered = new Response(response.body, response);
  const { headers } = delivered;
  cleanResponse(headers);
  headers.set("x-request-id", requestId);
  if (cookie !== null) {
    headers.append("set-cookie", cookie);
    // A cache that others share must not hand it on (HAProxy's `nocache`).
    if (!headers.has("cache-control")) headers.set("cache-control", "private");
  }
  return delivered;
}
