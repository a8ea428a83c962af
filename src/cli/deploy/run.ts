// `waggle deploy`: puts the mesh on Cloudflare, or the release of this package on a mesh that is there.

import { randomBytes } from "node:crypto";
import { printable } from "../../domain/model/printable.ts";
import { layout, programVersion } from "../../package/program-files.ts";
import { readLine } from "../ask.ts";
import type { Cli } from "../cli.ts";
import { CliError, exitCodes, refused, usageError } from "../errors.ts";
import { printLines } from "../output.ts";
import { readFoundParts } from "./account.ts";
import { type AnswerFlags, completeSettings } from "./answers.ts";
import { applyNameStep } from "./apply.ts";
import { checkMesh, type MeshCaller, meshTimeoutMs } from "./check-mesh.ts";
import { createCloudflareApi } from "./cloudflare-api.ts";
import { emptyDeployFile, loadDeployFile, saveDeployFile } from "./deploy-file.ts";
import { contextToken, storeContextToken } from "./mesh-context.ts";
import { type DeployPlan, planDeployment, type SecretName } from "./plan.ts";
import { type Releases, readRunningRelease } from "./release-order.ts";
import { deployedLines, planLines, stepText } from "./report.ts";
import { controlUrl, type DeploySettings } from "./settings.ts";
import { interruptedDeploy, type UploadRequest, uploadWorker } from "./wrangler.ts";

export type DeployFlags = AnswerFlags & {
  readonly config: string;
  readonly yes?: boolean;
  readonly dryRun?: boolean;
  readonly newTokens?: boolean;
  readonly downgrade?: boolean;
  readonly wait: number;
};

/** The parts of a deployment that are not Cloudflare's API; tests pass their own. */
export type DeployTools = {
  readonly upload: (request: UploadRequest) => Promise<void>;
  readonly callMesh: MeshCaller;
};

/** Those of a deployment to Cloudflare. */
export function deployTools(cli: Cli): DeployTools {
  return { upload: (request) => uploadWorker(cli, request), callMesh };
}

/** @throws CliError; what was done until then stays done, and the next run goes on from there */
export async function deploy(cli: Cli, flags: DeployFlags, tools: DeployTools): Promise<void> {
  if (layout !== "sources")
    throw refused(
      "an installed package has no sources of the Worker to deploy",
      "run bin/waggle deploy in the repository, after npm ci",
    );
  const file = (await loadDeployFile(flags.config)) ?? emptyDeployFile;
  const api = createCloudflareApi(cli);
  const asking = { cli, takesDefaults: flags.yes === true };
  const settings = await completeSettings(asking, api, flags, file, flags.config);
  const found = await readFoundParts(api, settings);
  const url = controlUrl(settings, found.workersDev);
  const { newTokens = false, downgrade = false } = flags;
  const releases = found.worker?.isWaggle ? await readReleases(cli, tools, settings, url) : undefined;
  const plan = planDeployment(settings, file.made, found, {
    newTokens,
    downgrade,
    ...(releases && { releases }),
  });
  refuse(plan);
  printLines(cli.out, planLines(settings, plan, url));
  if (flags.dryRun) return;
  await confirm(cli, flags);
  // Before the first change: destroy must know of everything that follows.
  await saveDeployFile(flags.config, { ...settings, made: plan.made });
  const secrets = await makeSecrets(cli, settings, plan, url, flags);
  // From here on Ctrl-C ends the command between two steps.
  const stop = cli.onInterrupt();
  for (const step of plan.steps) {
    if (stop.aborted) throw interruptedDeploy();
    if (step.kind === "upload") await tools.upload({ settings, secrets, stop });
    else await applyNameStep({ api, settings, found }, step);
    printLines(cli.out, [`done: ${stepText(settings, step)}`]);
  }
  const token =
    secrets.OPERATOR_TOKEN ?? (await contextToken(cli, settings.name, url)) ?? (cli.env.WAGGLE_TOKEN || null);
  const edge = settings.domain === null ? `${url}/` : `https://waggle-check.${settings.domain}/`;
  const { joinToken } = await checkMesh(cli, tools.callMesh, {
    control: url,
    edge,
    token,
    waitMs: flags.wait,
    stop,
    onWait: (reason) => cli.err.write(`waiting: ${printable(reason)}\n`),
  });
  printLines(cli.out, [
    checkedText(token),
    ...deployedLines({ settings, url, joinToken, isUpgrade: found.worker !== null }),
  ]);
}

async function readReleases(
  cli: Cli,
  { callMesh: call }: DeployTools,
  { name }: DeploySettings,
  url: string,
): Promise<Releases> {
  const token = (await contextToken(cli, name, url)) ?? (cli.env.WAGGLE_TOKEN || null);
  return { running: await readRunningRelease(call, url, token), own: programVersion() };
}

function refuse({ refusals }: Pick<DeployPlan, "refusals">): void {
  if (refusals.length === 0) return;
  throw refused(
    refusals.map(({ message }) => message).join("; "),
    [...new Set(refusals.map(({ hint }) => hint))].join("\n"),
  );
}

async function confirm(cli: Cli, { yes = false }: DeployFlags): Promise<void> {
  if (yes) return;
  if (cli.keys === undefined)
    throw usageError("there is no terminal to confirm on", "give --yes, or --dry-run for the plan alone");
  const answer = (await readLine(cli, "Go on? [Y/n] ")).trim().toLowerCase();
  if (!["", "y", "yes"].includes(answer)) throw new CliError(exitCodes.refused, "nothing was deployed");
}

/**
 * Makes the missing tokens, prints them and stores the operator's: before the upload, so that no failure leaves a
 * mesh whose tokens no user knows.
 */
async function makeSecrets(
  cli: Cli,
  { name }: DeploySettings,
  { steps }: DeployPlan,
  url: string,
  { newTokens = false }: DeployFlags,
): Promise<Partial<Record<SecretName, string>>> {
  const names = steps.flatMap((step) => (step.kind === "upload" ? step.secrets : []));
  if (names.length === 0) return {};
  // Of a run that has failed after it stored the token.
  const known = newTokens ? null : await contextToken(cli, name, url);
  const secrets = Object.fromEntries(
    names.map((secret) => [secret, secret === "OPERATOR_TOKEN" && known !== null ? known : newToken()]),
  ) as Partial<Record<SecretName, string>>;
  printLines(cli.out, [
    "Tokens, shown this once:",
    ...names.map((secret) => `  ${secret}  ${secrets[secret]}`),
  ]);
  const { OPERATOR_TOKEN: token } = secrets;
  const path = token === undefined ? null : await storeContextToken(cli, name, { url, token });
  if (path !== null) printLines(cli.out, [`The operator's is stored in the context ${name} (${path})`]);
  return secrets;
}

function newToken(): string {
  return randomBytes(24).toString("hex");
}

function checkedText(token: string | null): string {
  return token === null
    ? "checked: the certificate, the control API and the edge; the registry needs the operator token (WAGGLE_TOKEN)"
    : "checked: the certificate, the control API, the registry and the edge";
}

function callMesh(url: string, headers: Readonly<Record<string, string>>): Promise<Response> {
  return fetch(url, { headers, redirect: "manual", signal: AbortSignal.timeout(meshTimeoutMs) });
}
