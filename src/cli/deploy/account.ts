// What exists in an account of Cloudflare, as far as a deployment is concerned.

import { z } from "zod";
import { type ApiRequest, type CloudflareApi, isNotFound } from "./cloudflare-api.ts";
import { deployForms, meshWorkers } from "./mesh-workers.ts";
import type { DeploySettings } from "./settings.ts";

const Account = z.object({ id: z.string(), name: z.string() });
export type CloudflareAccount = z.infer<typeof Account>;

const Zone = z.object({
  id: z.string(),
  name: z.string(),
  status: z.string().optional(),
  account: z.object({ id: z.string().optional(), name: z.string().optional() }),
});
export type CloudflareZone = z.infer<typeof Zone>;

const DnsRecord = z.object({
  id: z.string(),
  name: z.string(),
  type: z.string(),
  content: z.string().optional(),
  proxied: z.boolean().optional(),
  comment: z.string().nullish(),
  /** The Worker whose custom domain made this record. */
  meta: z.object({ origin_worker_id: z.string().optional() }).nullish(),
});
export type DnsRecord = z.infer<typeof DnsRecord>;

/** `script` is absent or null for a route that turns Workers off. */
const WorkerRoute = z.object({ id: z.string(), pattern: z.string(), script: z.string().nullish() });
export type WorkerRoute = z.infer<typeof WorkerRoute>;

const WorkerSettings = z.object({
  bindings: z.array(
    z.object({
      type: z.string(),
      name: z.string(),
      text: z.string().optional(),
      class_name: z.string().optional(),
      script_name: z.string().nullish(),
    }),
  ),
  limits: z.object({ cpu_ms: z.number().optional() }).nullish(),
});

/** The first one is served; its requests may be divided among two versions. */
const Deployments = z.object({
  deployments: z.array(z.object({ versions: z.array(z.object({ version_id: z.string() })) })),
});

/** Whether a Worker has a host name at workers.dev. */
const WorkerSubdomain = z.object({ enabled: z.boolean() });

const WorkerVersion = z.object({
  annotations: z.object({ "workers/tag": z.string().optional() }).nullish(),
});

/** A Worker with one of the names that those of the mesh have. */
export type FoundWorker = {
  /** True if it is bound to a registry, its own or one of another Worker. */
  readonly isWaggle: boolean;
  /** True if the registry's objects are its own. */
  readonly hasRegistry: boolean;
  /** Its variables. */
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
  /** True if it has a limit of CPU time, which Workers Paid allows. */
  readonly hasCpuLimit: boolean;
  /** True if it has a host name at workers.dev; null if Cloudflare does not say. */
  readonly isOnWorkersDev: boolean | null;
  /** Ids of the versions that are served, separated by commas; empty if Cloudflare knows none. */
  readonly versions: string;
  /** The fingerprint that deploy gave the version that is served; null if that was made otherwise, or if there are two. */
  readonly fingerprint: string | null;
};

export type FoundParts = {
  /** By name, those that exist of the Workers that the mesh has in either form. */
  readonly workers: ReadonlyMap<string, FoundWorker>;
  /** The account's subdomain of workers.dev; null if it has none, or if the mesh has a zone. */
  readonly workersDev: string | null;
  readonly zone: CloudflareZone | null;
  readonly records: readonly DnsRecord[];
  readonly routes: readonly WorkerRoute[];
};

export function listAccounts(api: CloudflareApi): Promise<readonly CloudflareAccount[]> {
  return api.list({ path: "/accounts", result: z.array(Account), permission: "accounts" });
}

/** The zones that the token may read. @param name only the one of this name */
export function listZones(api: CloudflareApi, name?: string): Promise<readonly CloudflareZone[]> {
  const query = name === undefined ? {} : { name };
  return api.list({ path: "/zones", query, result: z.array(Zone), permission: "zones" });
}

/** Reads all that a plan depends on. It changes nothing. */
export async function readFoundParts(api: CloudflareApi, settings: DeploySettings): Promise<FoundParts> {
  const { account, zone } = settings;
  const workers = new Map<string, FoundWorker>();
  for (const { name } of deployForms.flatMap((form) => meshWorkers({ ...settings, form }))) {
    const found = await readWorker(api, account, name);
    if (found !== null) workers.set(name, found);
  }
  if (zone === null)
    return { workers, workersDev: await readWorkersDev(api, account), zone: null, records: [], routes: [] };
  const zones = await listZones(api, zone);
  // Two accounts may have a zone of one name, until one of them is active.
  const found = zones.find((one) => one.account.id === account) ?? zones[0] ?? null;
  const isOwn = found?.account.id === account;
  return {
    workers,
    workersDev: null,
    zone: found,
    records: isOwn ? await listRecords(api, found.id) : [],
    routes: isOwn ? await listRoutes(api, found.id) : [],
  };
}

export function listRecords(api: CloudflareApi, zoneId: string): Promise<readonly DnsRecord[]> {
  return api.list({
    path: `/zones/${zoneId}/dns_records`,
    result: z.array(DnsRecord),
    permission: "records",
  });
}

export function listRoutes(api: CloudflareApi, zoneId: string): Promise<readonly WorkerRoute[]> {
  return api.get({
    path: `/zones/${zoneId}/workers/routes`,
    result: z.array(WorkerRoute),
    permission: "routes",
  });
}

/** Null if the account has no such Worker. */
export async function readWorker(
  api: CloudflareApi,
  account: string,
  name: string,
): Promise<FoundWorker | null> {
  const path = `/accounts/${account}/workers/scripts/${name}`;
  const settings = { path: `${path}/settings`, result: WorkerSettings, permission: "workers" } as const;
  const found = await getOrNull(api, settings);
  if (found === null) return null;
  const { bindings, limits } = found;
  const texts = bindings.flatMap(({ type, name: key, text }) =>
    type === "plain_text" && text !== undefined ? [[key, text] as const] : [],
  );
  const registry = bindings.find(({ class_name }) => class_name === "MeshRegistry");
  return {
    isWaggle: registry !== undefined,
    hasRegistry: registry !== undefined && (registry.script_name ?? name) === name,
    variables: Object.fromEntries(texts),
    secrets: bindings.filter(({ type }) => type === "secret_text").map(({ name: key }) => key),
    hasCpuLimit: limits?.cpu_ms !== undefined,
    isOnWorkersDev:
      (await getOrNull(api, { path: `${path}/subdomain`, result: WorkerSubdomain, permission: "workers" }))
        ?.enabled ?? null,
    ...(await readServedVersion(api, path)),
  };
}

/**
 * The version that is served. One that is made otherwise than by deploy, such as by an edit in Cloudflare's dashboard,
 * has no tag, and after a rollback the earlier version has its own. A Worker without versions exists all the same.
 */
async function readServedVersion(
  api: CloudflareApi,
  path: string,
): Promise<Pick<FoundWorker, "versions" | "fingerprint">> {
  const all = { path: `${path}/deployments`, result: Deployments, permission: "workers" } as const;
  const served = (await getOrNull(api, all))?.deployments[0]?.versions ?? [];
  const versions = served.map(({ version_id }) => version_id).join();
  if (served.length !== 1) return { versions, fingerprint: null };
  const one = { path: `${path}/versions/${versions}`, result: WorkerVersion, permission: "workers" } as const;
  return { versions, fingerprint: (await getOrNull(api, one))?.annotations?.["workers/tag"] ?? null };
}

async function readWorkersDev(api: CloudflareApi, account: string): Promise<string | null> {
  const path = `/accounts/${account}/workers/subdomain`;
  const result = z.object({ subdomain: z.string() });
  return (await getOrNull(api, { path, result, permission: "workers" }))?.subdomain ?? null;
}

/** Null if Cloudflare says that there is no such thing. */
async function getOrNull<T>(api: CloudflareApi, request: ApiRequest<T>): Promise<T | null> {
  try {
    return await api.get(request);
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
