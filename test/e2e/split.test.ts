// A split mesh: the data plane while the process of the registry is down.

import { afterAll, beforeAll, expect, test } from "vitest";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

let mesh: MeshProcess;
let port: number;

beforeAll(async () => {
  mesh = await MeshProcess.start(["--empty", "--split", "--nodes", "2"]);
  port = await freePort();
  const flags = ["--name", "my-web", "-p", `${port}:80`, "--replicas", "2"];
  const created = await mesh.waggle("service", "create", ...flags, "waggle/whoami");
  expect(created, created.err).toMatchObject({ code: 0 });
});

afterAll(() => mesh?.remove());

function get(headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`http://127.0.0.1:${port}/`, { headers: { connection: "close", ...headers } });
}

/** Kills the registry's workerd and prevents its restart, until the returned function is called. */
function killRegistry(): () => void {
  const runtime = mesh.runtimePid("runtime");
  const pids = mesh.workerdPids("runtime");
  process.kill(runtime, "SIGSTOP");
  for (const pid of pids) process.kill(pid, "SIGKILL");
  return () => void process.kill(runtime, "SIGCONT");
}

test("[Y31] without the registry, traffic continues with the age of the table, and later follows the mesh again", async () => {
  const debug = { "x-waggle-debug": "1", "x-waggle-token": mesh.token };
  const ageMs = async () => Number((await get(debug)).headers.get("x-waggle-table-age-ms"));
  expect((await get()).status).toBe(200);
  const restart = killRegistry();
  try {
    await until("the table to grow old", async () => (await ageMs()) > 4_000, { withinMs: 15_000 });
    for (let turn = 0; turn < 20; turn += 1) expect((await get()).status).toBe(200);
    const problem = async () => (await get(debug)).headers.get("x-waggle-table-problem");
    await until("the problem to be reported", async () => (await problem()) !== null);
  } finally {
    restart();
  }
  await until("a fresh table", async () => (await ageMs()) < 2_000, { withinMs: 15_000 });
  const scaled = await mesh.waggle("service", "scale", "my-web=3");
  expect(scaled, scaled.err).toMatchObject({ code: 0 });
  const slots = new Set<string>();
  await until("a response of the new task", async () => {
    slots.add(/^slot: (\d)/m.exec(await (await get()).text())?.[1] ?? "");
    return slots.size === 3;
  });
});

test("[U123] without the registry, a new data plane routes by the table of the mesh's process", async () => {
  const restart = killRegistry();
  try {
    const killed = mesh.workerdPids("traffic");
    for (const pid of killed) process.kill(pid, "SIGKILL");
    await until("the end of the old one", () =>
      killed.every((pid) => !mesh.workerdPids("traffic").includes(pid)),
    );
    await until("a served request", async () => (await get()).status === 200, { withinMs: 15_000 });
    const debug = { "x-waggle-debug": "1", "x-waggle-token": mesh.token };
    expect((await get(debug)).headers.get("x-waggle-table-problem")).not.toBeNull();
  } finally {
    restart();
  }
});
