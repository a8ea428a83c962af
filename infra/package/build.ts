// Builds what people install: the programs of the package, or the agent as one file. Both run on Node 20 and later.
//
//   node infra/package/build.ts package      dist/, which `npm pack` puts into the package
//   node infra/package/build.ts agent [DIR]  waggle-agent.mjs, by default in build/
//
// @see docs/decisions/0121-package-of-bundles.md

import { chmodSync, copyFileSync, cpSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { type BuildOptions, build, type Metafile, type Plugin } from "esbuild";
import { bundleWorker } from "../../src/local/bundle.ts";
import {
  meshEntry,
  nodePlaneEntry,
  platformIsolateEntry,
  platformMeshEntry,
} from "../../src/local/worker-entries.ts";
import {
  builtWorker,
  type Layout,
  packageFolder,
  programCommit,
  programVersion,
} from "../../src/package/program-files.ts";
import { noticesOf, packagesOf } from "./notices.ts";
import { leaveOutUnused } from "./unused-packages.ts";

/** The processes of an installed package, and the program of the image waggle/whoami. */
const programs = {
  waggle: "src/cli/main.ts",
  "agent-child": "src/local/agent-child.ts",
  "runtime-child": "src/local/runtime-child.ts",
  "ingress-child": "src/local/ingress-child.ts",
  whoami: "src/agent/whoami.ts",
} as const;

const workers = [meshEntry, nodePlaneEntry, platformMeshEntry, platformIsolateEntry];

/** What CommonJS modules need in a module. */
const requireOfModule =
  'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);';

const [what, folder] = process.argv.slice(2);
if (what === "package") await buildPackage(join(packageFolder, "dist"));
else if (what === "agent") await buildAgent(resolve(folder ?? join(packageFolder, "build")));
else {
  console.error("usage: node infra/package/build.ts package | agent [DIR]");
  process.exitCode = 2;
}

async function buildPackage(dist: string): Promise<void> {
  rmSync(dist, { recursive: true, force: true });
  mkdirSync(join(dist, "programs"), { recursive: true });
  const inputs = [
    ...(await bundlePrograms(dist)),
    ...(await bundleMiniflare(join(dist, "miniflare"))),
    ...(await buildWorkers()),
  ];
  for (const program of Object.keys(programs)) writeFileSync(join(dist, `${program}.mjs`), startOf(program));
  const launcher = join(dist, "workerd.sh");
  copyFileSync(join(packageFolder, "src/local/workerd.sh"), launcher);
  chmodSync(launcher, 0o755);
  const packages = packagesOf(inputs);
  writeFileSync(join(dist, "THIRD-PARTY.txt"), noticesOf(packages));
  // For an audit: the code of these, and workerd.
  const names = packages.map((path) =>
    path.slice(path.lastIndexOf("node_modules/") + "node_modules/".length),
  );
  writeFileSync(join(dist, "packages.json"), JSON.stringify([...names, "workerd"]));
}

/** @returns the files that are in the programs */
async function bundlePrograms(dist: string): Promise<readonly string[]> {
  const entryPoints = Object.entries(programs).map(([out, file]) => ({ in: file, out }));
  const metafile = await bundle("package", {
    entryPoints: [...entryPoints, { in: "src/package/older-node.ts", out: "older-node" }],
    outdir: join(dist, "programs"),
    outExtension: { ".js": ".mjs" },
    splitting: true,
    format: "esm",
    banner: { js: requireOfModule },
    // Miniflare finds its own Workers beside itself.
    plugins: [leaveOutUnused, apart("miniflare", "../miniflare/miniflare.cjs")],
  });
  return Object.keys(metafile.inputs);
}

/** The module that starts a program. An older Node, which may fail to read the program, ends before. */
function startOf(program: string): string {
  return `import "./programs/older-node.mjs";\nawait import("./programs/${program}.mjs");\n`;
}

/** @returns the files that are in the bundles */
async function bundleMiniflare(dir: string): Promise<readonly string[]> {
  const home = dirname(createRequire(import.meta.url).resolve("miniflare"));
  const miniflare = await bundle("package", {
    stdin: {
      contents: 'export { Log, LogLevel, Miniflare, Response } from "miniflare";',
      resolveDir: packageFolder,
    },
    outfile: join(dir, "miniflare.cjs"),
    format: "cjs",
    plugins: [leaveOutUnused, apart("workerd", "./workerd.cjs")],
  });
  // The module that finds the program in the package of the machine's platform, without that program.
  const workerd = await bundle("package", {
    entryPoints: [createRequire(home).resolve("workerd")],
    outfile: join(dir, "workerd.cjs"),
    format: "cjs",
  });
  cpSync(join(home, "workers"), join(dir, "workers"), {
    recursive: true,
    filter: (source) => !source.endsWith(".map"),
  });
  return [miniflare, workerd].flatMap(({ inputs }) => Object.keys(inputs));
}

/** A module that is a file of its own beside the bundle. */
function apart(module: string, path: string): Plugin {
  return {
    name: `${module} apart`,
    setup: ({ onResolve }) =>
      onResolve({ filter: /./ }, (found) => (found.path === module ? { path, external: true } : null)),
  };
}

/** @returns the files that are in the Workers */
async function buildWorkers(): Promise<readonly string[]> {
  const inputs: string[] = [];
  for (const entry of workers) {
    const worker = await bundleWorker(entry);
    const file = builtWorker(entry);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, JSON.stringify({ ...worker, inputs: [] } satisfies typeof worker));
    inputs.push(...worker.inputs);
  }
  return inputs;
}

async function buildAgent(dir: string): Promise<void> {
  const file = join(dir, "waggle-agent.mjs");
  const metafile = await bundle("agent", {
    stdin: {
      contents: 'import "./src/package/older-node.ts"; import "./src/cli/agent-main.ts";',
      resolveDir: packageFolder,
    },
    outfile: file,
    format: "esm",
    banner: { js: `#!/usr/bin/env node\n${requireOfModule}` },
    plugins: [leaveOutUnused],
  });
  chmodSync(file, 0o755);
  writeFileSync(join(dir, "THIRD-PARTY.txt"), noticesOf(packagesOf(Object.keys(metafile.inputs))));
  console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(1)} MB`);
}

async function bundle(layout: Exclude<Layout, "sources">, options: BuildOptions): Promise<Metafile> {
  const { metafile } = await build({
    absWorkingDir: packageFolder,
    bundle: true,
    metafile: true,
    platform: "node",
    target: "node20",
    minifySyntax: true,
    legalComments: "none",
    logLevel: "error",
    define: {
      WAGGLE_BUILD: JSON.stringify(layout),
      WAGGLE_VERSION: JSON.stringify(programVersion()),
      WAGGLE_COMMIT: JSON.stringify(programCommit() ?? ""),
    },
    ...options,
  });
  if (metafile === undefined) throw new Error("esbuild gave no metafile");
  return metafile;
}
