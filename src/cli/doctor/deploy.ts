// The checks of a deployment on Cloudflare: the configuration of wrangler, the account, the location, the secrets.

import { readFileSync, statSync } from "node:fs";
import { homedir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { packageFolder } from "../../package/program-files.ts";
import { registryLocations } from "../deploy/settings.ts";
import { parseJson } from "../json.ts";
import { type Finding, findingsOf } from "./finding.ts";
import { run } from "./machine.ts";

type Environment = Readonly<Record<string, string | undefined>>;

const { ok, warn, fail, skip } = findingsOf("deploy");

const locationHints: readonly string[] = registryLocations;

const wrangler = join(packageFolder, "node_modules/.bin/wrangler");

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
    const { code = "" } = error as NodeJS.ErrnoException;
    return [
      fail(
        "configuration",
        `cannot read ${configFile} (${code})`,
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
    ...(await secretFindings(config, configFile, credentials !== null)),
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

async function secretFindings(
  { secrets }: DeployConfig,
  configFile: string,
  hasCredentials: boolean,
): Promise<readonly Finding[]> {
  const put = (name: string) => `Run npx wrangler secret put ${name} --config ${configFile}.`;
  if (!hasCredentials)
    return secrets.map((name) => skip(`secret ${name}`, "unknown without credentials", put(name)));
  const { failure, out } = await run(wrangler, ["secret", "list", "--config", configFile]);
  const listed = failure === null ? (parseJson(out) as readonly { readonly name?: string }[] | null) : null;
  if (!Array.isArray(listed))
    return secrets.map((name) =>
      fail(`secret ${name}`, `cannot list the secrets: ${failure ?? "no JSON"}`, put(name)),
    );
  return secrets.map((name) =>
    listed.some((secret) => secret.name === name)
      ? ok(`secret ${name}`, "set")
      : fail(`secret ${name}`, "not set", put(name)),
  );
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
