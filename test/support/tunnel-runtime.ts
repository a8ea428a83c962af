// The tunnel objects in a workerd of their own, for tests.

import { Log, LogLevel, Miniflare } from "miniflare";
import { bundleWorker } from "../../src/local/bundle.ts";

export type TunnelRuntime = {
  readonly url: string;
  readonly port: number;
  readonly stop: () => Promise<void>;
};

/** Starts workerd with the Worker of test/workers/tunnel/relay-worker.ts. */
export async function startTunnelRuntime(): Promise<TunnelRuntime> {
  const { source, compatibilityDate } = await bundleWorker("test/workers/tunnel/relay-worker.ts");
  const miniflare = new Miniflare({
    cf: false,
    logRequests: false,
    host: "127.0.0.1",
    port: 0,
    log: new Log(LogLevel.WARN),
    workers: [
      {
        config: {
          name: "tunnels",
          compatibilityDate,
          compatibilityFlags: ["enable_request_signal"],
          manifest: {
            mainModule: "worker.mjs",
            modulesRoot: "/",
            modules: { "worker.mjs": { type: "esm", contents: source } },
          },
          env: { TUNNEL: { type: "durable-object", worker: "tunnels", exportName: "MeshTunnel" } },
          exports: { MeshTunnel: { type: "durable-object", storage: "sqlite" } },
        },
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0, entrypoint: "default" }] },
      },
    ],
  });
  await miniflare.ready;
  const { port } = await miniflare.unsafeGetDirectURL("tunnels", "default");
  return { url: `http://127.0.0.1:${port}`, port: Number(port), stop: () => miniflare.dispose() };
}
