// A mesh under the rules of Cloudflare's platform: `waggle up --edge`. Each rule is seen from outside, as a client or an
// operator sees it. Rules: docs/spec.md U430 and on.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, expect, test } from "vitest";
import type { MeshPlatformReport } from "../../src/local/local-platform.ts";
import { platformReport, publishWeb } from "../support/edge-mesh.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const meshes: MeshProcess[] = [];
afterAll(async () => {
  for (const mesh of meshes) await mesh.remove();
});

/** Starts a mesh of one node under the rules, which a test then sets one by one. */
async function start(...flags: readonly string[]): Promise<MeshProcess> {
  const quiet = ["--rtt", "0", "--evict-every", "0", "--reset-every", "0", "--seed", "1"];
  const mesh = await MeshProcess.start(["--edge", "--nodes", "1", "--empty", ...quiet, ...flags]);
  meshes.push(mesh);
  return mesh;
}

/** Waits for a report. */
async function reported(mesh: MeshProcess, holds: (report: MeshPlatformReport) => boolean) {
  const report = () => {
    const found = platformReport(mesh);
    return holds(found) ? found : null;
  };
  return await until("the report", report, { withinMs: 30_000 });
}

async function timed(url: string): Promise<number> {
  const began = performance.now();
  const response = await fetch(url);
  expect([response.status, await response.text()]).toEqual([200, expect.any(String)]);
  return performance.now() - began;
}

test("[U430][U431][U436] nodes have names and certificates, are reached directly by TLS, and no fetch is cacheable", async () => {
  const mesh = await start();
  const url = await publishWeb(mesh, 1);
  const nodes = await mesh.waggle("node", "ls");
  expect(nodes.out).toMatch(/node1 .* direct$/m);
  const [node] = await mesh.get<{ Status: { Addr: string } }[]>('/nodes?filters={"name":["node1"]}');
  expect(node?.Status.Addr).toBe("node1.edge.test");
  for (let turn = 0; turn < 5; turn += 1) await timed(url);
  const { network } = await reported(mesh, (report) => report.network.requests >= 5);
  expect([network.cacheable, network.errors]).toEqual([0, {}]);
  const refused = await mesh.waggle("server", "add", "web", "static1", "127.0.0.1:8080");
  expect([refused.code === 0, refused.err]).toEqual([false, expect.stringContaining("1003")]);
});

test("[U437][U440] objects are far away, and an overloaded one refuses requests", async () => {
  const mesh = await start("--rtt", "300", "--object-rate", "20");
  const began = performance.now();
  await mesh.get("/services");
  expect(performance.now() - began).toBeGreaterThanOrEqual(300);
  const statuses = await Promise.all(
    Array.from({ length: 60 }, async () => {
      const headers = { authorization: `Bearer ${mesh.token}` };
      const response = await fetch(`${mesh.control}/services`, { headers });
      return `${response.status} ${await response.text()}`;
    }),
  );
  expect(statuses.filter((text) => text.startsWith("200")).length).toBeGreaterThan(0);
  expect(statuses).toContainEqual(expect.stringMatching(/^503 .*the registry is overloaded/));
  const report = await reported(mesh, ({ overloads }) => overloads > 0);
  expect(report.rows.written).toBeGreaterThan(0);
  expect(report.settings).toMatchObject({ rttMs: 300, requestsPerSecond: 20 });
});

test("[U438] a mesh whose rows of the day are spent goes on to serve, and refuses changes", async () => {
  const mesh = await start("--rows-per-day", "150");
  const url = await publishWeb(mesh, 1);
  const headers = { authorization: `Bearer ${mesh.token}`, "content-type": "application/json" };
  let n = 0;
  await until("a refused change", async () => {
    n += 1;
    const body = JSON.stringify({ Name: `config${n}`, Data: "eA==" });
    return !(await fetch(`${mesh.control}/configs/create`, { method: "POST", headers, body })).ok;
  });
  const { err: refusal } = await mesh.waggle("service", "update", "--detach", "--label-add", "n=1", "web");
  expect(refusal).toContain("until 00:00 UTC (Exceeded allowed rows written");
  for (let turn = 0; turn < 5; turn += 1) await timed(url);
});

test("[U434][U435] requests go to several isolates, which are evicted, and each isolate begins without a table", async () => {
  const mesh = await start("--rtt", "200", "--isolates", "3", "--evict-every", "1s");
  const times: number[] = [];
  const url = await publishWeb(mesh, 1, times);
  await until(
    "isolates to be evicted",
    async () => {
      await timed(url);
      return platformReport(mesh).evictions >= 3;
    },
    { withinMs: 40_000 },
  );
  // The first request of an isolate waits for its table, unless its data center has a copy.
  expect(Math.max(...times)).toBeGreaterThan(200);
});

test("[U441] objects are reset, agents connect again, and no request fails", async () => {
  const mesh = await start("--rtt", "20", "--reset-every", "1s");
  const url = await publishWeb(mesh, 1);
  const failed: number[] = [];
  await until(
    "objects to be reset",
    async () => {
      const response = await fetch(url);
      await response.text();
      if (response.status !== 200) failed.push(response.status);
      return platformReport(mesh).resets >= 6;
    },
    { withinMs: 50_000, everyMs: 20 },
  );
  expect(failed).toEqual([]);
  await until("the node to be ready", async () => /Ready/.test((await mesh.waggle("node", "ls")).out));
});

test("[U432] [X197] a server that is down is a response of the platform, after which GET and POST go on to another", async () => {
  const server = createServer((_, response) => response.end("static"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const mesh = await start("--nodes", "0");
  const published = await freePort();
  const add = await mesh.waggle(
    ...["service", "create", "--detach", "--name", "static", "-p", `${published}:80`, "--replicas", "0"],
    "waggle/whoami",
  );
  expect(add.err).toBe("");
  for (const [name, serverPort] of Object.entries({ up: port, closed1: 1, closed2: 2, closed3: 3 }))
    expect(
      (await mesh.waggle("server", "add", "static", name, `127-0-0-1.edge.test:${serverPort}`)).err,
    ).toBe("");
  const url = `http://127.0.0.1:${published}/`;
  await until("the server to respond", async () => (await fetch(url)).ok, { withinMs: 20_000 });
  // Nothing was sent to a closed one, also if an isolate's first request is a POST.
  for (const method of ["POST", "GET"]) {
    for (let turn = 0; turn < 12; turn += 1) {
      const response = await fetch(url, { method, ...(method === "POST" && { body: "order" }) });
      expect([response.status, await response.text()]).toEqual([200, "static"]);
    }
  }
  const { network } = await reported(mesh, (report) => (report.network.errors["521"] ?? 0) > 0);
  expect(network.errors["521"]).toBeGreaterThan(0);
  server.close();
});

test("[J400][J401] the report has what Cloudflare counts and limits, and the mesh prints it when it stops", async () => {
  const mesh = await start();
  const url = await publishWeb(mesh, 1);
  for (let turn = 0; turn < 20; turn += 1) await timed(url);
  const report = await reported(mesh, ({ requests, heap, objects }) => {
    // Routers report after two seconds, and the registry forwards counters ten seconds later.
    const isCounted = (objects.TELEMETRY?.rows.written ?? 0) > 0;
    return requests >= 20 && heap.isolate > 0 && isCounted;
  });
  expect(report.objectRequests).toBeGreaterThan(0);
  expect(report.cpuMsPerRequest).toBeGreaterThan(0);
  const { REGISTRY, TELEMETRY } = report.objects;
  for (const counts of [REGISTRY, TELEMETRY]) {
    expect(counts?.rows.written).toBeGreaterThan(0);
    expect(counts?.starts.count).toBeGreaterThan(0);
    expect(counts?.activeMs).toBeGreaterThan(0);
    expect(counts?.storedBytes).toBeGreaterThan(4_096);
  }
  expect(REGISTRY?.events.webSocketMessage?.count).toBeGreaterThan(0);
  expect(report.calls["isolate REGISTRY"]).toMatchObject({ replyBytes: expect.any(Number) });
  for (const bytes of Object.values(report.heap)) {
    expect(bytes).toBeGreaterThan(2 ** 20);
    expect(bytes).toBeLessThan(128 * 2 ** 20);
  }
  await mesh.stop();
  for (const word of ["requests", "objects", "rows", "fetch", "heap", "CPU"])
    expect(mesh.output).toMatch(new RegExp(`^  ${word} +\\S`, "m"));
});
