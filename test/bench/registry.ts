// The registry benchmark: operations per second of the registry object through the control API, compared with
// a request that the same Worker handles without the registry.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startChild } from "../../src/local/child.ts";
import type { MeshRuntimeInput, RuntimeReady } from "../../src/local/runtime-child.ts";
import { formatSpread, printRows, spreadOf } from "./report.ts";

const rounds = 7;
const roundMs = 1_000;
const clients = 8;
const token = "bench-operator-token";

type Operation = { readonly name: string; readonly call: () => Promise<Response> };

/** Measures the operations in alternation and prints the results. */
export async function benchRegistry(): Promise<void> {
  const stateDir = mkdtempSync(join(tmpdir(), "waggle-bench-"));
  const input: MeshRuntimeInput = {
    part: "whole",
    stateDir,
    balancerPort: 0,
    platform: null,
    exitAccess: { url: "", secret: "" },
    secrets: { token, viewerToken: token, entryKey: token },
    variables: {},
    nodeAddresses: ["127.0.0.0/8"],
    ownSockets: [],
  };
  const runtime = startChild<RuntimeReady>(
    { module: "runtime-child", name: "bench:runtime", input, logFile: join(stateDir, "log") },
    { onEvent: console.error, onProcess: () => {} },
  );
  try {
    const { controlPort } = await runtime.ready;
    const operations = operationsOf(`http://127.0.0.1:${controlPort}`);
    const perSecond = new Map(operations.map(({ name }) => [name, [] as number[]]));
    for (let round = 0; round < rounds; round++) {
      for (const operation of operations)
        perSecond.get(operation.name)?.push(await callsPerSecond(operation));
    }
    const [baseline] = [...perSecond.values()];
    const base = spreadOf(baseline ?? []);
    printRows(`Registry: ${clients} clients, ${rounds} rounds: median (minimum–maximum)`, [
      ["operation", "per second", "× the baseline"],
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

function operationsOf(control: string): readonly Operation[] {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const get = (path: string) => () => fetch(control + path, { headers });
  const post = (path: string, body: unknown) =>
    fetch(control + path, { method: "POST", headers, body: JSON.stringify(body) });
  let created = 0;
  return [
    { name: "GET /mesh/health: the Worker alone (baseline)", call: get("/mesh/health") },
    { name: "GET /mesh/table, nothing newer", call: get("/mesh/table?after=1000000") },
    { name: "GET /services", call: get("/v1.44/services") },
    {
      name: "create and remove a service (two writes)",
      call: async () => {
        const name = `bench${created++}`;
        const spec = {
          Name: name,
          TaskTemplate: { ContainerSpec: { Image: "waggle/whoami" } },
          Mode: { Replicated: { Replicas: 1 } },
        };
        const response = await post("/v1.44/services/create", spec);
        await response.arrayBuffer();
        if (response.status !== 201) return response;
        return fetch(`${control}/v1.44/services/${name}`, { method: "DELETE", headers });
      },
    },
  ];
}

/** Calls per second over one round. Throws if a response has status 400 or more. */
async function callsPerSecond({ name, call }: Operation): Promise<number> {
  const startedMs = performance.now();
  let calls = 0;
  await Promise.all(
    Array.from({ length: clients }, async () => {
      while (performance.now() - startedMs < roundMs) {
        const response = await call();
        await response.arrayBuffer();
        if (response.status >= 400) throw new Error(`${name}: ${response.status}`);
        calls++;
      }
    }),
  );
  return (calls / (performance.now() - startedMs)) * 1_000;
}
