// Runs the wrangler that package.json pins, without a terminal.

import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { delimiter, dirname, join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { packageFolder } from "../../package/program-files.ts";
import type { Cli } from "../cli.ts";
import { CliError, exitCodes } from "../errors.ts";

type WranglerRun = {
  /** Null if a signal ended it. */
  readonly code: number | null;
  /** Standard output. */
  readonly out: string;
  /** Standard output and error, in the order in which they came. */
  readonly output: string;
};

/**
 * Runs wrangler until it ends.
 *
 * @param stop ends it
 * @throws CliError if it is not installed
 */
export async function runWrangler(
  args: readonly string[],
  env: Cli["env"],
  { cwd, stop }: { readonly cwd: string; readonly stop?: AbortSignal },
): Promise<WranglerRun> {
  const wrangler = await wranglerPath();
  return await new Promise((resolve, reject) => {
    // Its own first line would run it with the Node of the machine, which may be too old.
    const child = spawn(process.execPath, [wrangler, ...args], {
      cwd,
      env: wranglerEnvironment(env),
      stdio: ["ignore", "pipe", "pipe"],
    });
    const kill = (): void => void child.kill();
    stop?.addEventListener("abort", kill, { once: true });
    if (stop?.aborted === true) kill();
    let [out, output] = ["", ""];
    child.stdout.on("data", (part: Buffer) => {
      out += part.toString();
      output += part.toString();
    });
    child.stderr.on("data", (part: Buffer) => {
      output += part.toString();
    });
    child.once("error", reject);
    child.once("close", (code) => {
      stop?.removeEventListener("abort", kill);
      resolve({ code, out, output: stripVTControlCharacters(output) });
    });
  });
}

async function wranglerPath(): Promise<string> {
  try {
    return join(dirname(createRequire(import.meta.url).resolve("wrangler/package.json")), "bin/wrangler.js");
  } catch (error) {
    const { devDependencies = {}, dependencies = {} } = JSON.parse(
      await readFile(join(packageFolder, "package.json"), "utf8"),
    ) as Record<"devDependencies" | "dependencies", Record<string, string> | undefined>;
    const version = dependencies.wrangler ?? devDependencies.wrangler ?? "latest";
    throw new CliError(
      exitCodes.refused,
      "wrangler is not installed",
      `run npm install --no-save wrangler@${version} in ${packageFolder}`,
      error,
    );
  }
}

/** Variables by which wrangler would deploy under another name than the configuration's. */
const nameVariable = /^(CLOUDFLARE_ENV|WRANGLER_CI_.+)$/;

/** Credentials that wrangler prefers to an API token. */
const otherCredential = /^((CLOUDFLARE|CF)_(API_KEY|EMAIL)|CLOUDFLARE_API_USER_SERVICE_KEY)$/;

/** The environment of wrangler: the operator's, without what changes which Worker it deploys, and as which user. */
export function wranglerEnvironment(env: Cli["env"]): NodeJS.ProcessEnv {
  const hasToken = Boolean(env.CLOUDFLARE_API_TOKEN);
  const isMisleading = (name: string) => nameVariable.test(name) || (hasToken && otherCredential.test(name));
  return {
    ...Object.fromEntries(Object.entries(env).filter(([name]) => !isMisleading(name))),
    // Without a terminal wrangler asks nothing.
    CI: "true",
    NO_COLOR: "1",
    FORCE_COLOR: "0",
    WRANGLER_SEND_METRICS: "false",
    // The build command of wrangler.toml runs a TypeScript file: with the package's Node.
    PATH: [join(packageFolder, "node_modules/.bin"), dirname(process.execPath), env.PATH ?? ""].join(
      delimiter,
    ),
  };
}
