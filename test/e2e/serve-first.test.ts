// Isolates that were quiet, or start, with the registry far away: `waggle up --edge`.

import { afterAll, expect, test } from "vitest";
import { SealedCopies } from "../../src/proxy/routing/sealed-copy.ts";
import { platformReport, publishWeb } from "../support/edge-mesh.ts";
import { MeshProcess } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const meshes: MeshProcess[] = [];
afterAll(async () => {
  for (const mesh of meshes) await mesh.remove();
});

async function start(...flags: readonly string[]): Promise<MeshProcess> {
  const quiet = ["--evict-every", "0", "--reset-every", "0", "--seed", "1", "--empty"];
  const mesh = await MeshProcess.start(["--edge", ...quiet, ...flags]);
  meshes.push(mesh);
  return mesh;
}

async function run(mesh: MeshProcess, ...command: readonly string[]): Promise<string> {
  const { code, out, err } = await mesh.waggle(...command);
  expect([command.join(" "), code, err]).toEqual([command.join(" "), 0, err]);
  return out;
}

function evictions(mesh: MeshProcess): number {
  try {
    return platformReport(mesh).evictions;
  } catch {
    return 0;
  }
}

test("[X183] an isolate that starts routes by the copy of its data center before the registry responds, and the copy is public nowhere", async () => {
  const rttMs = 2_500;
  const mesh = await start("--nodes", "1", "--rtt", String(rttMs), "--isolates", "1", "--evict-every", "3s");
  const url = await publishWeb(mesh, 1);
  const before = evictions(mesh);
  const headers = { "x-waggle-debug": "1", "x-waggle-token": mesh.token };
  let slowest = 0;
  await until(
    "three evictions",
    async () => {
      const began = performance.now();
      const response = await fetch(url, { headers });
      expect(response.status).toBe(200);
      expect(response.headers.get("x-waggle-table-version")).not.toBeNull();
      await response.text();
      slowest = Math.max(slowest, performance.now() - began);
      return evictions(mesh) >= before + 3;
    },
    { withinMs: 60_000 },
  );
  expect(slowest).toBeLessThan(rttMs);
  let address = "";
  const store = {
    get: async (at: string) => {
      address = at;
      return null;
    },
    put: async () => undefined,
  };
  await new SealedCopies(store, mesh.token, "waggle").read();
  const response = await fetch(`${url}.well-known/waggle/${address}`);
  expect(response.headers.get("x-waggle-as-of")).toBeNull();
  expect(await response.text()).toMatch(/^hostname: /);
}, 180_000);

test("[X184] no request of a quiet isolate fails while tasks move, by whatever method", async () => {
  const mesh = await start("--nodes", "3", "--rtt", "150", "--isolates", "6");
  const url = await publishWeb(mesh, 4);
  const failures: string[] = [];
  let isMoving = true;
  const send = async (method: string, turn: number): Promise<void> => {
    const body = method === "POST" ? { body: `order ${turn}` } : {};
    const response = await fetch(url, { method, ...body }).catch((error: unknown) => String(error));
    if (typeof response === "string") failures.push(`${method} ${response}`);
    else {
      const text = await response.text();
      if (response.status !== 200) failures.push(`${method} ${response.status} ${text.slice(0, 200)}`);
    }
  };
  const load = (async () => {
    for (let turn = 0; isMoving; turn += 1) {
      await send(["GET", "POST", "PUT"][turn % 3] ?? "GET", turn);
      // Six isolates share three requests a second: none is busy.
      await new Promise((resolve) => setTimeout(resolve, 330));
    }
  })();
  const running = async (count: number, nodes = 3) => {
    const tasks = await mesh.get<{ Status: { State: string }; NodeID: string; DesiredState: string }[]>(
      '/tasks?filters={"desired-state":["running"]}',
    );
    const live = tasks.filter(({ Status }) => Status.State === "running");
    return live.length === count && new Set(live.map(({ NodeID }) => NodeID)).size <= nodes;
  };
  const settled = (what: string, count: number, nodes?: number) =>
    until(what, () => running(count, nodes), { withinMs: 60_000 });
  await run(mesh, "service", "scale", "--detach", "web=2");
  await settled("two tasks", 2);
  await run(mesh, "service", "update", "--force", "--detach", "web");
  await run(mesh, "service", "scale", "--detach", "web=5");
  await settled("five tasks", 5);
  await run(mesh, "node", "update", "--availability", "drain", "node2");
  await settled("five tasks on two nodes", 5, 2);
  await run(mesh, "node", "update", "--availability", "active", "node2");
  await run(mesh, "service", "update", "--env-add", "STEP=1", "web");
  await settled("five tasks of the new spec", 5);
  isMoving = false;
  await load;
  expect(failures).toEqual([]);
}, 240_000);
