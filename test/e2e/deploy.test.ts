// `waggle deploy` with wrangler itself, which uploads the Worker to the stand-in for Cloudflare's API. The mesh that
// is checked after that is the uploaded Worker, in workerd.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import type { Cli } from "../../src/cli/cli.ts";
import { deploy } from "../../src/cli/deploy/run.ts";
import { uploadWorker } from "../../src/cli/deploy/wrangler.ts";
import type { CliError } from "../../src/cli/errors.ts";
import { apiToken, emptyWorld, startCloudflareApi } from "../support/cloudflare-api/server.ts";
import { type RunningWorker, runUploadedWorker } from "../support/cloudflare-api/uploaded-worker.ts";

/** Wrangler bundles the Worker each time. */
const uploadTimeoutMs = 240_000;

test("[L155] wrangler uploads the Worker with its secrets, the mesh answers, and an upgrade keeps them, also one after an upgrade that failed", {
  timeout: uploadTimeoutMs,
}, async () => {
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
    },
    nowMs: () => Date.now(),
    random: () => 0,
    sleep: async () => {},
    onInterrupt: () => new AbortController().signal,
  };
  let running: RunningWorker | null = null;
  const tools = {
    upload: (request: Parameters<typeof uploadWorker>[1]) => uploadWorker(cli, request),
    callMesh: async (url: string, headers: Readonly<Record<string, string>>) => {
      const worker = api.world.workers.get("waggle");
      if (worker === undefined) throw new Error("there is no Worker");
      running ??= await runUploadedWorker(worker);
      return running.fetch(url, headers);
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
    const refusal = await deploy(cli, { ...flags, plan: "paid" }, tools).catch(
      (error: CliError) => error.message,
    );
    expect(refusal).toContain("the account is on Workers Free");
    await deploy(cli, { ...flags, plan: "free" }, tools);
    const worker = api.world.workers.get("waggle");
    expect(worker?.isOnWorkersDev).toBe(false);
    expect(out).toContain(worker?.secrets.OPERATOR_TOKEN);
    expect(out).toMatch(/waggle agent --join SWMTKN-1-\S+ https:\/\/waggle\.example\.com\n/);
    expect(out).toContain("checked: the certificate, the control API, the registry and the edge");
    const old = worker?.secrets;
    api.fault = (_, { method, path }) => (method === "POST" && path.endsWith("/deployments") ? "lose" : null);
    const lost = await deploy(cli, flags, tools).catch((error: CliError) => error);
    expect(lost).toMatchObject({ message: "wrangler deploy ended with 1" });
    api.fault = () => null;
    out = "";
    await deploy(cli, flags, tools);
    expect(api.world.workers.get("waggle")).toMatchObject({ uploads: 3, secrets: old, migrationTag: "v4" });
    expect(out).toContain("update the agents");
  } finally {
    await (running as RunningWorker | null)?.stop();
    rmSync(folder, { recursive: true, force: true });
  }
});
