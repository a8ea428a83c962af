// `waggle deploy`: puts the mesh on Cloudflare, or the release of this package on a mesh that is there.

import { randomBytes } from "node:crypto";
import { printable } from "../../domain/model/printable.ts";
import { layout, programVersion } from "../../package/program-files.ts";
import { readLine } from "../ask.ts";
import type { Cli } from "../cli.ts";
import { CliError, exitCodes, refused, usageError } from "../errors.ts";
import { printLines } from "../output.ts";
import { type FoundParts, readFoundParts, readWorker } from "./account.ts";
import { type AnswerFlags, completeSettings } from "./answers.ts";
import { applyNameStep } from "./apply.ts";
import { askMesh, type TokenAnswer } from "./ask-mesh.ts";
import { checkMesh, type MeshCaller, meshTimeoutMs } from "./check-mesh.ts";
import { type CloudflareApi, createCloudflareApi } from "./cloudflare-api.ts";
import { emptyDeployFile, loadDeployFile, saveDeployFile } from "./deploy-file.ts";
import { contextToken, storeContextToken } from "./mesh-context.ts";
import { meshWorkers, type SecretName, secretNames, workerName } from "./mesh-workers.ts";
import { type DeployPlan, deploymentRefusals, planDeployment } from "./plan.ts";
import { deployedLines, planLines, stepText } from "./report.ts";
import { controlUrl, type DeployFile, type DeploySettings, edgeUrl } from "./settings.ts";
import {
  type BuiltWorker,
  interruptedDeploy,
  type UploadRequest,
  uploadWorker,
  withBuiltWorkers,
} from "./wrangler.ts";
import { isControlHostComplete } from "./zone-parts.ts";

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
  /** Builds all Workers, and removes them after `use`. */
  readonly withBuilt: (
    settings: DeploySettings,
    use: (built: readonly BuiltWorker[]) => Promise<void>,
  ) => Promise<void>;
  readonly upload: (request: UploadRequest) => Promise<void>;
  readonly callMesh: MeshCaller;
};

/** Those of a deployment to Cloudflare. */
export function deployTools(cli: Cli): DeployTools {
  return {
    withBuilt: (settings, use) => {
      const names = meshWorkers(settings).map(({ name }) => name);
      cli.err.write(`building ${names.join(", ")} …\n`);
      return withBuiltWorkers(cli, settings, use);
    },
    upload: (request) => uploadWorker(cli, request),
    callMesh,
  };
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
  const { newTokens = false, downgrade = false } = flags;
  const { lacksSecrets = [] } = file;
  const url = controlUrl(settings, found.workersDev);
  const tokens = await storedTokens(cli, settings.name, url);
  const isRunning = [...found.workers.values()].some(({ isWaggle }) => isWaggle);
  // A control host without its record or route may lead elsewhere, such as by another wildcard.
  const call = isControlHostComplete(settings, found) ? tools.callMesh : notCalled;
  const answer = isRunning ? await askMesh(call, url, tokens) : null;
  const known = answer?.token ?? tokens[0] ?? null;
  const hasToken = (worker: string) =>
    found.workers.get(worker)?.secrets.includes("OPERATOR_TOKEN") === true && !lacksSecrets.includes(worker);
  const options = {
    newTokens,
    downgrade,
    knowsToken: knowsToken(answer, hasToken(workerName(settings, "control"))),
    lacksSecrets,
    ...(isRunning && { releases: { running: answer?.release ?? null, own: programVersion() } }),
  };
  refuse(deploymentRefusals(settings, found, options));
  await tools.withBuilt(settings, async (built) => {
    const fingerprints = new Map(built.map(({ worker, fingerprint }) => [worker.name, fingerprint]));
    const plan = planDeployment(settings, file.made, found, fingerprints, options);
    printLines(cli.out, planLines(settings, plan, url));
    if (flags.dryRun) return;
    await confirm(cli, flags);
    await applyPlan({ cli, api, flags, tools, settings, found, url, known, lacksSecrets }, plan, built);
  });
}

type Run = {
  readonly cli: Cli;
  readonly api: CloudflareApi;
  readonly flags: DeployFlags;
  readonly tools: DeployTools;
  readonly settings: DeploySettings;
  readonly found: FoundParts;
  /** Of the control API. */
  readonly url: string;
  /** The operator token that this machine knows; null if it knows none. */
  readonly known: string | null;
  /** Workers that did not get the new secrets of an earlier run. */
  readonly lacksSecrets: readonly string[];
};

async function applyPlan(run: Run, plan: DeployPlan, built: readonly BuiltWorker[]): Promise<void> {
  const { cli, api, flags, tools, settings, found, url, known } = run;
  let lacksSecrets = [...new Set([...run.lacksSecrets, ...newSecretsOf(plan)])];
  const save = () => {
    const file: DeployFile = { ...settings, made: plan.made };
    return saveDeployFile(flags.config, lacksSecrets.length === 0 ? file : { ...file, lacksSecrets });
  };
  // Before the first change: destroy must know of everything that follows, and the next deploy of the secrets that
  // only some Workers have.
  await save();
  const tokens = await meshTokens(run, plan);
  // From here on Ctrl-C ends the command between two steps.
  const stop = cli.onInterrupt();
  for (const step of plan.steps) {
    if (stop.aborted) throw interruptedDeploy();
    if (step.kind === "upload") {
      const { name } = step.worker;
      await requireUnchanged(run, name);
      const secrets = tokensOf(tokens, step.secrets);
      await tools.upload({ settings, built: builtOf(built, name), secrets, stop });
      if (lacksSecrets.includes(name)) {
        lacksSecrets = lacksSecrets.filter((other) => other !== name);
        await save();
      }
    } else await applyNameStep({ api, settings, found }, step);
    printLines(cli.out, [`done: ${stepText(step, plan)}`]);
  }
  const token = tokens.OPERATOR_TOKEN ?? known;
  const { joinToken } = await checkMesh(cli, tools.callMesh, {
    control: url,
    edge: `${edgeUrl(settings, found.workersDev)}/`,
    token,
    waitMs: flags.wait,
    stop,
    onWait: (reason) => cli.err.write(`waiting: ${printable(reason)}\n`),
  });
  const isUpgrade = plan.steps.some((step) => step.kind === "upload" && !step.isNew);
  const edge = edgeUrl(settings, found.workersDev);
  printLines(cli.out, [checkedText(token), ...deployedLines({ settings, url, edge, joinToken, isUpgrade })]);
}

/** The Workers that get a new secret, which all of them must have in the end. */
function newSecretsOf({ steps, newSecrets }: DeployPlan): readonly string[] {
  return steps.flatMap((step) =>
    step.kind === "upload" && step.secrets.some((secret) => newSecrets.includes(secret))
      ? [step.worker.name]
      : [],
  );
}

/** The operator may take an hour to confirm, and another one may deploy meanwhile. */
async function requireUnchanged({ api, settings, found }: Run, name: string): Promise<void> {
  const before = found.workers.get(name)?.versions ?? null;
  const now = (await readWorker(api, settings.account, name))?.versions ?? null;
  if (before === now) return;
  const what = before === null ? "was created" : now === null ? "was deleted" : "was deployed or changed";
  throw refused(
    `the Worker ${name} ${what} by somebody else after the plan was made`,
    "it is left alone, and what is done stays done; run the command again, which plans from what exists now",
  );
}

/**
 * Whether the operator token of this machine is the mesh's. A control Worker that lacks the token, or does not answer,
 * cannot say.
 */
function knowsToken(answer: TokenAnswer | null, hasControl: boolean): boolean | "unchecked" {
  if (answer === null) return false;
  if (answer.isAccepted !== null && hasControl) return answer.isAccepted;
  return "unchecked";
}

function builtOf(built: readonly BuiltWorker[], name: string): BuiltWorker {
  const found = built.find(({ worker }) => worker.name === name);
  if (found === undefined) throw new Error(`the Worker ${name} was not built`);
  return found;
}

type SecretValues = Readonly<Partial<Record<SecretName, string>>>;

function tokensOf(tokens: SecretValues, names: readonly SecretName[]): SecretValues {
  return Object.fromEntries(names.map((name) => [name, tokens[name]]));
}

const notCalled: MeshCaller = () => Promise.reject(new Error("the control host does not lead to the mesh"));

/** The operator tokens of the user's context and of the environment. */
async function storedTokens(cli: Cli, name: string, url: string): Promise<readonly string[]> {
  const all = [await contextToken(cli, name, url), cli.env.WAGGLE_TOKEN || null];
  return [...new Set(all.filter((token) => token !== null))];
}

function refuse(refusals: ReturnType<typeof deploymentRefusals>): void {
  if (refusals.length === 0) return;
  throw refused(
    refusals.map(({ message }) => message).join("; "),
    [...new Set(refusals.map(({ hint }) => hint))].join("\n"),
  );
}

async function confirm(cli: Cli, { yes = false }: DeployFlags): Promise<void> {
  if (yes) return;
  const { keys } = cli;
  if (keys === undefined)
    throw usageError("there is no terminal to confirm on", "give --yes, or --dry-run for the plan alone");
  const interrupted = Promise.withResolvers<never>();
  const stop = cli.onInterrupt();
  const onAbort = () => interrupted.reject(new CliError(exitCodes.interrupted, "nothing was deployed"));
  stop.addEventListener("abort", onAbort, { once: true });
  try {
    const answer = await Promise.race([readLine(cli, "Go on? [Y/n] "), interrupted.promise]);
    if (!["", "y", "yes"].includes(answer.trim().toLowerCase()))
      throw new CliError(exitCodes.refused, "nothing was deployed");
  } finally {
    stop.removeEventListener("abort", onAbort);
    keys.pause();
  }
}

/**
 * The tokens of the plan's secrets. New ones are made, printed, and the operator's is stored: before the upload, so
 * that no failure leaves a mesh whose tokens no user knows.
 */
async function meshTokens(
  { cli, settings: { name }, url, known, flags: { newTokens = false } }: Run,
  { steps, newSecrets }: DeployPlan,
): Promise<SecretValues> {
  const names = secretNames.filter((secret) =>
    steps.some((step) => step.kind === "upload" && step.secrets.includes(secret)),
  );
  if (names.length === 0) return {};
  // Of a run that has failed after it stored the token.
  const stored = newTokens ? null : await contextToken(cli, name, url);
  const shown = names.filter((secret) => newSecrets.includes(secret));
  const tokenFor = (secret: SecretName) => {
    if (secret !== "OPERATOR_TOKEN") return newToken();
    return (shown.includes(secret) ? stored : known) ?? newToken();
  };
  const tokens: SecretValues = Object.fromEntries(names.map((secret) => [secret, tokenFor(secret)]));
  if (shown.length === 0) return tokens;
  printLines(cli.out, [
    "Tokens, shown this once:",
    ...shown.map((secret) => `  ${secret}  ${tokens[secret]}`),
  ]);
  const token = shown.includes("OPERATOR_TOKEN") ? tokens.OPERATOR_TOKEN : undefined;
  const path = token === undefined ? null : await storeContextToken(cli, name, { url, token });
  if (path !== null) printLines(cli.out, [`The operator's is stored in the context ${name} (${path})`]);
  return tokens;
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
