// Uploads the Worker by the project's own wrangler, with a configuration made from wrangler.toml.

import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { packageFolder } from "../../package/program-files.ts";
import type { Cli } from "../cli.ts";
import { CliError, exitCodes, refused } from "../errors.ts";
import type { SecretName } from "./plan.ts";
import { runWrangler } from "./run-wrangler.ts";
import type { DeploySettings } from "./settings.ts";

export type UploadRequest = {
  readonly settings: DeploySettings;
  /** Secrets to set; others of the Worker stay. */
  readonly secrets: Readonly<Partial<Record<SecretName, string>>>;
  /** Stops wrangler. */
  readonly stop: AbortSignal;
};

/** CPU time of a request on Workers Paid, milliseconds: the platform's default, which Workers Free refuses. */
const paidCpuMs = 30_000;

/** Lines of wrangler's output that an error shows. */
const shownLines = 15;

/** Deploys the Worker. @throws CliError with wrangler's own words */
export async function uploadWorker(
  { env }: Pick<Cli, "env">,
  { settings, secrets, stop }: UploadRequest,
): Promise<void> {
  const template = await readFile(join(packageFolder, "wrangler.toml"), "utf8");
  const folder = await mkdtemp(join(tmpdir(), "waggle-deploy-"));
  try {
    const config = join(folder, "wrangler.toml");
    await writeFile(config, wranglerConfig(template, settings, packageFolder));
    const args = ["deploy", "--config", config];
    if (Object.keys(secrets).length > 0) {
      const file = join(folder, "secrets.json");
      await writeFile(file, JSON.stringify(secrets), { mode: 0o600 });
      args.push("--secrets-file", file);
    }
    const account = { CLOUDFLARE_ACCOUNT_ID: settings.account };
    const { code, output } = await runWrangler(args, { ...env, ...account }, { cwd: packageFolder, stop });
    if (stop.aborted) throw interruptedDeploy();
    if (code !== 0) throw uploadFailed(code, output, settings);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * The configuration of a deployment: wrangler.toml with the settings in place of its defaults. Everything else in
 * the file stays as it is.
 *
 * @param root the folder of `template`, whose paths become absolute
 */
export function wranglerConfig(template: string, settings: DeploySettings, root: string): string {
  const { name, zone, domain, controlHost, location, plan } = settings;
  const values: Readonly<Record<string, string | boolean>> = {
    name,
    main: join(root, "workers/main.ts"),
    // Preview URLs would be further ways in.
    workers_dev: zone === null,
    MESH_NAME: name,
    MESH_DOMAIN: domain ?? "",
    CONTROL_HOST: controlHost ?? "",
    REGISTRY_LOCATION: location,
  };
  const lines = template.split("\n").filter((line) => !line.startsWith("watch_dir = "));
  for (const [key, value] of Object.entries(values)) {
    const at = lines.findIndex((line) => line.startsWith(`${key} = `));
    if (at < 0) throw new Error(`wrangler.toml has no line "${key} = …"`);
    lines[at] = `${key} = ${JSON.stringify(value)}`;
  }
  const text = lines.join("\n");
  return plan === "paid" ? `${text}\n[limits]\ncpu_ms = ${paidCpuMs}\n` : text;
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
