// Runs `waggle deploy` and `waggle destroy` in this process against the stand-in for Cloudflare's API. The upload is
// one request, as wrangler's: test/e2e/deploy.test.ts runs wrangler itself.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Cli } from "../../../../src/cli/cli.ts";
import { type MeshWorker, meshWorkers } from "../../../../src/cli/deploy/mesh-workers.ts";
import { deploy } from "../../../../src/cli/deploy/run.ts";
import type { UploadRequest } from "../../../../src/cli/deploy/wrangler.ts";
import { CliError } from "../../../../src/cli/errors.ts";
import { programVersion } from "../../../../src/package/program-files.ts";
import { apiToken, type CloudflareApiServer } from "../../../support/cloudflare-api/server.ts";
import { type RunResult, runCli } from "../support.ts";

type DeployFlags = Parameters<typeof deploy>[1];

export type DeployTest = {
  readonly api: CloudflareApiServer;
  /** A folder of its own, with the config file. */
  readonly config: string;
  readonly env: Record<string, string>;
  /** The release that the mesh says it runs. Absent: that of this package. */
  release?: string;
  /** URLs of the mesh that were called. */
  readonly calls: string[];
  /** Counts releases, by role of the Worker: what is built after a change has another fingerprint. */
  readonly changes: Map<string, number>;
};

export function deployTest(api: CloudflareApiServer): DeployTest {
  const folder = mkdtempSync(join(tmpdir(), "waggle-deploy-test-"));
  const env = { CLOUDFLARE_API_TOKEN: apiToken, CLOUDFLARE_API_BASE_URL: api.url, HOME: folder };
  return { api, config: join(folder, "waggle.deploy.json"), env, calls: [], changes: new Map() };
}

/** The answers of a mesh of one Worker at example.com. */
export const exampleAnswers = {
  name: "waggle",
  form: "single",
  zone: "example.com",
  location: "weur",
  plan: "paid",
  yes: true,
} as const;

/** Runs a deployment whose mesh answers as soon as the operator token is its own. */
export async function runDeploy(
  { api, config, env, calls, changes, release = programVersion() }: DeployTest,
  flags: Partial<DeployFlags> = exampleAnswers,
  overrides: Partial<Cli> = {},
): Promise<RunResult> {
  let out = "";
  let err = "";
  let clockMs = 0;
  const cli: Cli = {
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
    env,
    nowMs: () => clockMs,
    random: () => 0.5,
    sleep: async (ms) => {
      clockMs += ms;
    },
    onInterrupt: () => new AbortController().signal,
    ...overrides,
  };
  try {
    await deploy(
      cli,
      { config, wait: 10_000, ...flags },
      {
        withBuilt: (settings, use) =>
          use(
            meshWorkers(settings).map((worker) => ({
              worker,
              folder: "",
              fingerprint: `${worker.role} ${settings.plan} ${changes.get(worker.role) ?? 0}`,
            })),
          ),
        upload: (request) => upload(api, request),
        callMesh: (url, headers) => {
          calls.push(url);
          return meshAnswer(api, url, headers, release);
        },
      },
    );
    return { code: 0, out, err };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return { code: error.exitCode, out, err: `${err}${error.message}\n${error.hint}` };
  }
}

export function runDestroy({ config, env }: DeployTest, ...args: string[]): Promise<RunResult> {
  return runCli(["destroy", "--config", config, ...args], { env });
}

/** Uploads a Worker with the bindings that plans read. */
async function upload(
  api: CloudflareApiServer,
  { settings, secrets, built: { worker: part, fingerprint } }: UploadRequest,
): Promise<void> {
  const { account, domain, controlHost, location, plan } = settings;
  const { name } = part;
  const worker = api.world.workers.get(name);
  const set = Object.entries(secrets).map(([key, text]) => ({ name: key, type: "secret_text", text }));
  const metadata = {
    main_module: "main.js",
    compatibility_date: "2026-11-01",
    bindings: [
      { name: "MESH_NAME", type: "plain_text", text: settings.name },
      { name: "MESH_DOMAIN", type: "plain_text", text: domain ?? "" },
      { name: "CONTROL_HOST", type: "plain_text", text: controlHost ?? "" },
      { name: "REGISTRY_LOCATION", type: "plain_text", text: location },
      registryBinding(part, settings.name),
      ...set,
      ...(secrets.OPERATOR_TOKEN === undefined ? [{ name: "OPERATOR_TOKEN", type: "inherit" }] : []),
    ],
    annotations: { "workers/tag": fingerprint },
    ...(worker === undefined &&
      hasRegistry(part) && {
        migrations: { new_tag: "v1", steps: [{ new_sqlite_classes: ["MeshRegistry"] }] },
      }),
    ...(plan === "paid" && { limits: { cpu_ms: 30_000 } }),
  };
  const form = new FormData();
  form.set("metadata", JSON.stringify(metadata));
  form.set("main.js", new Blob(["export default {};"], { type: "application/javascript+module" }), "main.js");
  const path = `/accounts/${account}/workers/scripts/${name}`;
  const response = await fetch(`${api.url}${path}`, {
    method: "PUT",
    headers: { authorization: `Bearer ${apiToken}` },
    body: form,
  }).catch((error: Error) => error);
  if (response instanceof Response && response.ok) return;
  throw new CliError(
    1,
    `the upload failed: ${response instanceof Error ? response.message : await response.text()}`,
  );
}

function hasRegistry({ role }: MeshWorker): boolean {
  return role === "mesh" || role === "objects";
}

function registryBinding(part: MeshWorker, mesh: string) {
  const binding = { name: "REGISTRY", type: "durable_object_namespace", class_name: "MeshRegistry" };
  return hasRegistry(part) ? binding : { ...binding, script_name: `${mesh}-objects` };
}

async function meshAnswer(
  { world }: CloudflareApiServer,
  url: string,
  { authorization = "" }: Readonly<Record<string, string>>,
  release: string,
): Promise<Response> {
  const { pathname } = new URL(url);
  const worker = world.workers.get("waggle") ?? world.workers.get("waggle-control");
  if (worker === undefined)
    throw new TypeError("fetch failed", { cause: { code: "ENOTFOUND", message: "not found" } });
  if (pathname === "/_ping") return new Response("OK");
  if (!pathname.startsWith("/v1.44/"))
    return Response.json({ message: "no node has joined this mesh yet" }, { status: 503 });
  const { OPERATOR_TOKEN, VIEWER_TOKEN } = worker.secrets;
  const isOperator = authorization === `Bearer ${OPERATOR_TOKEN}`;
  if (!isOperator && authorization !== `Bearer ${VIEWER_TOKEN}`) return new Response("{}", { status: 401 });
  if (pathname === "/v1.44/version") return Response.json({ Version: release });
  if (!isOperator) return new Response("{}", { status: 403 });
  if (pathname === "/v1.44/swarm/unlockkey") return Response.json({ UnlockKey: "" });
  return Response.json({ JoinTokens: { Worker: "SWMTKN-1-abc-def" } });
}
