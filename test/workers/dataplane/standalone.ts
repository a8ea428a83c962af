// The data plane alone, for tests: the shells of workers/ with the test's table source in place of the
// registry.

import type { SentTable } from "../../../src/proxy/routing/table-cache.ts";
import type { RouterCall, RouterReply } from "../../../src/registry/api.ts";
import { serveByHost, serveListener } from "../../../workers/entry.ts";
import { telemetryOf } from "../../../workers/objects.ts";
import type { PlaneEnv } from "../../../workers/plane.ts";

export { MeshTelemetry } from "../../../workers/telemetry.ts";

type StandaloneEnv = Omit<PlaneEnv, "REGISTRY"> & { readonly TABLES: Fetcher };

export default {
  fetch(request, env, ctx) {
    return serveByHost(request, withTables(env), ctx, null);
  },
} satisfies ExportedHandler<StandaloneEnv>;

export const Entry = {
  fetch(request, standaloneEnv, ctx) {
    const env = withTables(standaloneEnv);
    return serveListener(request, env, ctx);
  },
} satisfies ExportedHandler<StandaloneEnv>;

let planeEnv: PlaneEnv | undefined;

function withTables(env: StandaloneEnv): PlaneEnv {
  const exchange = async ({ afterVersion, waitMs, counters }: RouterCall): Promise<RouterReply> => {
    if (counters !== null)
      await telemetryOf(env as unknown as PlaneEnv).count(JSON.parse(counters.text), Date.now());
    const response = await env.TABLES.fetch(`http://tables/?after=${afterVersion}&wait=${waitMs}`);
    const { text, ...reply } = await response.json<SentTable>();
    const table = text === null ? null : { kind: "whole" as const, gzip: await zipped(text) };
    return { ...reply, table, counted: true, isWatched: false };
  };
  planeEnv ??= { ...env, REGISTRY: { getByName: () => ({ exchange }) } } as unknown as PlaneEnv;
  return planeEnv;
}

async function zipped(text: string): Promise<Uint8Array> {
  const stream = new Blob([text]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
