// The statistics page of a balancer machine: its process asks the mesh for it, which checks the client's token.

import { defaultStatsUri, isStatsUrl } from "../src/stats/uri.ts";
import { serve } from "./entry.ts";
import type { PlaneEnv } from "./plane.ts";

/** The page may take the registry and the telemetry object a moment, milliseconds. */
const statsTimeoutMs = 10_000;

/** Serves a request for the statistics; passes all others to the data plane. */
export function serveWithRelayedStats(
  ...[request, entry, env, ctx]: Parameters<typeof serve>
): Promise<Response> {
  const { STATS_URI: uri = defaultStatsUri } = env;
  if (entry.role !== "edge" || !isStatsUrl(request.url, uri)) return serve(request, entry, env, ctx);
  return relayStats(request, uri, env);
}

async function relayStats({ method, headers, url }: Request, uri: string, env: PlaneEnv): Promise<Response> {
  if (method !== "GET" && method !== "HEAD")
    return textResponse(
      405,
      "the statistics of a balancer machine are for reading: change the mesh at its own",
    );
  const path = url.slice(url.indexOf("/", url.indexOf("://") + 3));
  const query = new URLSearchParams({ uri, options: path.slice(uri.length) });
  try {
    const response = await fetch(`${env.CONTROL_URL}/mesh/router/stats?${query}`, {
      headers: {
        authorization: `Bearer ${env.NODE_CREDENTIAL}`,
        "x-waggle-authorization": headers.get("authorization") ?? "",
      },
      signal: AbortSignal.timeout(statsTimeoutMs),
    });
    return method === "HEAD" ? new Response(null, response) : new Response(response.body, response);
  } catch {
    return textResponse(503, "the statistics come from the mesh, which does not respond; try again");
  }
}

function textResponse(status: number, text: string): Response {
  return new Response(`${text}\n`, {
    status,
    headers: {
      "content-type": "text/plain; charset=utf-8",
      "cache-control": "no-store",
      "x-content-type-options": "nosniff",
      ...(status === 405 && { allow: "GET, HEAD" }),
    },
  });
}
