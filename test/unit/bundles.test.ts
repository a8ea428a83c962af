// What the Workers' bundles contain.

import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

/** The packages in the bundle of a Worker. */
async function packagesOf(worker: string): Promise<readonly string[]> {
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [worker],
    bundle: true,
    write: false,
    metafile: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    logLevel: "silent",
  });
  const names = Object.keys(metafile.inputs).flatMap(
    (path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? [],
  );
  return [...new Set(names)].toSorted();
}

test("[U120] the regular expression engine is in the control Worker, and in no bundle of the data plane", async () => {
  expect(await packagesOf("workers/control.ts")).toContain("re2js");
  for (const worker of ["workers/edge.ts", "workers/ingress.ts"]) {
    expect([worker, await packagesOf(worker)]).toEqual([worker, expect.not.arrayContaining(["re2js"])]);
  }
}, 30_000);
