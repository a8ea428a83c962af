// The package as a user installs it: packed from this repository, and installed by npm with a prefix and a cache of
// its own.

import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";

export const repository = fileURLToPath(new URL("../../", import.meta.url));

const machineConfig = execFileSync("npm", ["config", "get", "globalconfig"], { encoding: "utf8" }).trim();

/** The environment of a user: the Node of the machine, not that of this repository. */
export function userEnvironment(home: string): NodeJS.ProcessEnv {
  const folders = (process.env.PATH ?? "").split(delimiter).filter((path) => !path.includes("node_modules"));
  return {
    PATH: [...folders, "/usr/sbin", "/sbin"].join(delimiter),
    HOME: home,
    // The machine's own: certificates, proxies and registry. Another prefix would hide it.
    npm_config_globalconfig: machineConfig,
    npm_config_cache: join(home, "npm-cache"),
    npm_config_update_notifier: "false",
    npm_config_audit: "false",
    npm_config_fund: "false",
  };
}

/** Packs the package into a folder. @returns its file */
export function pack(folder: string): string {
  const env = { ...process.env, npm_config_pack_destination: folder };
  execFileSync("sh", ["-c", "npm pack"], { cwd: repository, env, stdio: "pipe" });
  const [name] = readdirSync(folder).filter((file) => file.endsWith(".tgz"));
  if (name === undefined) throw new Error(`npm pack made no file in ${folder}`);
  return join(folder, name);
}

/** Builds the agent's one file into a folder. @returns the file */
export function buildAgent(folder: string): string {
  execFileSync("sh", ["-c", 'npm run build:agent -- "$0"', folder], { cwd: repository, stdio: "pipe" });
  return join(folder, "waggle-agent.mjs");
}

/** An option of Node by which a program believes that it runs in another release. */
export function pretendNode(version: string): string {
  const code = `Object.defineProperty(process.versions, "node", { value: "${version}" });
    Object.defineProperty(process, "version", { value: "v${version}" });`;
  return `--import=data:text/javascript,${encodeURIComponent(code)}`;
}
