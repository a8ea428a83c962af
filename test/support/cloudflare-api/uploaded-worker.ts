// Runs a Worker that was uploaded to the stand-in: the uploaded module with its bindings, in workerd.

import { Miniflare } from "miniflare";
import type { UploadedWorker } from "./server.ts";

export type RunningWorker = {
  /** Sends a request with any host name, as Cloudflare's front door does. */
  readonly fetch: (url: string, headers: Readonly<Record<string, string>>) => Promise<Response>;
  readonly stop: () => Promise<void>;
};

export async function runUploadedWorker({
  metadata,
  modules,
  secrets,
}: UploadedWorker): Promise<RunningWorker> {
  const { main_module: main, bindings } = metadata;
  const classes = bindings.flatMap((binding) =>
    binding.type === "durable_object_namespace" ? [[binding.name, binding.class_name] as const] : [],
  );
  const texts = bindings.flatMap((binding) =>
    binding.type === "plain_text" ? [[binding.name, binding.text] as const] : [],
  );
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    logRequests: false,
    cf: false,
    workers: [
      {
        config: {
          name: "uploaded",
          compatibilityDate: metadata.compatibility_date,
          compatibilityFlags: metadata.compatibility_flags,
          manifest: {
            mainModule: main,
            modulesRoot: "/",
            modules: { [main]: { type: "esm", contents: modules[main] ?? "" } },
          },
          env: {
            ...Object.fromEntries(
              classes.map(([name, exportName]) => [
                name,
                { type: "durable-object" as const, worker: "uploaded", exportName },
              ]),
            ),
            ...Object.fromEntries(
              [...texts, ...Object.entries(secrets)].map(([name, value]) => [
                name,
                { type: "json" as const, value },
              ]),
            ),
          },
          exports: Object.fromEntries(
            classes.map(([, exportName]) => [
              exportName,
              { type: "durable-object", storage: "sqlite" } as const,
            ]),
          ),
        },
      },
    ],
  });
  await miniflare.ready;
  return {
    fetch: async (url, headers) => {
      const response = await miniflare.dispatchFetch(url, { headers: { ...headers }, redirect: "manual" });
      return new Response(await response.text(), { status: response.status });
    },
    stop: () => miniflare.dispose(),
  };
}
