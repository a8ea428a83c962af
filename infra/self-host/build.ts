// Builds a self-hosted mesh into a folder: the Worker as one module, with workerd's configuration beside it.
//
//   node infra/self-host/build.ts DIR
//
// @see docs/decisions/0047-self-hosting-on-workerd.md

import { copyFileSync, existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleWorker } from "../../src/local/bundle.ts";

const [target] = process.argv.slice(2);
if (target === undefined) {
  console.error("usage: node infra/self-host/build.ts DIR");
  process.exit(2);
}
const folder = resolve(target);
const config = join(folder, "waggle.capnp");
mkdirSync(folder, { recursive: true });
writeFileSync(join(folder, "worker.mjs"), (await bundleWorker("workers/self-host.ts")).source);
const isKept = existsSync(config);
// The operator's sockets and names are kept.
if (!isKept) copyFileSync(fileURLToPath(new URL("waggle.capnp", import.meta.url)), config);
console.log(`${folder}: worker.mjs is built, waggle.capnp is ${isKept ? "left unchanged" : "new"}`);
