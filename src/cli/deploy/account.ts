// What exists in an account of Cloudflare, as far as a deployment is concerned.

import { z } from "zod";
import { type CloudflareApi, isNotFound } from "./cloudflare-api.ts";
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
    }),
  ),
});

/** The Worker with the name of the mesh. */
export type FoundWorker = {
  /** True if it has the registry's objects. */
  readonly isWaggle: boolean;
  /** Its variables. */
  readonly variables: Readonly<Record<string, string>>;
  readonly secrets: readonly string[];
};

export type FoundParts = {
  readonly worker: FoundWorker | null;
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
export async function readFoundParts(
  api: CloudflareApi,
  { account, name, zone }: DeploySettings,
): Promise<FoundParts> {
  const worker = await readWorker(api, account, name);
  if (zone === null)
    return { worker, workersDev: await readWorkersDev(api, account), zone: null, records: [], routes: [] };
  const [found = null] = await listZones(api, zone);
  const isOwn = found?.account.id === account;
  return {
    worker,
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

async function readWorker(api: CloudflareApi, account: string, name: string): Promise<FoundWorker | null> {
  try {
    const { bindings } = await api.get({
      path: `/accounts/${account}/workers/scripts/${name}/settings`,
      result: WorkerSettings,
      permission: "workers",
    });
    const texts = bindings.flatMap(({ type, name: key, text }) =>
      type === "plain_text" && text !== undefined ? [[key, text] as const] : [],
    );
    return {
      isWaggle: bindings.some(({ class_name }) => class_name === "MeshRegistry"),
      variables: Object.fromEntries(texts),
      secrets: bindings.filter(({ type }) => type === "secret_text").map(({ name: key }) => key),
    };
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}

async function readWorkersDev(api: CloudflareApi, account: string): Promise<string | null> {
  try {
    const { subdomain } = await api.get({
      path: `/accounts/${account}/workers/subdomain`,
      result: z.object({ subdomain: z.string() }),
      permission: "workers",
    });
    return subdomain;
  } catch (error) {
    if (isNotFound(error)) return null;
    throw error;
  }
}
