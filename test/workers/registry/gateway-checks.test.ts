// Checks of gateways in workerd, against a real gateway in the process of Vitest.

import { env } from "cloudflare:workers";
import { createHmac } from "node:crypto";
import { expect, inject, test } from "vitest";
import type { MeshNode } from "../../../src/domain/model/node.ts";
import { nodeKeyText } from "../../../src/gateway/attempt.ts";
import type { Assignment, SentNodeKey } from "../../../src/protocol/agent.ts";
import { GatewayChecks } from "../../../workers/gateway-checks.ts";
import { gatewayDialerOf } from "../../../workers/plane.ts";
import type { GatewayPorts } from "../../support/gateway-ports.ts";
import { until } from "../../support/until.ts";

const ports: GatewayPorts = inject("gatewayPorts");
const key = { id: "k1", secret: "a secret of the mesh" };
const nodeId = "1".repeat(25);
let meshCount = 0;

async function setKeys(keys: readonly SentNodeKey[]): Promise<void> {
  await fetch(`http://127.0.0.1:${ports.keys}/`, { method: "PUT", body: JSON.stringify(keys) });
}

function keyOf(secret: string, id = nodeId): SentNodeKey {
  return { id: key.id, key: createHmac("sha256", secret).update(nodeKeyText(id)).digest("base64url") };
}

function checkOf(port: number, id = nodeId) {
  return { nodeId: id, transport: "direct", url: `http://127.0.0.1:${port}`, key } as const;
}

function newChecks(): GatewayChecks {
  return new GatewayChecks(gatewayDialerOf(env));
}

test("[O104] a check succeeds at the node's own gateway, and at no other server", async () => {
  await setKeys([keyOf(key.secret)]);
  const checks = newChecks();
  const problems = await Promise.all([
    checks.run(checkOf(ports.gateway)),
    checks.run(checkOf(ports.other)),
    checks.run(checkOf(ports.gateway, "2".repeat(25))),
    checks.run(checkOf(9)),
  ]);
  const elsewhere = (port: number, status: number) =>
    `not the node's gateway, something else answers at http://127.0.0.1:${port} (status ${status}): check --address and --gateway-port of its agent`;
  expect(problems).toEqual([
    "",
    elsewhere(ports.other, 200),
    elsewhere(ports.gateway, 403),
    "no answer from http://127.0.0.1:9: open TCP port 9 of the node for the mesh",
  ]);
});

test("[O104] a gateway that does not answer is given up after 3 s", async () => {
  const startMs = Date.now();
  expect(await newChecks().run(checkOf(ports.silent))).toContain("no answer from");
  const tookMs = Date.now() - startMs;
  expect(tookMs).toBeGreaterThan(2_500);
  expect(tookMs).toBeLessThan(6_000);
});

test("[O104] a check goes on until the agent has the keys of its gateway", async () => {
  await setKeys([]);
  const check = newChecks().run(checkOf(ports.gateway));
  await new Promise((resolve) => setTimeout(resolve, 300));
  await setKeys([keyOf(key.secret)]);
  expect(await check).toBe("");
});

test("[O104] a check that already runs is not run twice, and at most four run at a time", {
  timeout: 15_000,
}, async () => {
  const dialed: string[] = [];
  const answers: (() => void)[] = [];
  const checks = new GatewayChecks(({ base }) => {
    dialed.push(base);
    return new Promise((_resolve, reject) => answers.push(() => reject(new Error("no answer"))));
  });
  const ofPort = (port: number) => ({ ...checkOf(port), url: `http://node${port}.test:7946` });
  const running = [1, 2, 3, 4, 5].map((port) => checks.run(ofPort(port)));
  expect(running).not.toContain(null);
  expect([checks.run(ofPort(1)), checks.run(ofPort(5))]).toEqual([null, null]);
  await until("four attempts", () => dialed.length === 4);
  const ends = setInterval(() => {
    for (const end of answers.splice(0)) end();
  }, 50);
  await Promise.all(running);
  clearInterval(ends);
  expect(new Set(dialed).size).toBe(5);
  expect(checks.run(ofPort(1))).not.toBeNull();
});

test("[O110] a check of a gateway on a private network goes through the binding VPC, to the node's own address", async () => {
  await setKeys([keyOf(key.secret)]);
  const dialed: string[] = [];
  const VPC = {
    fetch: (url: string, init: RequestInit) => {
      dialed.push(url);
      return fetch(`http://127.0.0.1:${ports.gateway}/`, init);
    },
  } as unknown as Pick<Fetcher, "fetch">;
  const checks = new GatewayChecks(gatewayDialerOf({ ...env, VPC }));
  const request = { ...checkOf(0), transport: "vpc", url: "http://10.0.0.5:7946" } as const;
  expect(await checks.run(request)).toBe("");
  expect(dialed).toEqual(["http://10.0.0.5:7946/"]);
  const unbound = newChecks();
  expect(await unbound.run(request)).toContain("no answer from http://10.0.0.5:7946 through the VPC network");
});

/** A node of a new mesh whose agent said hello. */
async function meshWithNode(port: number) {
  meshCount += 1;
  const mesh = env.REGISTRY.getByName(`checks${meshCount}`);
  const machine = {
    hostname: "node1",
    address: "127.0.0.1",
    gateway: { port, tls: false },
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 4e9, memoryBytes: 8e9 },
    engineVersion: "0.1.0",
    runtime: "process" as const,
  };
  const { worker: token } = await mesh.joinTokens();
  const joined = await mesh.join({ token, ...machine });
  if (!joined.ok) throw new Error(joined.problem.message);
  const { webSocket: ws } = await mesh.fetch("https://registry/mesh/agent", {
    headers: {
      upgrade: "websocket",
      authorization: `Bearer ${joined.value.credential}`,
      "x-waggle-node": joined.value.nodeId,
      "x-waggle-protocol": "3",
    },
  });
  if (ws === null) throw new Error("no socket");
  const assignments: Assignment[] = [];
  ws.addEventListener("message", ({ data }) => {
    assignments.push(JSON.parse(String(data)) as Assignment);
  });
  ws.accept();
  ws.send(JSON.stringify({ type: "hello", node: machine, tasks: [] }));
  const node = async () => (await mesh.nodes())[0] as MeshNode;
  return { mesh, assignments, node };
}

test("[O103][O104] the registry checks a node's gateway after its hello, by the keys that it has just sent", {
  timeout: 15_000,
}, async () => {
  const { assignments, node } = await meshWithNode(ports.gateway);
  const { gatewayKeys } = await until("the keys", () => assignments[0]);
  await setKeys(gatewayKeys);
  const url = `http://127.0.0.1:${ports.gateway}`;
  await until("the check", async () => (await node()).gatewayCheck !== undefined);
  expect(await node()).toMatchObject({
    transport: { kind: "direct", reason: "" },
    gatewayCheck: { transport: "direct", url, problem: "" },
  });
});

test("[O103] a failed check is recorded with its reason, until an operator's update has the gateway checked again", {
  timeout: 15_000,
}, async () => {
  const { mesh, assignments, node } = await meshWithNode(ports.gateway);
  await setKeys([]);
  const failed = await until("the check", async () => {
    const found = await node();
    return found.gatewayCheck === undefined ? null : found;
  });
  expect(failed.gatewayCheck?.problem).toContain("(status 403)");
  expect(failed.transport?.reason).toBe(failed.gatewayCheck?.problem);
  await setKeys(assignments[0]?.gatewayKeys ?? []);
  const { id, version, availability, role, labels } = failed;
  await mesh.updateNode(id, version, { availability, role, labels }, "operator");
  await until("an answer", async () => (await node()).gatewayCheck?.problem === "");
  expect((await node()).transport).toEqual({ kind: "direct", reason: "" });
});
