// The Worker as one module, bundled from source at each start: what runs here is what `wrangler deploy` would send.

import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { buildDashboardAssets } from "./dashboard-assets.ts";

const root = fileURLToPath(new URL("../../", import.meta.url));

export type WorkerBundle = { readonly source: string; readonly compatibilityDate: string };

/** Bundles workers/main.ts; rejects with esbuild's messages when it does not build. */
export async function bundleWorker(entry = "workers/main.ts"): Promise<WorkerBundle> {
  await buildDashboardAssets();
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    target: "es2024",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "module"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "silent",
  });
  const source = result.outputFiles[0]?.text;
  if (source === undefined) throw new Error(`esbuild gave no output for ${entry}`);
  return { source, compatibilityDate: readCompatibilityDate() };
}

/** The date wrangler.toml deploys with, so that the runtime behaves the same here. */
function readCompatibilityDate(): string {
  const config = readFileSync(`${root}wrangler.toml`, "utf8");
  const date = /^compatibility_date\s*=\s*"([0-9-]+)"/m.exec(config)?.[1];
  if (date === undefined) throw new Error("wrangler.toml has no compatibility_date");
  return date;
}
