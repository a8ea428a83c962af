// The checks of a mesh that `waggle deploy` has put on Cloudflare: all its Workers, their secrets, routes and records.

import type { Cli } from "../cli.ts";
import { type FoundParts, readFoundParts } from "../deploy/account.ts";
import { createCloudflareApi } from "../deploy/cloudflare-api.ts";
import { completeFile, loadDeployFile } from "../deploy/deploy-file.ts";
import { meshWorkers, secretNames } from "../deploy/mesh-workers.ts";
import { type DeployStep, deploymentRefusals, planDeployment } from "../deploy/plan.ts";
import { type DeploySettings, nothingMade } from "../deploy/settings.ts";
import { CliError } from "../errors.ts";
import { type Finding, findingsOf } from "./finding.ts";

const { ok, warn, fail } = findingsOf("deploy");

/** @param path of waggle.deploy.json, which exists */
export async function checkDeployment(cli: Cli, path: string): Promise<readonly Finding[]> {
  let check = "configuration";
  try {
    const file = await loadDeployFile(path);
    if (file === null)
      return [fail(check, `there is no ${path}`, "Run this in its folder, or give --config FILE.")];
    const settings = completeFile(file, path);
    const { name, form, account, location } = settings;
    check = "account";
    const found = await readFoundParts(createCloudflareApi(cli), settings);
    return [
      ok("configuration", `${path}, the mesh ${name} in the form ${form}`),
      ok("account", account),
      ok("location", location),
      ...deploymentFindings(settings, found),
      ...unfinishedTokens(file.lacksSecrets),
    ];
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return [fail(check, error.message, error.hint)];
  }
}

/** What a deployment of the running release would do is what is wrong. */
export function deploymentFindings(settings: DeploySettings, found: FoundParts): readonly Finding[] {
  const refusals = deploymentRefusals(settings, found, { knowsToken: true });
  if (refusals.length > 0) return refusals.map(({ message, hint }) => fail("deployment", message, hint));
  const fingerprints = new Map(
    [...found.workers].flatMap(([name, { fingerprint }]) =>
      fingerprint === null ? [] : [[name, fingerprint]],
    ),
  );
  const { steps } = planDeployment(settings, nothingMade, found, fingerprints, { knowsToken: true });
  const names = steps.flatMap((step) => {
    if (step.kind === "route") return [`route ${step.pattern}`];
    if (step.kind === "workers-dev" && step.isOn) return [`host name of ${step.worker.name} at workers.dev`];
    return step.kind === "record" ? [`DNS record ${step.name}`] : [];
  });
  return [
    ...meshWorkers(settings).map(({ name }) => workerFinding(name, found)),
    ...secretNames.map((secret) => secretFinding(secret, settings, found)),
    ...switchedOn(steps),
    ...(settings.zone === null && names.length === 0 ? [] : [nameFinding(names)]),
  ];
}

function workerFinding(name: string, { workers }: FoundParts): Finding {
  const check = `Worker ${name}`;
  const worker = workers.get(name);
  if (worker === undefined) return fail(check, "the account has no such Worker", runDeploy);
  return worker.fingerprint === null
    ? warn(check, "what is served was not deployed by waggle deploy", "The next waggle deploy replaces it.")
    : ok(check, "deployed");
}

function secretFinding(secret: string, settings: DeploySettings, { workers }: FoundParts): Finding {
  const check = `secret ${secret}`;
  const lacking = meshWorkers(settings)
    .map(({ name }) => name)
    .filter((name) => workers.get(name)?.secrets.includes(secret) !== true);
  return lacking.length === 0
    ? ok(check, "set in all Workers")
    : fail(check, `not set in ${lacking.join(", ")}`, runDeploy);
}

/** New tokens that a deployment did not get to set: Cloudflare shows which secrets a Worker has, not their values. */
function unfinishedTokens(workers: readonly string[] = []): readonly Finding[] {
  if (workers.length === 0) return [];
  return [fail("secrets", `the new tokens are not set in ${workers.join(", ")} yet`, completesThem)];
}

/** Ways in that deploy does not make. */
function switchedOn(steps: readonly DeployStep[]): readonly Finding[] {
  return steps.flatMap((step) =>
    step.kind === "workers-dev" && !step.isOn
      ? [fail("names", `${step.worker.name} has a host name at workers.dev as well`, takesItAway)]
      : [],
  );
}

function nameFinding(missing: readonly string[]): Finding {
  return missing.length === 0
    ? ok("names", "all routes and DNS records are there")
    : fail("names", `missing: ${missing.join(", ")}`, runDeploy);
}

const completesThem = "Run waggle deploy, which sets them in all Workers.";
const takesItAway = "Run waggle deploy, which takes it away.";
const runDeploy = "Run waggle deploy, which creates what is missing.";
