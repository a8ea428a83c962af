// Where the files of this program are. Node runs its sources in the repository, the bundles of an installed
// package, or one file that is the agent alone; infra/package/ builds the last two.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** Texts that a build puts in; the sources have none. */
declare global {
  const WAGGLE_BUILD: Exclude<Layout, "sources">;
  const WAGGLE_VERSION: string;
  /** Empty if it is unknown. */
  const WAGGLE_COMMIT: string;
}

/** `agent`: the one file of the agent, which has no Workers runtime. */
export type Layout = "sources" | "package" | "agent";

export const layout: Layout = typeof WAGGLE_BUILD === "undefined" ? "sources" : WAGGLE_BUILD;

/** The folder of the repository, or of the installed package, whose programs are in dist/programs/. */
export const packageFolder = fromHere("../../");

/** Compiled sources and built Workers. Its user may not be able to write to it. */
export const cacheFolder = join(packageFolder, "node_modules/.cache/waggle");

/** The module of a child process. */
export function childModule(name: "agent-child" | "runtime-child" | "ingress-child"): string {
  return layout === "sources" ? fromHere(`../local/${name}.ts`) : fromHere(`../${name}.mjs`);
}

/** The script that starts workerd. */
export function workerdLauncher(): string {
  return layout === "sources" ? fromHere("../local/workerd.sh") : fromHere("../workerd.sh");
}

/** The module that finds the workerd of the machine's platform: of an installed package, or that of Miniflare. */
export function workerdModule(): string {
  const { resolve } = createRequire(import.meta.url);
  return layout === "package"
    ? fromHere("../miniflare/workerd.cjs")
    : createRequire(resolve("miniflare")).resolve("workerd");
}

/** The built Worker of an installed package, as JSON. @param entry its source: `workers/main.ts` */
export function builtWorker(entry: string): string {
  return join(packageFolder, "dist", entry.replace(/\.ts$/, ".json"));
}

/** The command of the image `waggle/whoami`. After `--` Node takes no `--env-file` from the arguments of a service. */
export function whoamiCommand(): readonly string[] {
  const modules: Readonly<Record<Layout, readonly string[]>> = {
    sources: [fromHere("../agent/whoami.ts")],
    package: [fromHere("../whoami.mjs")],
    agent: [fileURLToPath(import.meta.url), whoamiArgument],
  };
  return [process.execPath, "--", ...modules[layout]];
}

/** The argument by which the one file of the agent runs that image. */
export const whoamiArgument = "--whoami";

/** How a person runs the command here, for lines to copy. */
export function commandLine(env: NodeJS.ProcessEnv): string {
  if (layout === "sources") return "bin/waggle";
  return env.npm_command === "exec" ? "npx waggle" : "waggle";
}

/** The version as people read it: `0.1.0 (commit 0123456789ab)`, without the commit if it is unknown. */
export function versionText(): string {
  const commit = programCommit();
  return commit === null ? programVersion() : `${programVersion()} (commit ${commit})`;
}

/** The version in package.json. */
export function programVersion(): string {
  if (layout !== "sources") return WAGGLE_VERSION;
  const text = readFileSync(join(packageFolder, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** The commit of the build, or of the repository whose sources run; null if it is unknown. */
export function programCommit(): string | null {
  if (layout !== "sources") return WAGGLE_COMMIT || null;
  // Only of a repository that begins here: the sources may lie in a folder of another one.
  const git = ["--git-dir", join(packageFolder, ".git"), "--work-tree", packageFolder];
  const describe = ["describe", "--always", "--exclude=*", "--abbrev=12", "--dirty"];
  const { status, stdout } = spawnSync("git", [...git, ...describe], { encoding: "utf8" });
  return status === 0 ? stdout.trim() : null;
}

function fromHere(path: string): string {
  return fileURLToPath(new URL(path, import.meta.url));
}
