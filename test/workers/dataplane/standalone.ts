// The data plane alone, for tests: the shells of workers/ with the test's table source in place of the
// registry.

import { serveByHost, serveListener } from "../../../workers/entry.ts";
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
  const pollTable = async (_routerId: string, after: number) =>
    (await env.TABLES.fetch(`http://tables/?after=${after}`)).json();
  planeEnv ??= { ...env, REGISTRY: { getByName: () => ({ pollTable }) } } as unknown as PlaneEnv;
  return planeEnv;
}
