// The settings of a deployment: what `waggle deploy` asks for once, and keeps in waggle.deploy.json.

import { z } from "zod";
import { usageError } from "../errors.ts";
import { deployForms, meshWorkers, workerName } from "./mesh-workers.ts";

/** The default path of the file with the settings. */
export const deployFileName = "waggle.deploy.json";

/** A zone's name that means workers.dev. */
export const noZone = "none";

/**
 * Location hints of Durable Objects.
 *
 * @see https://developers.cloudflare.com/durable-objects/reference/data-location/
 */
export const registryLocations = [
  "wnam",
  "enam",
  "sam",
  "weur",
  "eeur",
  "apac",
  "apac-ne",
  "apac-se",
  "oc",
  "afr",
  "me",
] as const;

const MadeHere = z.strictObject({
  /** Names of the Workers that did not exist before the first deployment. */
  workers: z.array(z.string()).default([]),
  /** Patterns of the routes that did not exist before. */
  routes: z.array(z.string()).default([]),
  /** True in a file from before there were forms: the Worker with the name of the mesh is one of `workers`. */
  worker: z.boolean().optional(),
});

/** What deploy has created, or was about to create when it failed. DNS records carry their own mark. */
export type MadeHere = { readonly workers: readonly string[]; readonly routes: readonly string[] };

export const nothingMade: MadeHere = { workers: [], routes: [] };

const answers = {
  form: z.enum(deployForms),
  /** The account's id, 32 hexadecimal digits. */
  account: z.string().regex(/^[0-9a-f]{32}$/),
  /** Name of the mesh, with which the names of its Workers begin. */
  name: z.string(),
  /** The zone's name; null: the mesh is at workers.dev. */
  zone: z.string().nullable(),
  /** Services are at NAME.domain; null without a zone. */
  domain: z.string().nullable(),
  /** Host name of the control API; null without a zone. */
  controlHost: z.string().nullable(),
  location: z.enum(registryLocations),
  plan: z.enum(["free", "paid"]),
};

const DeploySettings = z.strictObject(answers);
export type DeploySettings = Readonly<z.infer<typeof DeploySettings>>;

const DeployFile = DeploySettings.partial().extend({
  made: MadeHere.default({ workers: [], routes: [] }),
  /** Workers that the new secrets of a deployment have not reached yet. */
  lacksSecrets: z.array(z.string()).optional(),
});

/** The content of waggle.deploy.json. Answers that it lacks are asked for. */
export type DeployFile = Readonly<Omit<z.infer<typeof DeployFile>, "made">> & { readonly made: MadeHere };

/** Reads the file's text. @throws a usage error that names the part that cannot be read */
export function readDeployFile(text: string, path: string): DeployFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw unreadable(path, (error as Error).message);
  }
  const parsed = DeployFile.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw unreadable(path, [issue?.path.join("."), issue?.message].filter(Boolean).join(": "));
  }
  const { name, zone, domain, controlHost } = parsed.data;
  if (name !== undefined) readMeshName(name);
  if (zone && domain) domainIn(zone, domain);
  if (zone && controlHost) controlHostIn(zone, controlHost);
  const { made, ...given } = parsed.data;
  const { worker = false, workers, routes } = made;
  const isOwnWorker = worker && name !== undefined;
  const file = { ...given, made: { workers: isOwnWorker ? [name, ...workers] : workers, routes } };
  requireOneMesh(file, path);
  return file;
}

/**
 * What deploy has made belongs to the mesh of the answers. After an answer was edited, destroy would not find it, and
 * remove the only list of it.
 */
function requireOneMesh({ form, name, zone, made }: DeployFile, path: string): void {
  if (name === undefined || zone === undefined) return;
  const forms = form === undefined ? deployForms : [form];
  const own = new Set(forms.flatMap((one) => meshWorkers({ form: one, name, zone })).map((one) => one.name));
  const isBelow = (pattern: string) =>
    zone !== null && `.${pattern.replace(/\/\*$/, "")}`.endsWith(`.${zone}`);
  const others = [
    ...made.workers.filter((worker) => !own.has(worker)),
    ...made.routes.filter((pattern) => !isBelow(pattern)),
  ];
  const [first] = others;
  if (first === undefined) return;
  throw usageError(
    `${path} is for the mesh ${name} at ${zone ?? noZone}${form === undefined ? "" : ` in the form ${form}`}, and says that deploy has made ${first}, which is not of that mesh`,
    "an answer was changed by hand: change it back, or name another file with --config for another mesh",
  );
}

/** The text of the file, which reads back. It has no secrets. */
export function printDeployFile(file: DeployFile): string {
  return `${JSON.stringify(file, null, 2)}\n`;
}

/** Reads the name of a mesh. With the longest suffix of its Workers it is a label of a host name at workers.dev. */
export function readMeshName(text: string): string {
  if (/^[a-z][a-z0-9-]{0,53}$/.test(text) && !text.endsWith("-")) return text;
  throw usageError(
    `"${text}" is not a name for a mesh`,
    "begin with a letter, go on with at most 53 lower-case letters, digits and hyphens, and end with no hyphen",
  );
}

/** Reads an account's id. */
export function readAccountId(text: string): string {
  if (/^[0-9a-f]{32}$/.test(text)) return text;
  throw usageError(
    `"${text}" is not an account's id`,
    "copy the 32 hexadecimal digits after dash.cloudflare.com/ in the dashboard's address",
  );
}

/** Reads a DNS name in lower case, without a final dot. */
export function readDomainName(text: string): string {
  const name = text.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  if (name.length <= 253 && labels.length > 1 && labels.every(isDnsLabel)) return name;
  throw usageError(`"${text}" is not a domain name`, "write it as example.com");
}

function isDnsLabel(label: string): boolean {
  return /^[a-z0-9-]{1,63}$/.test(label) && !label.startsWith("-") && !label.endsWith("-");
}

/** Reads the domain of the services, which is the zone's name or below it. */
export function domainIn(zone: string, text: string): string {
  const domain = readDomainName(text);
  if (domain === zone || domain.endsWith(`.${zone}`)) return domain;
  throw usageError(
    `the domain ${domain} is not in the zone ${zone}`,
    `write it as ${zone} or apps.${zone}, or name its own zone with --zone`,
  );
}

/** Reads the host name of the control API, which is below the zone's name. */
export function controlHostIn(zone: string, text: string): string {
  const host = readDomainName(text);
  if (host.endsWith(`.${zone}`)) return host;
  throw usageError(`the control host ${host} is not below the zone ${zone}`, `write it as mesh.${zone}`);
}

/**
 * The location hint nearest to a time zone.
 *
 * @param timeZone of the IANA database: `Europe/Berlin`
 */
export function locationNear(timeZone: string): DeploySettings["location"] {
  const [area = "", place = ""] = timeZone.split("/");
  if (area === "Europe")
    return /^(Athens|Bucharest|Helsinki|Istanbul|Kyiv|Moscow|Riga|Sofia|Warsaw)/.test(place)
      ? "eeur"
      : "weur";
  if (area === "Africa") return "afr";
  if (area === "Australia" || area === "Pacific") return "oc";
  if (area === "Asia") {
    if (/^(Dubai|Riyadh|Jerusalem|Baghdad|Qatar|Kuwait|Tehran|Amman|Beirut)/.test(place)) return "me";
    return /^(Tokyo|Seoul|Shanghai|Taipei|Hong_Kong)/.test(place) ? "apac-ne" : "apac-se";
  }
  if (area === "America") {
    if (/^(Argentina|Bogota|Buenos_Aires|Lima|Santiago|Sao_Paulo)/.test(place)) return "sam";
    return /^(Los_Angeles|Vancouver|Denver|Phoenix|Tijuana)/.test(place) ? "wnam" : "enam";
  }
  return "enam";
}

/** URL of the control API. @param workersDev the account's subdomain of workers.dev, if the mesh is there */
export function controlUrl(settings: DeploySettings, workersDev: string | null): string {
  const { controlHost } = settings;
  if (controlHost !== null) return `https://${controlHost}`;
  return `https://${workerName(settings, "control")}.${workersDev}.workers.dev`;
}

/** URL of the edge: of a name that no service has, or of all services at workers.dev. */
export function edgeUrl(settings: DeploySettings, workersDev: string | null): string {
  const { domain } = settings;
  if (domain !== null) return `https://waggle-check.${domain}`;
  return `https://${workerName(settings, "edge")}.${workersDev}.workers.dev`;
}

function unreadable(path: string, problem: string): Error {
  return usageError(
    `cannot read ${path}: ${problem}`,
    "correct it, or name another file with --config; deploy writes a new one",
  );
}
