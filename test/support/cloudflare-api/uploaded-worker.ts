// Runs the Workers that were uploaded to the stand-in: their modules with their bindings, in workerd.

import { Miniflare } from "miniflare";
import type { UploadedWorker } from "./server.ts";

export type RunningWorkers = {
  /** Sends a request with any host name to a Worker, as Cloudflare's front door does. */
  readonly fetch: (
    worker: string,
    url: string,
    headers: Readonly<Record<string, string>>,
  ) => Promise<Response>;
  readonly stop: () => Promise<void>;
};

/** @param workers by name; objects are of the Worker that their binding names */
export async function runUploadedWorkers(
  workers: ReadonlyMap<string, UploadedWorker>,
): Promise<RunningWorkers> {
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    logRequests: false,
    cf: false,
    workers: [...workers].map(([name, worker]) => ({ config: configOf(name, worker) })),
  });
  await miniflare.ready;
  return {
    fetch: async (worker, url, headers) => {
      const { fetch } = await miniflare.getWorker(worker);
      const response = await fetch(url, { headers: { ...headers }, redirect: "manual" });
      return new Response(await response.text(), { status: response.status });
    },
    stop: () => miniflare.dispose(),
  };
}

function configOf(name: string, { metadata, modules, secrets }: UploadedWorker) {
  const { main_module: main, bindings } = metadata;
  const classes = bindings.flatMap((binding) =>
    binding.type === "durable_object_namespace"
      ? [{ ...binding, owner: binding.script_name ?? name } as const]
      : [],
  );
  const texts = bindings.flatMap((binding) =>
    binding.type === "plain_text" ? [[binding.name, binding.text] as const] : [],
  );
  return {
    name,
    compatibilityDate: metadata.compatibility_date,
    compatibilityFlags: metadata.compatibility_flags,
    manifest: {
      mainModule: main,
      modulesRoot: "/",
      modules: { [main]: { type: "esm" as const, contents: modules[main] ?? "" } },
    },
    env: {
      ...Object.fromEntries(
        classes.map(({ name: key, class_name, owner }) => [
          key,
          { type: "durable-object" as const, worker: owner, exportName: class_name },
        ]),
      ),
      ...Object.fromEntries(
        [...texts, ...Object.entries(secrets)].map(([key, value]) => [key, { type: "json" as const, value }]),
      ),
    },
    exports: Object.fromEntries(
      classes
        .filter(({ owner }) => owner === name)
        .map(({ class_name }) => [class_name, { type: "durable-object", storage: "sqlite" } as const]),
    ),
  };
}
