// Builds and uploads the Workers of a mesh by the project's own wrangler, with configurations made from wrangler.toml or
// infra/split/.

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { packageFolder, programVersion } from "../../package/program-files.ts";
import type { Cli } from "../cli.ts";
import { CliError, exitCodes, refused } from "../errors.ts";
import { isAtWorkersDev, type MeshWorker, meshWorkers, type SecretName } from "./mesh-workers.ts";
import { runWrangler } from "./run-wrangler.ts";
import type { DeploySettings } from "./settings.ts";

/** A Worker as it would be uploaded. */
export type BuiltWorker = {
  readonly worker: MeshWorker;
  /** Folder with wrangler.toml, which names the code beside it. */
  readonly folder: string;
  /** Equal for equal code and configuration, wherever they were built. 32 hexadecimal digits. */
  readonly fingerprint: string;
};

export type UploadRequest = {
  readonly settings: DeploySettings;
  readonly built: BuiltWorker;
  /** Secrets to set; others of the Worker stay. */
  readonly secrets: Readonly<Partial<Record<SecretName, string>>>;
  /** Stops wrangler. */
  readonly stop: AbortSignal;
};

/** CPU time of a request on Workers Paid, milliseconds: the platform's default, which Workers Free refuses. */
const paidCpuMs = 30_000;

/** Lines of wrangler's output that an error shows. */
const shownLines = 15;

/** Hexadecimal digits of a fingerprint; the tag of a version has at most 100 bytes. */
const fingerprintDigits = 32;

/**
 * Builds all Workers of a mesh, and removes them after `use`.
 *
 * @throws CliError with wrangler's own words
 */
export async function withBuiltWorkers(
  { env, onInterrupt }: Pick<Cli, "env" | "onInterrupt">,
  settings: DeploySettings,
  use: (built: readonly BuiltWorker[]) => Promise<void>,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "waggle-deploy-"));
  try {
    const stop = onInterrupt();
    // After a failure as well all must have ended: wrangler would create the folder again.
    const builds = await Promise.allSettled(
      meshWorkers(settings).map((worker) =>
        buildWorker(env, settings, worker, join(folder, worker.role), stop),
      ),
    );
    const failed = builds.find((build) => build.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    await use(builds.flatMap((build) => (build.status === "fulfilled" ? [build.value] : [])));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function buildWorker(
  env: Cli["env"],
  settings: DeploySettings,
  worker: MeshWorker,
  folder: string,
  stop: AbortSignal,
): Promise<BuiltWorker> {
  const template = await readFile(join(packageFolder, worker.config), "utf8");
  const sources = join(folder, "sources");
  await mkdir(sources, { recursive: true });
  const config = join(sources, "wrangler.toml");
  await writeFile(
    config,
    wranglerConfig(template, worker, settings, { main: join(packageFolder, worker.main), isBuilt: false }),
  );
  const args = ["deploy", "--dry-run", "--config", config, "--outdir", folder];
  const { code, output } = await runWrangler(args, env, { cwd: packageFolder, stop });
  if (stop.aborted) throw interruptedDeploy();
  if (code !== 0) throw uploadFailed(code, output, settings);
  const main = basename(worker.main).replace(/\.ts$/, ".js");
  const text = wranglerConfig(template, worker, settings, { main, isBuilt: true });
  await writeFile(join(folder, "wrangler.toml"), text);
  await rewriteFile(join(folder, main), withPackagePaths, sources);
  await rewriteFile(join(folder, `${main}.map`), withPackageSources, folder);
  return { worker, folder, fingerprint: fingerprintOf(text, await readModules(folder)) };
}

/** Rewrites paths in a built file, which are from `folder`. */
async function rewriteFile(
  path: string,
  rewrite: (text: string, toPackage: string) => string,
  folder: string,
): Promise<void> {
  const toPackage = relative(await realpath(folder), await realpath(packageFolder));
  await writeFile(path, rewrite(await readFile(path, "utf8"), toPackage));
}

/** The files that wrangler uploads from a folder: modules of all types. */
async function readModules(folder: string): Promise<ReadonlyMap<string, Buffer>> {
  const names = (await readdir(folder)).filter((name) => /\.(?:js|mjs|wasm|txt|html|sql|bin)$/.test(name));
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(folder, name))] as const)),
  );
}

/**
 * A module as it is uploaded: esbuild names sources by their paths from the folder of the build, in comments and in
 * the wrappers of CommonJS modules. Here those paths begin at the folder of the package, wherever that is.
 *
 * @param toPackage the path from the folder of the build to that of the package: `../../../../home/ops/waggle`
 */
export function withPackagePaths(code: string, toPackage: string): string {
  return `\n${code}`
    .replaceAll(`\n// ${toPackage}/`, "\n// ")
    .replaceAll(`\n  "${toPackage}/`, '\n  "')
    .slice(1);
}

/** A source map as it is uploaded, for stack traces: with the same paths. */
export function withPackageSources(map: string, toPackage: string): string {
  const { sourceRoot: _, ...rest } = JSON.parse(map) as { sourceRoot?: string; sources: readonly string[] };
  const shorter = (path: string) =>
    path.startsWith(`${toPackage}/`) ? path.slice(toPackage.length + 1) : path;
  return JSON.stringify({ ...rest, sources: rest.sources.map(shorter) });
}

/**
 * Equal for equal code and configuration. Comments are left out: those of the configuration, and the bundler's with
 * the path of a source, so that no file that is moved restarts the registry.
 */
export function fingerprintOf(config: string, modules: ReadonlyMap<string, Buffer>): string {
  const hash = createHash("sha256").update(withoutLines(config, /^\s*(?:#.*)?$/));
  for (const [name, code] of [...modules].sort(([one], [other]) => (one < other ? -1 : 1))) {
    hash.update(`\n${name}\n`);
    hash.update(name.endsWith("js") ? withoutLines(code.toString(), sourceComment) : code);
  }
  return hash.digest("hex").slice(0, fingerprintDigits);
}

const sourceComment = /^\/\/ (?:src|workers|node_modules)\/\S+$/;

function withoutLines(text: string, lines: RegExp): string {
  return text
    .split("\n")
    .filter((line) => !lines.test(line))
    .join("\n");
}

/** Deploys a Worker as it was built. @throws CliError with wrangler's own words */
export async function uploadWorker(
  { env }: Pick<Cli, "env">,
  { settings, built: { folder, fingerprint }, secrets, stop }: UploadRequest,
): Promise<void> {
  const version = ["--tag", fingerprint, "--message", `waggle ${programVersion()}`];
  const args = ["deploy", "--no-bundle", "--config", join(folder, "wrangler.toml"), ...version];
  if (Object.keys(secrets).length > 0) {
    const file = join(folder, "secrets.json");
    await writeFile(file, JSON.stringify(secrets), { mode: 0o600 });
    args.push("--secrets-file", file);
  }
  const account = { CLOUDFLARE_ACCOUNT_ID: settings.account };
  const { code, output } = await runWrangler(args, { ...env, ...account }, { cwd: packageFolder, stop });
  if (stop.aborted) throw interruptedDeploy();
  if (code !== 0) throw uploadFailed(code, output, settings);
}

type BuildStage = {
  readonly main: string;
  /** True if `main` is a module that nothing has to be built for. */
  readonly isBuilt: boolean;
};

/**
 * The configuration of a Worker: its template with the settings in place of its defaults. Everything else in the file
 * stays as it is.
 */
export function wranglerConfig(
  template: string,
  worker: MeshWorker,
  settings: DeploySettings,
  { main, isBuilt }: BuildStage,
): string {
  const { name, config } = worker;
  const { domain, controlHost, location, plan } = settings;
  const values: Readonly<Record<string, string | boolean>> = {
    name,
    main,
    workers_dev: isAtWorkersDev(worker, settings),
    MESH_NAME: settings.name,
    MESH_DOMAIN: domain ?? "",
    CONTROL_HOST: controlHost ?? "",
    REGISTRY_LOCATION: location,
  };
  const isDefault = (line: string) => !line.startsWith("watch_dir = ") && !line.startsWith("workers_dev = ");
  const lines = (isBuilt ? withoutSection(template, "build") : template).split("\n").filter(isDefault);
  // Without this line a Worker without routes gets a host name at workers.dev.
  lines.splice(lines.findIndex((line) => line.startsWith("main = ")) + 1, 0, "workers_dev = false");
  for (const [key, value] of Object.entries(values)) {
    const at = lines.findIndex((line) => line.startsWith(`${key} = `));
    if (at < 0) throw new Error(`${config} has no line "${key} = …"`);
    lines[at] = `${key} = ${JSON.stringify(value)}`;
  }
  const text = lines
    .map((line) =>
      line.startsWith("script_name = ")
        ? `script_name = ${JSON.stringify(`${settings.name}-objects`)}`
        : line,
    )
    .join("\n");
  return plan === "paid" ? `${text}\n[limits]\ncpu_ms = ${paidCpuMs}\n` : text;
}

/** A text of TOML without one of its tables. */
function withoutSection(text: string, table: string): string {
  const lines = text.split("\n");
  const begin = lines.indexOf(`[${table}]`);
  if (begin < 0) return text;
  const end = lines.findIndex((line, at) => at > begin && line.startsWith("["));
  return [...lines.slice(0, begin), ...(end < 0 ? [] : lines.slice(end))].join("\n");
}

/** The end of a deployment by Ctrl-C. */
export function interruptedDeploy(): CliError {
  return new CliError(
    exitCodes.interrupted,
    "interrupted: what is done stays done",
    "run the command again, and it goes on from there",
  );
}

/** The errors of an upload that the operator can act on, by Cloudflare's number. */
export function uploadFailed(
  code: number | null,
  output: string,
  { plan, account }: DeploySettings,
): CliError {
  if (output.includes("[code: 100328]") && plan === "paid")
    return refused(
      "the account is on Workers Free: it refuses the CPU limit of Workers Paid",
      `subscribe at https://dash.cloudflare.com/${account}/workers/plans, or give --plan free`,
    );
  if (output.includes("[code: 10027]"))
    return refused("the Worker is larger than the plan allows", "Workers Paid allows 10 MB: --plan paid");
  if (output.includes("[code: 10037]"))
    return refused("the account has as many Workers as its plan allows", "delete one, or use Workers Paid");
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const begin = Math.max(
    lines.findIndex((line) => line.includes("[ERROR]")),
    lines.length - shownLines,
    0,
  );
  return refused(
    `wrangler deploy ended with ${code ?? "a signal"}`,
    `${lines.slice(begin).join("\n")}\nwhat is done stays done; run the command again, and it goes on from there`,
  );
}
