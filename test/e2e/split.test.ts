// A mesh in two processes: what its data plane does while the registry's is gone.

import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

let mesh: MeshProcess;
let port: number;

beforeAll(async () => {
  mesh = await MeshProcess.start(["--empty", "--split", "--nodes", "2"]);
  port = await freePort();
  const flags = ["--name", "my-web", "-p", `${port}:80`, "--replicas", "2"];
  const made = await mesh.waggle("service", "create", ...flags, "waggle/whoami");
  expect(made, made.err).toMatchObject({ code: 0 });
});

afterAll(() => mesh?.remove());

function get(more: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close", ...more } });
}

/** Ends the registry's workerd, and holds what would start it anew; returns what lets it. */
function killRegistry(): () => void {
  const starter = mesh.runtimePid("runtime");
  const pids = mesh.workerdPids("runtime");
  process.kill(starter, "SIGSTOP");
  for (const pid of pids) process.kill(pid, "SIGKILL");
  return () => void process.kill(starter, "SIGCONT");
}

test("[Y31] traffic goes on while the registry is gone and says how old the table is, and follows the mesh once it is back", async () => {
  const debug = { "x-waggle-debug": "1", "x-waggle-token": mesh.token };
  const ageMs = async () => Number((await get(debug)).headers.get("x-waggle-table-age-ms"));
  expect((await get()).status).toBe(200);
  const restart = killRegistry();
  try {
    await until("the table to grow old", async () => (await ageMs()) > 4_000, { withinMs: 15_000 });
    for (let turn = 0; turn < 20; turn += 1) expect((await get()).status).toBe(200);
    expect((await get(debug)).headers.get("x-waggle-table-problem")).not.toBeNull();
  } finally {
    restart();
  }
  await until("the table to be renewed", async () => (await ageMs()) < 2_000, { withinMs: 15_000 });
  const scaled = await mesh.waggle("service", "scale", "my-web=3");
  expect(scaled, scaled.err).toMatchObject({ code: 0 });
  const slots = new Set<string>();
  await until("the new task to take its turn", async () => {
    slots.add(/^slot: (\d)/m.exec(await (await get()).text())?.[1] ?? "");
    return slots.size === 3;
  });
});

test("[Y31] an isolate that has no table yet while the registry is gone is 503 with the reason, and serves once it is back", async () => {
  const restart = killRegistry();
  try {
    for (const pid of mesh.workerdPids("traffic")) process.kill(pid, "SIGKILL");
    const answer = await until("the new isolate to answer", async () => {
      const response = await get().catch(() => null);
      return response?.status === 503 ? response : false;
    });
    expect(answer.headers.get("retry-after")).toBe("1");
    expect(await answer.text()).toContain("the registry has not given a routing table yet");
  } finally {
    restart();
  }
  await until("it to serve", async () => (await get()).status === 200, { withinMs: 15_000 });
});
