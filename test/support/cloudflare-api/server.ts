// A stand-in for Cloudflare's API v4: an HTTP server that keeps accounts, zones, records, routes and Workers, refuses
// what the API refuses, and fails where a test says so.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { z } from "zod";
import {
  type ApiRecord,
  type ApiRoute,
  NewDeployment,
  NewDnsRecord,
  NewRoute,
  ScriptSettings,
  SubdomainSwitch,
  UploadMetadata,
} from "./schemas.ts";

export const accountId = "0123456789abcdef0123456789abcdef";
export const otherAccountId = "fedcba9876543210fedcba9876543210";
export const apiToken = "an-api-token";

/** Permissions of a token, by the names of Cloudflare's dashboard. */
type ApiPermission =
  | "Account Settings / Read"
  | "Workers Scripts / Edit"
  | "Zone / Read"
  | "DNS / Edit"
  | "Workers Routes / Edit";

type ApiZone = {
  readonly id: string;
  readonly name: string;
  readonly account: string;
  status: string;
  records: ApiRecord[];
  routes: ApiRoute[];
};

export type UploadedWorker = {
  metadata: UploadMetadata;
  /** File name → content. */
  modules: Readonly<Record<string, string>>;
  /** Secret → value. */
  secrets: Readonly<Record<string, string>>;
  migrationTag: string | null;
  isOnWorkersDev: boolean;
  uploads: number;
  /** Tags of deployed versions by their ids. */
  tags: Readonly<Record<string, string | undefined>>;
  /** Id of the version that is served: the newest one, unless it was rolled back. */
  served: string;
  /** Uploaded, and not deployed yet. */
  version: UploadedVersion | null;
};

type UploadedVersion = Pick<UploadedWorker, "metadata" | "modules" | "secrets" | "migrationTag"> & {
  readonly id: string;
};

/** What the API has. Tests read and change it. */
export type ApiWorld = {
  accounts: { id: string; name: string }[];
  token: { status: "active" | "expired" | "disabled" | "unknown"; permissions: Set<ApiPermission> };
  zones: ApiZone[];
  workers: Map<string, UploadedWorker>;
  /** Of workers.dev. */
  subdomain: string | null;
  plan: "free" | "paid";
};

type ApiCall = { readonly method: string; readonly path: string };

/**
 * What happens to a request: null is the usual, `reset` cuts the connection before it is handled, `lose` after
 * that, a number is a status without a body of the API.
 */
export type ApiFault = null | "reset" | "lose" | 429 | 500;

export type CloudflareApiServer = {
  readonly url: string;
  readonly world: ApiWorld;
  readonly calls: ApiCall[];
  /** Decides about each request by its number, from 0. */
  fault: (number: number, call: ApiCall) => ApiFault;
  readonly [Symbol.asyncDispose]: () => Promise<void>;
};

const allPermissions: readonly ApiPermission[] = [
  "Account Settings / Read",
  "Workers Scripts / Edit",
  "Zone / Read",
  "DNS / Edit",
  "Workers Routes / Edit",
];

/** An account on Workers Paid with a zone, example.com, that is empty. */
export function emptyWorld(): ApiWorld {
  return {
    accounts: [{ id: accountId, name: "Acme" }],
    token: { status: "active", permissions: new Set(allPermissions) },
    zones: [
      {
        id: "a".repeat(32),
        name: "example.com",
        account: accountId,
        status: "active",
        records: [],
        routes: [],
      },
    ],
    workers: new Map(),
    subdomain: "acme",
    plan: "paid",
  };
}

export async function startCloudflareApi(world: ApiWorld = emptyWorld()): Promise<CloudflareApiServer> {
  const calls: ApiCall[] = [];
  const server: Server = createServer((request, response) => {
    void serve(request, response).catch((error) => {
      response.writeHead(500).end(String(error));
    });
  });
  const self: CloudflareApiServer = {
    url: "",
    world,
    calls,
    fault: () => null,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const url = new URL(request.url ?? "/", "http://api");
    const call = { method: request.method ?? "", path: url.pathname.replace("/client/v4", "") };
    const body = await bodyOf(request);
    const fault = self.fault(calls.push(call) - 1, call);
    if (fault === "reset") return void request.socket.destroy();
    if (typeof fault === "number") return void response.writeHead(fault).end("no answer of the API");
    const { status, ...envelope } = await answer(world, request, call, url.searchParams, body);
    if (fault === "lose") return void request.socket.destroy();
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(envelope));
  };
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/client/v4`;
  return Object.assign(self, { url });
}

type Answer = {
  readonly status: number;
  readonly success: boolean;
  readonly errors: readonly { readonly code: number; readonly message: string }[];
  readonly messages: readonly string[];
  readonly result: unknown;
  readonly result_info?: unknown;
};

function good(result: unknown, result_info?: unknown): Answer {
  return {
    status: 200,
    success: true,
    errors: [],
    messages: [],
    result,
    ...(result_info !== undefined && { result_info }),
  };
}

function bad(status: number, code: number, message: string): Answer {
  return { status, success: false, errors: [{ code, message }], messages: [], result: null };
}

type Handler = (request: {
  readonly world: ApiWorld;
  readonly args: readonly string[];
  readonly query: URLSearchParams;
  readonly raw: Raw;
}) => Answer | Promise<Answer>;

type Raw = { readonly bytes: Buffer; readonly type: string };

type Endpoint = { readonly match: RegExp; readonly needs: ApiPermission | null; readonly handle: Handler };

/** What wrangler reads of a new version. */
const uploadedResources = {
  script: { etag: "e", handlers: ["fetch"], last_deployed_from: "wrangler" },
  script_runtime: { usage_model: "standard" },
  bindings: [],
};

const missingWorker = () => bad(404, 10_007, "This Worker does not exist on your account.");

/** Method and path, with the permission that each needs. Any other request is an error of the test. */
const endpoints: Readonly<Record<string, readonly Endpoint[]>> = {
  GET: [
    at("/user/tokens/verify", null, ({ world }) =>
      world.token.status === "unknown"
        ? bad(401, 1000, "Invalid API Token")
        : good({ id: "t".repeat(32), status: world.token.status }),
    ),
    at("/accounts", "Account Settings / Read", ({ world, query }) => page(world.accounts, query)),
    at("/zones", "Zone / Read", ({ world, query }) =>
      page(
        world.zones
          .filter(({ name }) => (query.get("name") ?? name) === name)
          .map(({ id, name, account, status }) => ({ id, name, status, account: { id: account } })),
        query,
      ),
    ),
    at(
      "/zones/:zone/dns_records",
      "DNS / Edit",
      inZone((zone, { query }) => page(zone.records, query)),
    ),
    at(
      "/zones/:zone/workers/routes",
      "Workers Routes / Edit",
      inZone((zone) => good(zone.routes)),
    ),
    at("/accounts/:account/workers/subdomain", "Workers Scripts / Edit", ({ world: { subdomain } }) =>
      subdomain === null ? bad(404, 10_007, "You do not have a workers.dev subdomain.") : good({ subdomain }),
    ),
    at(
      "/accounts/:account/workers/services/:worker",
      "Workers Scripts / Edit",
      withWorker(
        ({ migrationTag }, name) =>
          good({
            id: name,
            default_environment: {
              environment: "production",
              script: {
                id: name,
                last_deployed_from: "wrangler",
                ...(migrationTag !== null && { migration_tag: migrationTag }),
              },
            },
          }),
        () => bad(404, 10_090, "This service does not exist."),
      ),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/secrets",
      "Workers Scripts / Edit",
      withWorker(({ secrets }) => good(Object.keys(secrets).map((name) => ({ name, type: "secret_text" })))),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/settings",
      "Workers Scripts / Edit",
      withWorker((worker) => good(settingsOf(worker))),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/deployments",
      "Workers Scripts / Edit",
      withWorker(({ served }) => good({ deployments: [deploymentOf(served)] })),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/versions/:version",
      "Workers Scripts / Edit",
      withWorker(({ tags }, _name, { args }) => {
        const [, , id = ""] = args;
        if (!Object.hasOwn(tags, id)) return bad(404, 10_007, "This version does not exist.");
        const tag = tags[id];
        return good({
          id,
          resources: { bindings: [] },
          annotations: tag === undefined ? {} : { "workers/tag": tag },
        });
      }),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/subdomain",
      "Workers Scripts / Edit",
      withWorker(({ isOnWorkersDev }) => good({ enabled: isOnWorkersDev, previews_enabled: false })),
    ),
    at(
      "/accounts/:account/workers/workers/:worker",
      "Workers Scripts / Edit",
      withWorker(({ isOnWorkersDev }, name) =>
        good({ id: "w".repeat(32), name, subdomain: { enabled: isOnWorkersDev, previews_enabled: false } }),
      ),
    ),
  ],
  POST: [
    at(
      "/zones/:zone/dns_records",
      "DNS / Edit",
      inZone((zone, { raw }) =>
        parsed(NewDnsRecord, raw, (record) => {
          if (!(record.name === zone.name || record.name.endsWith(`.${zone.name}`)))
            return bad(400, 9_000, "DNS name is invalid.");
          const same = zone.records.filter(({ name }) => name === record.name);
          if (same.some(({ type, content }) => type === record.type && content === record.content))
            return bad(400, 81_058, "An identical record already exists.");
          if (same.some(({ type }) => type === "CNAME"))
            return bad(400, 81_053, "An A, AAAA, or CNAME record with that host already exists.");
          const created = { ...record, id: newId("r", zone.records.length) };
          zone.records.push(created);
          return good(created);
        }),
      ),
    ),
    at(
      "/zones/:zone/workers/routes",
      "Workers Routes / Edit",
      inZone((zone, { raw, world }) =>
        parsed(NewRoute, raw, (route) => {
          if (zone.routes.some(({ pattern }) => pattern === route.pattern))
            return bad(409, 10_020, "A route with the same pattern already exists.");
          if (route.script !== undefined && !world.workers.has(route.script)) return missingWorker();
          const created = { ...route, id: newId("e", zone.routes.length) };
          zone.routes.push(created);
          return good(created);
        }),
      ),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/versions",
      "Workers Scripts / Edit",
      withWorker(async (worker, _name, request) => {
        const version = await readUpload(request);
        if ("status" in version) return version;
        worker.version = version;
        return good({
          id: version.id,
          startup_time_ms: 20,
          metadata: {},
          number: worker.uploads + 1,
          resources: uploadedResources,
        });
      }),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/deployments",
      "Workers Scripts / Edit",
      withWorker((worker, name, { raw, world }) =>
        parsed(NewDeployment, raw, ({ versions: [{ version_id: id }] }) => {
          if (worker.version?.id !== id) return bad(400, 10_021, `there is no version ${id} to deploy`);
          deployVersion(world, name, worker.version);
          return good(deploymentOf(id));
        }),
      ),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker/subdomain",
      "Workers Scripts / Edit",
      withWorker((worker, _name, { raw }) =>
        parsed(SubdomainSwitch, raw, ({ enabled }) => {
          worker.isOnWorkersDev = enabled;
          return good({ enabled, previews_enabled: false });
        }),
      ),
    ),
  ],
  PUT: [at("/accounts/:account/workers/scripts/:worker", "Workers Scripts / Edit", uploadAndDeploy)],
  PATCH: [
    at(
      "/accounts/:account/workers/scripts/:worker/script-settings",
      "Workers Scripts / Edit",
      withWorker((_worker, _name, { raw }) => parsed(ScriptSettings, raw, (settings) => good(settings))),
    ),
  ],
  DELETE: [
    at(
      "/zones/:zone/dns_records/:id",
      "DNS / Edit",
      inZone((zone, { args }) => {
        const id = args[1] ?? "";
        if (!zone.records.some((record) => record.id === id))
          return bad(404, 81_044, "Record does not exist.");
        zone.records = zone.records.filter((record) => record.id !== id);
        return good({ id });
      }),
    ),
    at(
      "/zones/:zone/workers/routes/:id",
      "Workers Routes / Edit",
      inZone((zone, { args }) => {
        const id = args[1] ?? "";
        if (!zone.routes.some((route) => route.id === id)) return bad(404, 10_009, "Route not found.");
        zone.routes = zone.routes.filter((route) => route.id !== id);
        return good({ id });
      }),
    ),
    at(
      "/accounts/:account/workers/scripts/:worker",
      "Workers Scripts / Edit",
      withWorker((_worker, name, { world }) => {
        if ([...world.workers].some(([other, worker]) => other !== name && usesWorker(worker, name)))
          return bad(400, 10_064, "This Worker has Durable Objects that other Workers are bound to.");
        world.workers.delete(name);
        return good(null);
      }),
    ),
  ],
};

function at(path: string, needs: ApiPermission | null, handle: Handler): Endpoint {
  return { match: new RegExp(`^${path.replaceAll(/:\w+/g, "([^/]+)")}$`), needs, handle };
}

async function answer(
  world: ApiWorld,
  { headers }: IncomingMessage,
  { method, path }: ApiCall,
  query: URLSearchParams,
  bytes: Buffer,
): Promise<Answer> {
  const endpoint = endpoints[method]?.find(({ match }) => match.test(path));
  if (endpoint === undefined) throw new Error(`the stand-in has no ${method} ${path}`);
  const { needs, match, handle } = endpoint;
  if (headers.authorization !== `Bearer ${apiToken}`) return bad(400, 6_003, "Invalid request headers");
  if (needs !== null && (world.token.status !== "active" || !world.token.permissions.has(needs)))
    return bad(403, 10_000, "Authentication error");
  const args = match.exec(path)?.slice(1) ?? [];
  const isOtherAccount = path.startsWith("/accounts/") && !world.accounts.some(({ id }) => id === args[0]);
  if (isOtherAccount) return bad(403, 9_109, "Unauthorized to access requested resource");
  return await handle({ world, args, query, raw: { bytes, type: headers["content-type"] ?? "" } });
}

function page(items: readonly unknown[], query: URLSearchParams): Answer {
  const perPage = Number(query.get("per_page") ?? 20);
  const number = Number(query.get("page") ?? 1);
  return good(items.slice((number - 1) * perPage, number * perPage), {
    page: number,
    per_page: perPage,
    total_pages: Math.max(1, Math.ceil(items.length / perPage)),
  });
}

function inZone(
  handle: (zone: ApiZone, request: Parameters<Handler>[0]) => Answer | Promise<Answer>,
): Handler {
  return (request) => {
    const zone = request.world.zones.find(({ id }) => id === request.args[0]);
    return zone === undefined ? bad(404, 7_003, "Could not route to the zone") : handle(zone, request);
  };
}

function withWorker(
  handle: (worker: UploadedWorker, name: string, request: Parameters<Handler>[0]) => Answer | Promise<Answer>,
  missing: () => Answer = missingWorker,
): Handler {
  return (request) => {
    const name = request.args[1] ?? "";
    const worker = request.world.workers.get(name);
    return worker === undefined ? missing() : handle(worker, name, request);
  };
}

function parsed<T>(schema: z.ZodType<T>, { bytes }: Raw, handle: (value: T) => Answer): Answer {
  const result = schema.safeParse(JSON.parse(bytes.toString() || "null"));
  return result.success ? handle(result.data) : bad(400, 10_021, `invalid body: ${result.error.message}`);
}

/** Takes a first upload, or one with migrations: wrangler deploys it in the same request. */
async function uploadAndDeploy(request: Parameters<Handler>[0]): Promise<Answer> {
  const version = await readUpload(request);
  if ("status" in version) return version;
  const name = request.args[1] ?? "";
  deployVersion(request.world, name, version);
  return good({
    id: name,
    deployment_id: "d1",
    entry_point: version.metadata.main_module,
    etag: "e",
    pipeline_hash: "p",
    mutable_pipeline_id: "m",
    startup_time_ms: 20,
  });
}

function deploymentOf(version: string) {
  return {
    id: `d-${version}`,
    created_on: "2026-11-24T12:00:00Z",
    source: "wrangler",
    strategy: "percentage",
    versions: [{ version_id: version, percentage: 100 }],
  };
}

function deployVersion({ workers }: ApiWorld, name: string, { id: _, ...version }: UploadedVersion): void {
  const { isOnWorkersDev = false, uploads: before = 0, tags = {} } = workers.get(name) ?? {};
  const uploads = before + 1;
  const { annotations } = version.metadata;
  workers.set(name, {
    ...version,
    isOnWorkersDev,
    uploads,
    tags: { ...tags, [`v${uploads}`]: annotations?.["workers/tag"] },
    served: `v${uploads}`,
    version: null,
  });
}

/** Reads an upload, which is a form: metadata and modules. */
async function readUpload({ world, args, raw }: Parameters<Handler>[0]): Promise<UploadedVersion | Answer> {
  const form = await new Response(new Uint8Array(raw.bytes), {
    headers: { "content-type": raw.type },
  }).formData();
  const result = UploadMetadata.safeParse(JSON.parse(String(form.get("metadata"))));
  if (!result.success) return bad(400, 10_021, `invalid metadata: ${result.error.message}`);
  const metadata = result.data;
  if (metadata.limits !== undefined && world.plan === "free")
    return bad(400, 100_328, "CPU limits are not supported for the Free plan.");
  const name = args[1] ?? "";
  const old = world.workers.get(name);
  const unknown = metadata.bindings.find(
    (binding) =>
      binding.type === "durable_object_namespace" &&
      (binding.script_name ?? name) !== name &&
      !world.workers.has(binding.script_name ?? ""),
  );
  if (unknown !== undefined)
    return bad(400, 10_061, `Cannot create binding for '${unknown.name}': its Worker does not exist.`);
  const inherited = metadata.bindings.filter(({ type }) => type === "inherit").map(({ name }) => name);
  const missing = inherited.find((secret) => old?.secrets[secret] === undefined);
  if (missing !== undefined) return bad(400, 10_057, `inherit binding '${missing}' is invalid`);
  if (metadata.migrations !== undefined && metadata.migrations.old_tag !== (old?.migrationTag ?? undefined))
    return bad(412, 10_079, "the migration's old_tag is not the Worker's tag");
  const modules: Record<string, string> = {};
  for (const [part, value] of form) if (typeof value !== "string") modules[part] = await value.text();
  if (modules[metadata.main_module] === undefined) return bad(400, 10_021, "the main module is missing");
  const set = metadata.bindings.flatMap((binding) =>
    binding.type === "secret_text" ? [[binding.name, binding.text] as const] : [],
  );
  return {
    id: `v${(old?.uploads ?? 0) + 1}`,
    metadata,
    modules,
    // "Secrets are never deleted by deployments" (wrangler deploy --help).
    secrets: { ...old?.secrets, ...Object.fromEntries(set) },
    migrationTag: metadata.migrations?.new_tag ?? old?.migrationTag ?? null,
  };
}

function settingsOf({ metadata, secrets }: UploadedWorker): unknown {
  const names = Object.keys(secrets).map((name) => ({ name, type: "secret_text" }));
  const bindings = metadata.bindings.filter(({ type }) => type !== "secret_text" && type !== "inherit");
  const { compatibility_date, limits } = metadata;
  return { bindings: [...bindings, ...names], compatibility_date, ...(limits && { limits }) };
}

/** True if a Worker is bound to objects of another one. */
function usesWorker({ metadata: { bindings } }: UploadedWorker, name: string): boolean {
  return bindings.some(
    (binding) => binding.type === "durable_object_namespace" && binding.script_name === name,
  );
}

function newId(prefix: string, number: number): string {
  return `${prefix}${number}`.padEnd(32, "0");
}

async function bodyOf(request: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts);
}
