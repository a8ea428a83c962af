// The Workers runtime on this machine: workerd under Miniflare, with the registry's storage in the state folder and two
// sockets, one for the control API and one that the listeners of published ports splice to. Or, as infra/split deploys
// it, one half of that: two processes, of which the one with the data plane asks the other for the routing table.

import { join } from "node:path";
import { Miniflare } from "miniflare";
import { freePort } from "../agent/runtimes/ports.ts";
import { bundleWorker, type WorkerBundle } from "./bundle.ts";
import { runChild } from "./child.ts";
import type { MeshSecrets } from "./secrets.ts";

export type RuntimeInput = {
  readonly part: "whole" | "control" | "traffic";
  readonly stateDir: string;
  readonly balancerPort: number;
  readonly secrets: MeshSecrets;
};

/** Ports at 127.0.0.1, where this mesh's own listeners pass requests on to; a part opens only its own. */
export type RuntimeReady = { readonly controlPort: number; readonly entryPort: number };

runChild<RuntimeInput, RuntimeReady>(async (input) => {
  const bundle = await bundleWorker();
  const ready = { controlPort: await freePort("127.0.0.1"), entryPort: await freePort("127.0.0.1") };
  const miniflare = await startWorkerd(input, bundle, ready);
  return { ready, stop: () => miniflare.dispose() };
});

/** Miniflare restarts workerd by itself, on the same ports, when it dies. */
async function startWorkerd(
  input: RuntimeInput,
  bundle: WorkerBundle,
  { controlPort, entryPort }: RuntimeReady,
): Promise<Miniflare> {
  const text = (value: string) => ({ type: "json" as const, value });
  const isTraffic = input.part === "traffic";
  const control = { host: "127.0.0.1", port: controlPort, entrypoint: "Control" };
  const entry = { host: "127.0.0.1", port: entryPort, entrypoint: "Entry" };
  const sockets = { whole: [control, entry], control: [control], traffic: [entry] };
  const objects = {
    MeshRegistry: { type: "durable-object" as const, storage: "sqlite" as const },
    MeshTelemetry: { type: "durable-object" as const, storage: "sqlite" as const },
    MeshProber: { type: "durable-object" as const, storage: "sqlite" as const },
  };
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: await freePort("127.0.0.1"),
    cf: false,
    logRequests: false,
    ...(!isTraffic && { resourcePersistencePath: join(input.stateDir, "registry") }),
    // Where the two find each other.
    ...(input.part !== "whole" && { unsafeDevRegistryPath: join(input.stateDir, "workers") }),
    workers: [
      {
        config: {
          name: isTraffic ? "waggle-traffic" : "waggle",
          compatibilityDate: bundle.compatibilityDate,
          manifest: {
            mainModule: "worker.mjs",
            modulesRoot: "/",
            modules: { "worker.mjs": { type: "esm", contents: bundle.source } },
          },
          env: {
            REGISTRY: { type: "durable-object", worker: "waggle", exportName: "MeshRegistry" },
            TELEMETRY: { type: "durable-object", worker: "waggle", exportName: "MeshTelemetry" },
            PROBER: { type: "durable-object", worker: "waggle", exportName: "MeshProber" },
            PROBE_REGIONS: text(""),
            OPERATOR_TOKEN: text(input.secrets.token),
            VIEWER_TOKEN: text(input.secrets.viewerToken),
            ENTRY_KEY: text(input.secrets.entryKey),
            MESH_NAME: text("waggle"),
            MESH_DOMAIN: text(""),
            CONTROL_HOST: text(""),
            REGISTRY_LOCATION: text(""),
            TRUSTED_PROXIES: text(""),
            MESH_MODE: text("local"),
            BALANCER_PORT: text(String(input.balancerPort)),
          },
          ...(!isTraffic && { exports: objects }),
        },
        dev: { unsafeDirectSockets: sockets[input.part] },
      },
    ],
  });
  await miniflare.ready;
  // Miniflare ends the process on a signal without waiting; stopping in order is up to us.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeAllListeners(signal);
  return miniflare;
}
