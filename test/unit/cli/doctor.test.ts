// `waggle doctor`: its checks, and what it says to do.

import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { locationFinding, readDeployConfig, wranglerReason } from "../../../src/cli/doctor/deploy.ts";
import type { Finding } from "../../../src/cli/doctor/finding.ts";
import {
  descriptorFinding,
  clockFinding as machineClock,
  memoryFinding,
  nodeFinding,
} from "../../../src/cli/doctor/machine.ts";
import { clockFinding, versionFinding } from "../../../src/cli/doctor/mesh.ts";
import { accountId, apiToken, emptyWorld, startCloudflareApi } from "../../support/cloudflare-api/server.ts";
import { fakeMesh, nowMs, type Routes, runCli, runOn } from "./support.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "waggle-doctor-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const table = "waggle-table 3\nversion 0\ndefault -\nkey -\n";

const status = {
  mesh: { id: "m", name: "waggle", createdAtMs: 1, tableVersion: 1 },
  nowMs,
  nodes: [],
  services: [],
  problems: [{ what: "service web", why: "0 of 1 task running", next: "Add a node.", sinceMs: null }],
};

const routes: Routes = {
  "GET /version": { json: { Version: "0.1.0", ApiVersion: "1.44" } },
  "GET /swarm": { json: { JoinTokens: { Worker: "w", Manager: "m" } } },
  "GET /mesh/status": { json: status },
  "GET /mesh/table": { text: table },
};

async function findings(args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const { code, out, err } = await runCli(["doctor", "--json", ...args], {
    env: { XDG_CONFIG_HOME: folder, ...env },
  });
  const { ok, findings } = JSON.parse(out) as { ok: boolean; findings: readonly Finding[] };
  return {
    code,
    err,
    ok,
    of: (check: string) => findings.find((finding) => finding.check === check),
    findings,
  };
}

test.each([
  [nodeFinding("22.17.1"), "fail"],
  [nodeFinding("22.18.0"), "ok"],
  [nodeFinding("24.1.0"), "ok"],
  [nodeFinding("18.20.0"), "fail"],
  [descriptorFinding(1_024), "warn"],
  [descriptorFinding(null), "ok"],
  [memoryFinding(2 ** 31, 2 ** 28), "warn"],
  [memoryFinding(2 ** 34, 2 ** 33), "ok"],
  [machineClock(Date.UTC(2000, 0, 1)), "fail"],
  [machineClock(nowMs), "ok"],
  [clockFinding(400), "ok"],
  [clockFinding(-7_000), "fail"],
  [versionFinding("1.0", "1.0", [{ name: "a", engineVersion: "1.0" }]), "ok"],
  [versionFinding("1.0", "1.1", []), "warn"],
  [versionFinding("1.0", "1.0", [{ name: "a", engineVersion: "0.9" }]), "warn"],
  [locationFinding("weur"), "ok"],
  [locationFinding(""), "warn"],
  [locationFinding("europe"), "fail"],
])("[L112] %j is %s, and says what to do unless it is ok", (finding, result) => {
  expect(finding.result).toBe(result);
  expect(finding.next !== "").toBe(result !== "ok");
});

test("[L112] a machine: workerd runs, and the state folder is for its owner only", async () => {
  mkdirSync(join(folder, "state"), { mode: 0o700 });
  const before = await findings(["machine", "--state", join(folder, "state")]);
  expect(before.of("workerd")).toMatchObject({ result: "ok", detail: expect.stringContaining("workerd") });
  expect(before.of("state folder")).toMatchObject({ result: "ok" });
  chmodSync(join(folder, "state"), 0o755);
  const after = await findings(["machine", "--state", join(folder, "state")]);
  expect(after.of("state folder")).toMatchObject({
    result: "fail",
    next: expect.stringContaining("chmod 700"),
  });
  expect([after.code, after.ok, after.err]).toEqual([
    1,
    false,
    expect.stringMatching(/^waggle: \d+ of \d+ checks failed\n/),
  ]);
});

test("[L112] a port of another process is a failure with the flag that chooses another", async () => {
  const server = createServer();
  const isFree = await new Promise((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(7946, "127.0.0.1", () => resolve(true));
  });
  const { of } = await findings(["machine", "--state", folder]);
  // Another process has the port, which is what this checks as well.
  if (isFree) server.close();
  expect(of("port 7946")).toMatchObject({
    result: "fail",
    next: expect.stringContaining("--gateway-port N"),
  });
});

test("[L112] a Docker host that does not respond is a warning", async () => {
  const { of } = await findings(["machine", "--state", folder], {
    DOCKER_HOST: `unix://${folder}/none.sock`,
  });
  expect(of("Docker")).toMatchObject({ result: "warn", detail: expect.stringContaining("ENOENT") });
});

test("[U585] a Docker host that is the mesh itself is not taken for a daemon that does not run", async () => {
  await using mesh = await fakeMesh({ "GET /version": { status: 401, json: { message: "no token" } } });
  const { of } = await findings(["machine", "--state", folder], {
    DOCKER_HOST: mesh.url.replace("http:", "tcp:"),
  });
  expect(of("Docker")).toMatchObject({
    result: "warn",
    detail: expect.stringContaining("which is no Docker daemon"),
    next: expect.stringContaining("If it is the mesh"),
  });
});

test("[L112] a mesh: reachable, role, clock, releases, keys and each problem with its next step", async () => {
  await using mesh = await fakeMesh(routes);
  const { code, out } = await runOn(mesh, ["doctor", "mesh"]);
  expect(code).toBe(1);
  expect(out).toContain(`ok    reachable    ${mesh.url}, from WAGGLE_HOST`);
  expect(out).toContain("ok    token        of an operator");
  expect(out).toMatch(/FAIL {2}service web {2}0 of 1 task running\n +-> Add a node\.\n/);
});

test("[L112] a wrong token, an unreachable mesh and no mesh", async () => {
  await using mesh = await fakeMesh({ "GET /version": { status: 401, json: { message: "wrong token" } } });
  const refused = await findings(["mesh", "--host", mesh.url]);
  expect([refused.code, refused.of("token")?.result]).toEqual([1, "fail"]);
  const away = await findings(["mesh", "--host", "http://127.0.0.1:1"]);
  expect([away.code, away.of("reachable")?.result]).toEqual([1, "fail"]);
  const missing = await findings(["mesh", "--state", join(folder, "none")]);
  expect([missing.code, missing.of("mesh")?.result]).toEqual([1, "fail"]);
  // Before the first `waggle up` a machine has no mesh.
  expect((await findings(["--state", join(folder, "none")])).of("mesh")?.result).toBe("skip");
});

test("[L112] a deployment: configuration, credentials, account, location and secrets", async () => {
  const config = join(folder, "wrangler.toml");
  const none = await findings(["deploy", "--config", config], { HOME: folder });
  expect([none.code, none.of("configuration")?.next]).toEqual([1, expect.stringContaining("--config FILE")]);
  writeFileSync(
    config,
    'name = "waggle"\naccount_id = "12"\n# REGISTRY_LOCATION = "weur"\n[vars]\nREGISTRY_LOCATION = "moon"\n[secrets]\nrequired = ["OPERATOR_TOKEN"]\n',
  );
  const { of } = await findings(["deploy", "--config", config], { HOME: folder });
  expect(of("configuration")?.result).toBe("ok");
  expect(of("credentials")).toMatchObject({
    result: "fail",
    next: expect.stringContaining("wrangler login"),
  });
  expect(of("account")).toMatchObject({ result: "fail" });
  expect(of("location")).toMatchObject({ result: "fail", next: expect.stringContaining("weur") });
  expect(of("secret OPERATOR_TOKEN")).toMatchObject({
    result: "skip",
    next: `Run npx wrangler secret put OPERATOR_TOKEN --config ${config}.`,
  });
});

test("[L112] the project's own wrangler.toml is read", async () => {
  const { readFileSync } = await import("node:fs");
  const text = readFileSync(new URL("../../../wrangler.toml", import.meta.url), "utf8");
  expect(readDeployConfig(text)).toEqual({
    name: "waggle",
    accountId: null,
    location: "",
    secrets: ["OPERATOR_TOKEN"],
  });
});

test("[L202] with credentials wrangler lists the Worker's secrets, or the account has no such Worker yet", {
  timeout: 60_000,
}, async () => {
  await using api = await startCloudflareApi(emptyWorld());
  const config = join(folder, "wrangler.toml");
  writeFileSync(config, 'name = "mine"\n[secrets]\nrequired = ["OPERATOR_TOKEN", "VIEWER_TOKEN"]\n');
  const env = {
    PATH: process.env.PATH ?? "",
    HOME: folder,
    CLOUDFLARE_API_TOKEN: apiToken,
    CLOUDFLARE_API_BASE_URL: api.url,
    CLOUDFLARE_ACCOUNT_ID: accountId,
  };
  const first = await findings(["deploy", "--config", config], env);
  expect(first.of("secret OPERATOR_TOKEN")).toMatchObject({
    result: "fail",
    detail: "the account has no Worker mine yet",
  });
  api.world.workers.set("mine", {
    metadata: { main_module: "m", bindings: [], compatibility_date: "2026-11-01", compatibility_flags: [] },
    modules: {},
    secrets: { OPERATOR_TOKEN: "a" },
    migrationTag: null,
    isOnWorkersDev: false,
    uploads: 1,
    tags: { v1: undefined },
    served: "v1",
    version: null,
  });
  const { code, of } = await findings(["deploy", "--config", config], env);
  expect([code, of("secret OPERATOR_TOKEN")?.detail, of("secret VIEWER_TOKEN")?.detail]).toEqual([
    1,
    "set",
    "not set",
  ]);
});

test.each([
  [
    "\n✘ [ERROR] A request to the Cloudflare API failed.\n\n  Authentication error [code: 10000]\n\nLogs: x",
    "Authentication error [code: 10000]",
  ],
  ["✘ [ERROR] fetch failed\n\n🪵  Logs were written to x\n", "fetch failed"],
  ["", "wrangler printed nothing"],
])("[L202] of what wrangler prints, doctor shows the reason", (output, reason) => {
  expect(wranglerReason(output)).toBe(reason);
});
