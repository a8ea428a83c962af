// The statistics page of balancer machines, at the control API: `GET /mesh/router/stats?uri=URI&options=OPTIONS`.

import { MeshError } from "../src/domain/model/error.ts";
import { routerRefusal } from "../src/protocol/router.ts";
import { statsApp } from "../src/stats/app.ts";
import type { PlaneEnv } from "./plane.ts";
import { statsDeps } from "./stats.ts";

/** Longest address of a page, with its options, characters. */
const maxRelayedUri = 1_000;

/**
 * Serves the page for reading, to a machine that may route. The credentials of its client, in
 * `x-waggle-authorization`, decide as at the edge. Wrong ones count by machine, which could claim any client.
 */
export async function serveRouterStats(request: Request, env: PlaneEnv): Promise<Response> {
  const { headers, method, url } = request;
  const nodeId = headers.get("x-waggle-node") ?? "";
  const credential = /^Bearer (\S{1,200})$/i.exec(headers.get("authorization") ?? "")?.[1] ?? "";
  const deps = statsDeps(env);
  const access = await Promise.resolve(deps.mesh.routerAccess(nodeId, credential)).catch(unavailable);
  if (access instanceof MeshError) return Response.json({ message: access.message }, { status: 503 });
  if (access !== "granted") {
    const { status, message } = routerRefusal(access, nodeId);
    return Response.json({ message }, { status });
  }
  const { searchParams } = new URL(url);
  const [uri, options] = [searchParams.get("uri") ?? "", searchParams.get("options") ?? ""];
  if (method !== "GET" || !uri.startsWith("/") || uri.length + options.length > maxRelayedUri) {
    const message = `cannot read uri=${uri.slice(0, 40)}: a path, up to ${maxRelayedUri} characters with its options`;
    return Response.json({ message }, { status: 400 });
  }
  const authorization = headers.get("x-waggle-authorization") ?? "";
  const asked = new Request(`https://balancer${uri}${options}`, { headers: { authorization } });
  const app = statsApp({ ...deps, uri, sharesOrigin: true, isReadOnly: true });
  return app(asked, `machine ${nodeId}`);
}

/** @throws any error but that of a registry that does not respond */
function unavailable(error: unknown): MeshError {
  if (error instanceof MeshError) return error;
  throw error;
}
