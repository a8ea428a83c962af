// Completes the settings of a deployment: by flags, else by waggle.deploy.json, else by asking.

import { type Asking, ask } from "../ask.ts";
import { refused, usageError } from "../errors.ts";
import { type CloudflareAccount, listAccounts, listZones, readWorker } from "./account.ts";
import type { CloudflareApi } from "./cloudflare-api.ts";
import { type DeployForm, deployForms, workerName } from "./mesh-workers.ts";
import {
  controlHostIn,
  type DeployFile,
  type DeploySettings,
  domainIn,
  locationNear,
  noZone,
  readDomainName,
  readMeshName,
  registryLocations,
} from "./settings.ts";

/** The answers that flags give. A zone of `none` means workers.dev. */
export type AnswerFlags = {
  readonly account?: string;
  readonly name?: string;
  readonly form?: DeployForm;
  readonly zone?: string;
  readonly domain?: string;
  readonly controlHost?: string;
  readonly location?: DeploySettings["location"];
  readonly plan?: DeploySettings["plan"];
};

/** @param path of the file, for messages */
export async function completeSettings(
  asking: Asking,
  api: CloudflareApi,
  flags: AnswerFlags,
  file: DeployFile,
  path: string,
): Promise<DeploySettings> {
  checkAgainstFile(flags, file, path);
  const account = flags.account ?? file.account ?? (await chooseAccount(asking, api));
  const name = flags.name ?? file.name ?? (await askName(asking));
  const known = { ...(await deployedAnswers(api, account, name, file)), ...file };
  const form = flags.form ?? known.form ?? (await askForm(asking));
  const zone = await zoneOf(asking, api, flags, known, account);
  const site = zone === null ? noSite(flags) : await siteIn(asking, zone, name, flags, known);
  const location = flags.location ?? known.location ?? (await askLocation(asking));
  const plan = flags.plan ?? known.plan ?? (await askPlan(asking));
  return { form, account, name, zone, ...site, location, plan };
}

const answerNames = ["form", "zone", "domain", "controlHost", "location", "plan"] as const;

/** Answers that the file or a mesh that exists has. */
type KnownAnswers = Pick<DeployFile, (typeof answerNames)[number]>;

/**
 * The answers of a mesh that was deployed from another folder, or whose file is lost: by the Worker of its registry.
 * None if the file has all of them, or if there is no such Worker. The zone follows from the domain.
 */
async function deployedAnswers(
  api: CloudflareApi,
  account: string,
  name: string,
  file: DeployFile,
): Promise<KnownAnswers> {
  if (answerNames.every((key) => file[key] !== undefined)) return {};
  for (const form of deployForms) {
    const worker = await readWorker(api, account, workerName({ form, name }, "objects"));
    if (worker?.hasRegistry !== true || worker.variables.MESH_NAME !== name) continue;
    const { MESH_DOMAIN: domain, CONTROL_HOST: controlHost, REGISTRY_LOCATION: hint } = worker.variables;
    const location = registryLocations.find((one) => one === hint);
    return {
      form,
      ...(domain && { domain }),
      ...(controlHost && { controlHost }),
      ...(location && { location }),
      ...(worker.hasCpuLimit && { plan: "paid" }),
    };
  }
  return {};
}

/** What a deployment cannot change: the mesh would be another one, or lose its registry. */
function checkAgainstFile(flags: AnswerFlags, file: DeployFile, path: string): void {
  const { zone } = flags;
  const given = { ...flags, ...(zone !== undefined && { zone: zone === noZone ? null : zone }) };
  for (const key of ["account", "name", "form", "zone", "domain", "controlHost", "location"] as const) {
    const [asked, kept] = [given[key], file[key]];
    if (asked === undefined || kept === undefined || asked === kept) continue;
    throw usageError(
      `${path} is for a mesh with the ${key === "controlHost" ? "control host" : key} ${kept ?? noZone}, not ${asked ?? noZone}`,
      "this cannot be changed: name another file with --config for another mesh, or run waggle destroy first",
    );
  }
}

async function chooseAccount(asking: Asking, api: CloudflareApi): Promise<string> {
  const accounts = await listAccounts(api);
  const [only] = accounts;
  if (only === undefined)
    throw refused(
      "the API token sees no account",
      "add the account to its account resources, with Account Settings / Read",
    );
  if (accounts.length === 1) return only.id;
  const what = `the account (${accounts.map(accountText).join("; ")})`;
  return await ask(asking, {
    what,
    flag: "--account ID",
    fallback: null,
    read: (text) => accountAmong(accounts, text),
  });
}

function accountText({ id, name }: CloudflareAccount): string {
  return `${name}: ${id}`;
}

function accountAmong(accounts: readonly CloudflareAccount[], text: string): string {
  const matching = accounts.filter(({ id, name }) => id === text || name === text);
  const [account] = matching;
  if (account !== undefined && matching.length === 1) return account.id;
  throw usageError(`"${text}" is not one of the accounts`, "give its id");
}

function askName(asking: Asking): Promise<string> {
  return ask(asking, {
    what: "the name of the mesh",
    flag: "--name NAME",
    fallback: "waggle",
    read: readMeshName,
  });
}

function askForm(asking: Asking): Promise<DeployForm> {
  return ask(asking, {
    what: "the form: split (a Worker for each part, and a release restarts what it changes) or single (one Worker)",
    flag: "--form FORM",
    fallback: "split",
    read: (text) => choiceAmong(deployForms, text),
  });
}

async function zoneOf(
  asking: Asking,
  api: CloudflareApi,
  flags: AnswerFlags,
  known: KnownAnswers,
  account: string,
): Promise<string | null> {
  const given = flags.zone === noZone ? null : (flags.zone ?? known.zone);
  if (given !== undefined) return given;
  // A domain names its zone, if the token sees it.
  const zones = (await listZones(api)).filter((zone) => zone.account.id === account).map((zone) => zone.name);
  const { domain = known.domain } = flags;
  if (domain != null) {
    const zone = zones
      .filter((name) => domain === name || domain.endsWith(`.${name}`))
      .sort(byLength)
      .at(-1);
    if (zone === undefined)
      throw usageError(
        `no zone of the account contains the domain ${domain}`,
        `its zones: ${zones.join(", ") || "none"}`,
      );
    return zone;
  }
  if (zones.length === 0) return null;
  return await ask(asking, {
    what: `the zone for the mesh's names (${zones.join(", ")}), or ${noZone} for workers.dev`,
    flag: "--zone ZONE",
    fallback: noZone,
    read: (text) => (text === noZone ? null : zoneAmong(zones, text)),
  });
}

function byLength(a: string, b: string): number {
  return a.length - b.length;
}

function zoneAmong(zones: readonly string[], text: string): string {
  const zone = readDomainName(text);
  if (zones.includes(zone)) return zone;
  throw usageError(`the account has no zone ${zone}`, `its zones: ${zones.join(", ")}`);
}

type Site = Pick<DeploySettings, "domain" | "controlHost">;

function noSite({ domain, controlHost }: AnswerFlags): Site {
  if (domain === undefined && controlHost === undefined) return { domain: null, controlHost: null };
  throw usageError("a domain and a control host need a zone", "give --zone ZONE, or neither for workers.dev");
}

async function siteIn(
  asking: Asking,
  zone: string,
  name: string,
  flags: AnswerFlags,
  known: KnownAnswers,
): Promise<Site> {
  const domain =
    (flags.domain === undefined ? known.domain : domainIn(zone, flags.domain)) ??
    (await ask(asking, {
      what: "the domain of the services, which are at NAME.DOMAIN",
      flag: "--domain DOMAIN",
      fallback: zone,
      read: (text) => domainIn(zone, text),
    }));
  const controlHost =
    (flags.controlHost === undefined ? known.controlHost : controlHostIn(zone, flags.controlHost)) ??
    (await ask(asking, {
      what: "the host name of the control API and the dashboard",
      flag: "--control-host HOST",
      // One label below the zone, which Universal SSL covers.
      fallback: `${name}.${zone}`,
      read: (text) => controlHostIn(zone, text),
    }));
  return { domain, controlHost };
}

function askLocation(asking: Asking): Promise<DeploySettings["location"]> {
  return ask(asking, {
    what: `the location of the registry, for good (${registryLocations.join(", ")})`,
    flag: "--location HINT",
    fallback: locationNear(Intl.DateTimeFormat().resolvedOptions().timeZone),
    read: (text) => choiceAmong(registryLocations, text),
  });
}

function askPlan(asking: Asking): Promise<DeploySettings["plan"]> {
  return ask(asking, {
    what: "the account's plan of Workers (free, paid)",
    flag: "--plan PLAN",
    fallback: "free",
    read: (text) => choiceAmong(["free", "paid"] as const, text),
  });
}

function choiceAmong<T extends string>(choices: readonly T[], text: string): T {
  const found = choices.find((choice) => choice === text);
  if (found !== undefined) return found;
  throw usageError(`"${text}" is not one of ${choices.join(", ")}`);
}
