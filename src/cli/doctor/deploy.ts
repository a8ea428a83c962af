// The checks of a deployment on Cloudflare: the configuration of wrangler, the account, the location, the secrets.

import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { readFailure } from "../../os/files.ts";
import { runWrangler } from "../deploy/run-wrangler.ts";
import { registryLocations } from "../deploy/settings.ts";
import { CliError } from "../errors.ts";
import { parseJson } from "../json.ts";
import { type Finding, findingsOf } from "./finding.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const { ok, warn, fail, skip } = findingsOf("deploy");

const locationHints: readonly string[] = registryLocations;

/** What a wrangler.toml says about a deployment. */
type DeployConfig = {
  readonly name: string | null;
  readonly accountId: string | null;
  /** Null if the file has no such variable: another Worker of the mesh has the registry. */
  readonly location: string | null;
  readonly secrets: readonly string[];
};

export async function checkDeploy(env: Environment, configFile: string): Promise<readonly Finding[]> {
  let text: string;
  try {
    text = readFileSync(configFile, "utf8");
  } catch (error) {
    return [
      fail(
        "configuration",
        `cannot read ${configFile}: ${readFailure(error as NodeJS.ErrnoException)}`,
        "Run this in the folder with wrangler.toml, or give --config FILE.",
      ),
    ];
  }
  const config = readDeployConfig(text);
  const credentials = credentialsOf(env);
  return [
    configFinding(config, configFile),
    credentials === null
      ? fail(
          "credentials",
          "wrangler is not logged in",
          "Run npx wrangler login, or set CLOUDFLARE_API_TOKEN.",
        )
      : ok("credentials", credentials),
    accountFinding(config, env),
    ...(config.location === null ? [] : [locationFinding(config.location)]),
    ...(await secretFindings(config, configFile, credentials === null ? null : env)),
  ];
}

/** `NAME = "text"` */
const assignment = /^(\w+)\s*=\s*["']([^"']*)["']/;

/** Reads the parts of a wrangler.toml that are checked here; wrangler itself checks the rest. */
export function readDeployConfig(text: string): DeployConfig {
  const lines = text.split("\n").filter((line) => !line.trimStart().startsWith("#"));
  const setting = (key: string): string | null => {
    const match = lines.map((line) => assignment.exec(line)).find((found) => found?.[1] === key);
    return match?.[2] ?? null;
  };
  const required = lines
    .map((line) => /^required\s*=\s*\[(.*)\]/.exec(line)?.[1])
    .find((found) => found !== undefined);
  return {
    name: setting("name"),
    accountId: setting("account_id"),
    location: setting("REGISTRY_LOCATION"),
    secrets: [...(required ?? "").matchAll(/["']([^"']+)["']/g)].map(([, name = ""]) => name),
  };
}

function configFinding({ name }: DeployConfig, file: string): Finding {
  return name === null
    ? fail("configuration", `${file} has no name`, 'Add a line name = "waggle" to it.')
    : ok("configuration", `${resolve(file)}, Worker ${name}`);
}

function accountFinding({ accountId }: DeployConfig, env: Environment): Finding {
  const account = env.CLOUDFLARE_ACCOUNT_ID || accountId;
  if (account === null || account === undefined || account === "")
    return warn(
      "account",
      "not named: wrangler takes the only one of the login, or asks",
      "Set CLOUDFLARE_ACCOUNT_ID, so that a script deploys to the right one.",
    );
  return /^[0-9a-f]{32}$/.test(account)
    ? ok("account", account)
    : fail(
        "account",
        `"${account}" is no account ID`,
        "Copy the 32 hexadecimal digits from the dashboard or npx wrangler whoami.",
      );
}

export function locationFinding(location: string): Finding {
  if (location === "")
    return warn(
      "location",
      "REGISTRY_LOCATION is empty: the registry will be near its first caller, for good",
      `Set it before the first deployment: ${locationHints.join(", ")}.`,
    );
  return locationHints.includes(location)
    ? ok("location", location)
    : fail(
        "location",
        `REGISTRY_LOCATION "${location}" is no location`,
        `Use one of ${locationHints.join(", ")}.`,
      );
}

/** @param env of wrangler; null without credentials */
async function secretFindings(
  { name: worker, secrets }: DeployConfig,
  configFile: string,
  env: Environment | null,
): Promise<readonly Finding[]> {
  const put = (name: string) => `Run npx wrangler secret put ${name} --config ${configFile}.`;
  if (env === null)
    return secrets.map((name) => skip(`secret ${name}`, "unknown without credentials", put(name)));
  const set = await listSecrets(configFile, env);
  if (set === "no Worker")
    return secrets.map((name) =>
      fail(`secret ${name}`, `the account has no Worker ${worker} yet`, put(name)),
    );
  if (typeof set === "string")
    return secrets.map((name) => fail(`secret ${name}`, `cannot list the secrets: ${set}`, secretAdvice));
  return secrets.map((name) =>
    set.has(name) ? ok(`secret ${name}`, "set") : fail(`secret ${name}`, "not set", put(name)),
  );
}

const secretAdvice = "npx wrangler whoami shows the account and the permissions of the credentials.";

/** Wrangler's words for a Worker that does not exist, or Cloudflare's number of that error. */
const missingWorker = /Worker "[^"]*" not found|\[code: 10007\]/;

/** The names of the Worker's secrets, or why they are unknown, in wrangler's words. */
async function listSecrets(configFile: string, env: Environment): Promise<ReadonlySet<string> | string> {
  try {
    const args = ["secret", "list", "--format", "json", "--config", resolve(configFile)];
    const { code, out, output } = await runWrangler(args, env, { cwd: process.cwd() });
    const listed = code === 0 ? (parseJson(out) as readonly { readonly name?: string }[] | null) : null;
    if (Array.isArray(listed)) return new Set(listed.map(({ name }) => name ?? ""));
    return missingWorker.test(output) ? "no Worker" : wranglerReason(output);
  } catch (error) {
    if (error instanceof CliError) return `${error.message}; ${error.hint}`;
    throw error;
  }
}

/** The line of wrangler's output with Cloudflare's number of the error, or its first error. */
export function wranglerReason(output: string): string {
  const lines = output.split("\n").map((line) => line.trim());
  const line =
    lines.find((text) => /\[code: \d+\]$/.test(text)) ??
    lines.find((text) => text.includes("[ERROR]")) ??
    lines.find((text) => text !== "");
  return line?.replace(/^\S* ?\[ERROR\] /, "") ?? "wrangler printed nothing";
}

/** Where wrangler's credentials are from; null without any. */
function credentialsOf(env: Environment): string | null {
  if (env.CLOUDFLARE_API_TOKEN) return "CLOUDFLARE_API_TOKEN";
  const home = env.HOME || homedir();
  const files = [
    join(env.XDG_CONFIG_HOME || join(home, ".config"), ".wrangler", "config", "default.toml"),
    join(home, ".wrangler", "config", "default.toml"),
  ];
  const file = files.find((path) => statSync(path, { throwIfNoEntry: false })?.isFile());
  return file === undefined ? null : `login of wrangler (${dirname(file)})`;
}
