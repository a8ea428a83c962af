// Bundles the Worker from source into one module, as `wrangler deploy` does.

import { readFileSync } from "node:fs";
import { build, type Plugin } from "esbuild";
import { packageFolder as root } from "../package/program-files.ts";
import { buildDashboardAssets } from "./dashboard-assets.ts";
import { nodePlaneEntry, platformMeshEntry } from "./worker-entries.ts";

export type WorkerBundle = {
  readonly source: string;
  /** Paths of the files in it, relative to the project. */
  readonly inputs: readonly string[];
  readonly compatibilityDate: string;
};

/** Bundles a Worker; rejects with esbuild's messages if the build fails. */
export async function bundleWorker(entry: string): Promise<WorkerBundle> {
  // It has no dashboard, and its machine may have the package in a folder that it cannot write to.
  if (entry !== nodePlaneEntry) await buildDashboardAssets();
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "module"],
    external: ["cloudflare:*", "node:*"],
    plugins: [restrictedSockets],
    logLevel: "silent",
  });
  const source = result.outputFiles[0]?.text;
  if (source === undefined) throw new Error(`esbuild gave no output for ${entry}`);
  return { source, inputs: Object.keys(result.metafile.inputs), compatibilityDate: readCompatibilityDate() };
}

/** Gives the Workers under the platform's rules the `connect` that follows them. */
const restrictedSockets: Plugin = {
  name: "restricted sockets",
  setup({ initialOptions, onResolve }) {
    const [entry] = initialOptions.entryPoints as readonly string[];
    const module = `${root}workers/platform/restricted-sockets.ts`;
    if (entry !== platformMeshEntry) return;
    onResolve({ filter: /^cloudflare:sockets$/ }, ({ importer }) =>
      importer === module ? null : { path: module },
    );
  },
};

/** The date in wrangler.toml, so that the runtime behaves as on Cloudflare. */
function readCompatibilityDate(): string {
  const config = readFileSync(`${root}wrangler.toml`, "utf8");
  const date = /^compatibility_date\s*=\s*"([0-9-]+)"/m.exec(config)?.[1];
  if (date === undefined) throw new Error("wrangler.toml has no compatibility_date");
  return date;
}
