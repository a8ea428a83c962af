// The data plane alone, for tests: the shells of workers/ with a table source of the test's in the registry's place.

import { WorkerEntrypoint } from "cloudflare:workers";
import { entryOfHeader, entryOfHost, notAListener, type PlaneEnv, serve } from "../../../workers/entry.ts";

type StandaloneEnv = Omit<PlaneEnv, "REGISTRY"> & { readonly TABLES: Fetcher };

export default {
  async fetch(request, env, ctx) {
    const planeEnv = withTables(env);
    return serve(request, await entryOfHost(request, planeEnv, ctx, null), planeEnv, ctx);
  },
} satisfies ExportedHandler<StandaloneEnv>;

export class Entry extends WorkerEntrypoint<StandaloneEnv> {
  override fetch(request: Request): Response | Promise<Response> {
    const env = withTables(this.env);
    const entry = entryOfHeader(request, env);
    return entry === null ? notAListener(request) : serve(request, entry, env, this.ctx);
  }
}

let made: PlaneEnv | undefined;

function withTables(env: StandaloneEnv): PlaneEnv {
  const table = async (after: number) => (await env.TABLES.fetch(`http://tables/?after=${after}`)).json();
  made ??= { ...env, REGISTRY: { getByName: () => ({ table }) } } as unknown as PlaneEnv;
  return made;
}
