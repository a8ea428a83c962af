// The process that runs the Workers runtime of a mesh on this machine: workerd under Miniflare, with storage
// in the state folder. It opens one socket for the control API and one for the listeners of published ports.
// A split mesh (infra/split) has two such processes; the data plane gets the routing table from the other
// one.

import { join } from "node:path";
import { Miniflare, type MiniflareOptions } from "miniflare";
import { freePort } from "../agent/runtimes/ports.ts";
import { bundleWorker, type WorkerBundle } from "./bundle.ts";
import { runChild } from "./child.ts";
import type { MeshSecrets } from "./state-folder.ts";

export type RuntimeInput = {
  readonly part: "whole" | "control" | "traffic";
  readonly stateDir: string;
  readonly balancerPort: number;
  readonly secrets: MeshSecrets;
};

/** Ports at 127.0.0.1 to which the listeners of this mesh forward. A part opens only its own. */
export type RuntimeReady = { readonly controlPort: number; readonly entryPort: number };

runChild<RuntimeInput, RuntimeReady>(async (input) => {
  const bundle = await bundleWorker();
  const ready = { controlPort: await freePort("127.0.0.1"), entryPort: await freePort("127.0.0.1") };
  const miniflare = new Miniflare({
    ...miniflareOptions(input, bundle, ready),
    host: "127.0.0.1",
    port: await freePort("127.0.0.1"),
  });
  await miniflare.ready;
  // Miniflare ends the process on a signal without waiting; runChild stops it in order.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.removeAllListeners(signal);
  return { ready, stop: () => miniflare.dispose() };
});

/** Miniflare restarts workerd on the same ports when it dies. */
function miniflareOptions(input: RuntimeInput, bundle: WorkerBundle, ports: RuntimeReady): MiniflareOptions {
  const isTraffic = input.part === "traffic";
  return {
    cf: false,
    logRequests: false,
    ...(!isTraffic && { resourcePersistencePath: join(input.stateDir, "registry") }),
    // Where the two processes of a split mesh find each other.
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
          env: bindings(input),
          ...(!isTraffic && { exports: durableObjects }),
        },
        dev: { unsafeDirectSockets: directSockets(input.part, ports) },
      },
    ],
  };
}

const durableObjects = {
  MeshRegistry: { type: "durable-object", storage: "sqlite" },
  MeshTelemetry: { type: "durable-object", storage: "sqlite" },
  MeshProber: { type: "durable-object", storage: "sqlite" },
} as const;

/** The bindings of wrangler.toml, with the values of this mesh. */
function bindings({ secrets, balancerPort }: RuntimeInput) {
  const text = (value: string) => ({ type: "json" as const, value });
  const durableObject = (exportName: keyof typeof durableObjects) => {
    return { type: "durable-object" as const, worker: "waggle", exportName };
  };
  return {
    REGISTRY: durableObject("MeshRegistry"),
    TELEMETRY: durableObject("MeshTelemetry"),
    PROBER: durableObject("MeshProber"),
    PROBE_REGIONS: text(""),
    OPERATOR_TOKEN: text(secrets.token),
    VIEWER_TOKEN: text(secrets.viewerToken),
    ENTRY_KEY: text(secrets.entryKey),
    MESH_NAME: text("waggle"),
    MESH_DOMAIN: text(""),
    CONTROL_HOST: text(""),
    REGISTRY_LOCATION: text(""),
    TRUSTED_PROXIES: text(""),
    MESH_MODE: text("local"),
    BALANCER_PORT: text(String(balancerPort)),
  };
}

function directSockets(part: RuntimeInput["part"], { controlPort, entryPort }: RuntimeReady) {
  const control = { host: "127.0.0.1", port: controlPort, entrypoint: "Control" };
  const entry = { host: "127.0.0.1", port: entryPort, entrypoint: "Entry" };
  return { whole: [control, entry], control: [control], traffic: [entry] }[part];
}
