// Builds the dashboard's scripts and style sheet into one module, which the Worker imports. wrangler runs
// this file before it bundles (`[build]` in wrangler.toml).

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { writeFileAtomically } from "../os/files.ts";

const dashboardDir = fileURLToPath(new URL("../dashboard/", import.meta.url));
const assetsFile = `${dashboardDir}built/assets.js`;

type BuiltAsset = {
  readonly name: string;
  readonly type: "text/javascript; charset=utf-8" | "text/css; charset=utf-8";
  readonly text: string;
};

/** Builds src/dashboard/built/assets.js; rejects with esbuild's messages if the build fails. */
export async function buildDashboardAssets(): Promise<
  Readonly<Record<"live" | "charts" | "style", BuiltAsset>>
> {
  const result = await build({
    absWorkingDir: dashboardDir,
    entryPoints: { live: "client/live.ts", charts: "client/charts.ts", style: "client/style.css" },
    outdir: "built",
    bundle: true,
    minify: true,
    write: false,
    format: "esm",
    target: ["es2022", "chrome110", "firefox115", "safari16"],
    logLevel: "silent",
  });
  const read = (name: string, type: "text/javascript" | "text/css"): BuiltAsset => {
    const extension = type === "text/css" ? "css" : "js";
    const text = result.outputFiles.find(({ path }) => path.endsWith(`/${name}.${extension}`))?.text;
    if (text === undefined) throw new Error(`esbuild gave no output for ${name}.${extension}`);
    const hash = createHash("sha256").update(text).digest("hex").slice(0, 8);
    return { name: `${name}-${hash}.${extension}`, type: `${type}; charset=utf-8`, text };
  };
  const assets = {
    live: read("live", "text/javascript"),
    charts: read("charts", "text/javascript"),
    style: read("style", "text/css"),
  };
  writeIfChanged(`export default ${JSON.stringify(assets)};\n`);
  return assets;
}

/** Does not write an unchanged file, so that file watchers do not rebuild. */
function writeIfChanged(text: string): void {
  if (readIfExists(assetsFile) === text) return;
  mkdirSync(`${dashboardDir}built`, { recursive: true });
  // Another build may be reading the file.
  writeFileAtomically(assetsFile, text, 0o644);
}

function readIfExists(path: string): string | null {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return null;
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await buildDashboardAssets();
