// The registry object in workerd, asked through the control API on one machine: how many operations a second it does,
// against the cheapest answer the same Worker gives without asking it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "../../src/local/child.ts";
import type { RuntimeInput, RuntimeReady } from "../../src/local/runtime-child.ts";
import { formatSpread, printRows, spreadOf } from "./report.ts";

const rounds = 7;
const roundMs = 1_000;
const clients = 8;
const token = "bench-operator-token";

type Operation = { readonly name: string; readonly call: () => Promise<Response> };

/** Runs the operations by turns and prints them. */
export async function benchRegistry(): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), "waggle-bench-"));
  const input: RuntimeInput = {
    part: "whole",
    stateDir,
    balancerPort: 0,
    secrets: { token, viewerToken: token, entryKey: token },
  };
  const runtime = await startChild<RuntimeReady>(
    "./runtime-child.ts",
    "bench:runtime",
    input,
    join(stateDir, "log"),
  );
  try {
    const ways = await operations(`http://127.0.0.1:${runtime.ready.controlPort}`);
    const perSecond = new Map(ways.map(({ name }) => [name, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      for (const way of ways) perSecond.get(way.name)?.push(await callsPerSecond(way));
    }
    const [baseline] = [...perSecond.values()];
    const base = spreadOf(baseline ?? []);
    printRows(`Registry: operations a second, ${clients} clients, median (min–max) of ${rounds} rounds`, [
      ["operation", "a second", "x of the baseline"],
      ...[...perSecond].map(([name, values]) => [
        name,
        formatSpread(spreadOf(values)),
        (spreadOf(values).median / base.median).toFixed(2),
      ]),
    ]);
  } finally {
    runtime.process.kill("SIGTERM");
    await runtime.exited;
    rmSync(stateDir, { recursive: true, force: true });
  }
}

async function operations(control: string): Promise<readonly Operation[]> {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const get = (path: string) => () => fetch(control + path, { headers });
  const post = (path: string, body: unknown) =>
    fetch(control + path, { method: "POST", headers, body: JSON.stringify(body) });
  let made = 0;
  return [
    { name: "GET /mesh/health: the Worker alone (baseline)", call: get("/mesh/health") },
    { name: "GET /mesh/table, nothing newer", call: get("/mesh/table?after=1000000") },
    { name: "GET /services", call: get("/v1.44/services") },
    {
      name: "create and remove a service (two writes)",
      call: async () => {
        const name = `bench${made++}`;
        const spec = {
          Name: name,
          TaskTemplate: { ContainerSpec: { Image: "waggle/whoami" } },
          Mode: { Replicated: { Replicas: 1 } },
        };
        const created = await post("/v1.44/services/create", spec);
        await created.arrayBuffer();
        if (created.status !== 201) return created;
        return fetch(`${control}/v1.44/services/${name}`, { method: "DELETE", headers });
      },
    },
  ];
}

/** Calls a second over one round; an answer of 400 or more is a fault of the benchmark. */
async function callsPerSecond({ name, call }: Operation): Promise<number> {
  const startedMs = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() - startedMs < roundMs) {
        const answer = await call();
        await answer.arrayBuffer();
        if (answer.status >= 400) throw new Error(`${name}: ${answer.status}`);
        done++;
      }
    }),
  );
  return (done / (performance.now() - startedMs)) * 1_000;
}
