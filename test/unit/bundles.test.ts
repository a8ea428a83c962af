// What the Workers' bundles contain.

import { expect, test } from "vitest";
import { bundleWorker } from "../../src/local/bundle.ts";

/** The packages in the bundle of a Worker. */
async function packagesOf(worker: string): Promise<readonly string[]> {
  const { inputs } = await bundleWorker(worker);
  const names = inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []);
  return [...new Set(names)].toSorted();
}

test("[U120] the regular expression engine is in the control Worker, and in no bundle of the data plane", async () => {
  expect(await packagesOf("workers/control.ts")).toContain("re2js");
  for (const worker of ["workers/edge.ts", "workers/ingress.ts"]) {
    expect([worker, await packagesOf(worker)]).toEqual([worker, expect.not.arrayContaining(["re2js"])]);
  }
}, 30_000);

test("[O140] the Worker of a machine has no control plane, no Durable Object and no package", async () => {
  const { inputs } = await bundleWorker("workers/node-plane.ts");
  const foreign =
    /node_modules|^src\/(registry|control(?!\/client-address)|dashboard|stats(?!\/uri)|storage|protocol|prober|haproxy)\//;
  expect(inputs.filter((path) => foreign.test(path))).toEqual([]);
  expect(inputs.filter((path) => path.startsWith("workers/")).toSorted()).toEqual([
    "workers/client-address.ts",
    "workers/entry.ts",
    "workers/node-plane.ts",
    "workers/objects.ts",
    "workers/plane.ts",
    "workers/relayed-stats.ts",
    "workers/router-calls.ts",
    "workers/table-copies.ts",
  ]);
}, 30_000);
