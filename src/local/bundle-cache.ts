// The bundle of a Worker: the built one of an installed package, else that of the last start if its sources are
// the same. Building takes a third of the CPU time of a start.

import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { writeFileAtomically } from "../os/files.ts";
import { builtWorker, cacheFolder, packageFolder } from "../package/program-files.ts";
import type { WorkerBundle } from "./bundle.ts";

type BundleCache = {
  /** Where the package is. */
  readonly root: string;
  /** The file with the bundle; of its user only, because the mesh runs what it holds. */
  readonly file: string;
  readonly build: () => Promise<WorkerBundle>;
};

/** A Worker's bundle: the built one, the one of the last start if its sources are the same, else a new one. */
export async function cachedBundle(entry: string): Promise<WorkerBundle> {
  // The name itself, so that the builder of the package leaves out the builder of Workers.
  if (typeof WAGGLE_BUILD === "undefined") {
    const { bundleWorker } = await import("./bundle.ts");
    const file = join(cacheFolder, `${basename(entry, ".ts")}.json`);
    return bundleOfCache({ root: packageFolder, file, build: () => bundleWorker(entry) });
  }
  return JSON.parse(readFileSync(builtWorker(entry), "utf8")) as WorkerBundle;
}

/** As `cachedBundle`, with a cache of the caller's. */
export async function bundleOfCache({ root, file, build }: BundleCache): Promise<WorkerBundle> {
  const key = sourceKey(root);
  const cached = readCached(file);
  if (key !== null && cached?.key === key) return cached.bundle;
  const bundle = await build();
  // A source that changed meanwhile may be in the bundle with its old or its new text.
  if (key !== null && sourceKey(root) === key) writeCached(file, { key, bundle });
  return bundle;
}

type Cached = { readonly key: string; readonly bundle: WorkerBundle };

function readCached(file: string): Cached | null {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as Cached;
  } catch {
    return null;
  }
}

function writeCached(file: string, cached: Cached): void {
  try {
    mkdirSync(join(file, ".."), { recursive: true });
    writeFileAtomically(file, JSON.stringify(cached));
  } catch {
    // The package may belong to another user, and the disk may be full: the next start builds again.
  }
}

/** A hash of all that a build reads; null if that is unknown because npm has not installed the dependencies. */
function sourceKey(root: string): string | null {
  const sources = ["src", "workers"].flatMap((folder) => {
    const entries = readdirSync(join(root, folder), { recursive: true, withFileTypes: true });
    return entries.filter((entry) => entry.isFile()).map(({ parentPath, name }) => join(parentPath, name));
  });
  const settings = readdirSync(root).filter((name) =>
    /^(package|tsconfig.*)\.json$|^wrangler\.toml$/.test(name),
  );
  const files = [
    // Made from other sources by the build itself.
    ...sources.filter((path) => !path.includes("/dashboard/built/")).sort(),
    ...settings.sort().map((name) => join(root, name)),
    // The versions and hashes of the installed packages.
    join(root, "node_modules/.package-lock.json"),
  ];
  const hash = createHash("sha256");
  try {
    for (const path of files) {
      const content = readFileSync(path);
      hash.update(`${path} ${content.length}\n`).update(content);
    }
    return hash.digest("hex");
  } catch {
    return null;
  }
}
