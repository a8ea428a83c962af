// `waggle deploy` with wrangler itself, which uploads the Workers to the stand-in for Cloudflare's API. The mesh that
// is checked after that is made of the uploaded Workers, in workerd.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Cli } from "../../src/cli/cli.ts";
import { type DeployTools, deploy } from "../../src/cli/deploy/run.ts";
import { uploadWorker, withBuiltWorkers } from "../../src/cli/deploy/wrangler.ts";
import type { CliError } from "../../src/cli/errors.ts";
import { packageFolder } from "../../src/package/program-files.ts";
import {
  apiToken,
  type CloudflareApiServer,
  emptyWorld,
  startCloudflareApi,
} from "../support/cloudflare-api/server.ts";
import { type RunningWorkers, runUploadedWorkers } from "../support/cloudflare-api/uploaded-worker.ts";

/** Wrangler bundles the Workers each time. */
const uploadTimeoutMs = 240_000;

type DeployRun = {
  readonly api: CloudflareApiServer;
  readonly deploy: (flags: Partial<Parameters<typeof deploy>[1]>) => Promise<string>;
};

/** Runs deployments whose mesh is made of the Workers that the first one uploaded. */
async function withDeployments(use: (run: DeployRun) => Promise<void>): Promise<void> {
  await using api = await startCloudflareApi({ ...emptyWorld(), plan: "free" });
  const folder = mkdtempSync(join(tmpdir(), "waggle-deploy-test-"));
  let out = "";
  const cli: Cli = {
    out: { write: (text) => (out += text) },
    err: { write: () => true },
    env: {
      PATH: process.env.PATH,
      HOME: folder,
      CLOUDFLARE_API_TOKEN: apiToken,
      CLOUDFLARE_API_BASE_URL: api.url,
      // As in a build of Cloudflare's, which sets the name of the Worker that it belongs to.
      WRANGLER_CI_OVERRIDE_NAME: "of-the-build",
      CLOUDFLARE_ENV: "staging",
    },
    nowMs: () => Date.now(),
    random: () => 0,
    sleep: async () => {},
    onInterrupt: () => new AbortController().signal,
  };
  let running: RunningWorkers | null = null;
  const tools: DeployTools = {
    withBuilt: (settings, work) => withBuiltWorkers(cli, settings, work),
    upload: (request) => uploadWorker(cli, request),
    callMesh: async (url, headers) => {
      running ??= await runUploadedWorkers(api.world.workers);
      return running.fetch(workerAt(api, url), url, headers);
    },
  };
  const flags = {
    config: join(folder, "waggle.deploy.json"),
    yes: true,
    zone: "example.com",
    location: "weur",
    wait: 0,
  } as const;
  try {
    await use({
      api,
      deploy: async (more) => {
        out = "";
        await deploy(cli, { ...flags, ...more }, tools);
        return out;
      },
    });
  } finally {
    await (running as RunningWorkers | null)?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The Worker of the most specific route for a URL. */
function workerAt({ world }: CloudflareApiServer, url: string): string {
  const { hostname } = new URL(url);
  const [route] = (world.zones[0]?.routes ?? [])
    .filter(({ pattern }) => {
      const host = pattern.replace("/*", "");
      return host.startsWith("*") ? hostname.endsWith(host.slice(1)) : hostname === host;
    })
    .toSorted((a, b) => b.pattern.length - a.pattern.length);
  if (route?.script === undefined) throw new Error(`no route leads from ${hostname} to a Worker`);
  return route.script;
}

test("[L155] wrangler uploads the Worker with its secrets, the mesh answers, and an upgrade keeps them, also one after an upgrade that failed", {
  timeout: uploadTimeoutMs,
}, async () => {
  await withDeployments(async ({ api, deploy: run }) => {
    const single = { form: "single" } as const;
    const refusal = await run({ ...single, plan: "paid" }).catch((error: CliError) => error.message);
    expect(refusal).toContain("the account is on Workers Free");
    const out = await run({ ...single, plan: "free" });
    const worker = api.world.workers.get("waggle");
    expect(worker?.isOnWorkersDev).toBe(false);
    expect(out).toContain(worker?.secrets.OPERATOR_TOKEN);
    expect(out).toMatch(/waggle agent --join SWMTKN-1-\S+ https:\/\/waggle\.example\.com\n/);
    expect(out).toContain("checked: the certificate, the control API, the registry and the edge");
    const old = worker?.secrets;
    // Of another release.
    if (worker !== undefined) worker.tags = { v1: "another" };
    api.fault = (_, { method, path }) => (method === "POST" && path.endsWith("/deployments") ? "lose" : null);
    const lost = await run({}).catch((error: CliError) => error);
    expect(lost).toMatchObject({ message: "wrangler deploy ended with 1" });
    api.fault = () => null;
    // Done without an answer: the next run finds the Worker as it should be.
    expect(await run({})).toContain("keep    Worker waggle: unchanged");
    expect(api.world.workers.get("waggle")).toMatchObject({ uploads: 2, secrets: old, migrationTag: "v4" });
  });
});

test("[L188] wrangler uploads the four Workers of the split form, which are one mesh, and again only one that was changed", {
  timeout: uploadTimeoutMs,
}, async () => {
  await withDeployments(async ({ api, deploy: run }) => {
    const out = await run({ plan: "free" });
    expect(out).toContain("checked: the certificate, the control API, the registry and the edge");
    const { workers } = api.world;
    const uploads = () => [...workers].map(([name, worker]) => `${name} ${worker.uploads}`);
    expect(uploads()).toEqual(["waggle-objects 1", "waggle-control 1", "waggle-edge 1", "waggle-ingress 1"]);
    for (const { isOnWorkersDev, secrets } of workers.values()) {
      expect(isOnWorkersDev).toBe(false);
      expect(secrets).toEqual(workers.get("waggle-objects")?.secrets);
    }
    // A change of the dashboard does not change the objects.
    const codeOf = (name: string) => Object.values(workers.get(name)?.modules ?? {}).join("");
    // Equal wherever it was built.
    for (const name of workers.keys())
      expect(codeOf(name).includes(packageFolder.slice(1)), name).toBe(false);
    expect(codeOf("waggle-control")).toContain("src/dashboard/");
    for (const role of ["objects", "edge", "ingress"])
      expect(codeOf(`waggle-${role}`)).not.toContain("src/dashboard/");
    const control = workers.get("waggle-control");
    if (control !== undefined) control.tags = { v1: "another" };
    const again = await run({});
    expect(again).toContain("deploy  Worker waggle-control, this release\n");
    expect(again).toContain("note: the registry keeps running: agents stay connected\n");
    expect(uploads()).toEqual(["waggle-objects 1", "waggle-control 2", "waggle-edge 1", "waggle-ingress 1"]);
  });
});
