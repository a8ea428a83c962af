// The whole mesh in one Worker: control, edge and every node's entry point, told apart before any framework runs.

import { WorkerEntrypoint } from "cloudflare:workers";
import control from "./control.ts";
import { entryOfHeader, entryOfHost, notAListener, serve } from "./entry.ts";
import type { Env } from "./env.ts";

export { MeshRegistry } from "./registry.ts";

export default {
  async fetch(request, env, ctx) {
    if (isControl(request, env)) return control.fetch(request, env, ctx);
    return serve(request, await entryOfHost(request, env, ctx, null), env, ctx);
  },
} satisfies ExportedHandler<Env>;

/** The listeners' socket of a mesh on one machine. */
export class Entry extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Response | Promise<Response> {
    const entry = entryOfHeader(request, this.env);
    return entry === null ? notAListener(request) : serve(request, entry, this.env, this.ctx);
  }
}

/** The control API's socket of a mesh on one machine. */
export class Control extends WorkerEntrypoint<Env> {
  override fetch(request: Request): Response | Promise<Response> {
    return control.fetch(request, this.env, this.ctx);
  }
}

/**
 * Control has a host name of its own. Where it was given none, the paths of the Engine API and of the mesh's own routes
 * are taken on every host, so that a first deploy can be reached at all.
 */
function isControl(request: Request, env: Env): boolean {
  const { hostname, pathname } = new URL(request.url);
  if (env.CONTROL_HOST !== "") return hostname === env.CONTROL_HOST.toLowerCase();
  return pathname.startsWith("/mesh/") || /^\/(?:v1\.\d+\/|_ping$)/.test(pathname);
}
