// Polls of routers on machines of their own, at the registry object in workerd.

import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import { readTableUpdate } from "../../../src/domain/table/apply-change.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import type { RouterTable } from "../../../src/protocol/router.ts";
import type { MeshApi } from "../../../src/registry/api.ts";
import { RouterWaits } from "../../../workers/router-waits.ts";
import { aSpec } from "../../support/world.ts";

let meshCount = 0;

type Machine = { readonly nodeId: string; readonly credential: string };
type Answer = { readonly status: number; readonly body: RouterTable & { readonly message?: string } };

function newMesh(): MeshApi & { fetch: (request: Request) => Promise<Response> } {
  meshCount += 1;
  return env.REGISTRY.getByName(`router-polls-${meshCount}`) as never;
}

async function join(mesh: MeshApi, hostname: string, change: object = { ingress: true }): Promise<Machine> {
  const { worker } = await mesh.joinTokens();
  const joined = await mesh.join({
    token: worker,
    hostname,
    address: "127.0.0.2",
    gateway: { port: 7946, tls: false },
    platform: { os: "linux", arch: "x86_64" },
    resources: { nanoCpus: 1e9, memoryBytes: 1e9 },
    engineVersion: "0.1.0",
    runtime: "process",
    ...change,
  });
  if (!joined.ok) throw new Error(joined.problem.message);
  return joined.value;
}

async function poll(
  mesh: ReturnType<typeof newMesh>,
  { nodeId, credential }: Machine,
  query: string,
): Promise<Answer> {
  const headers = { authorization: `Bearer ${credential}`, "x-waggle-node": nodeId };
  const response = await mesh.fetch(new Request(`https://registry/mesh/router/table${query}`, { headers }));
  return { status: response.status, body: await response.json() };
}

async function createService(mesh: MeshApi, name: string): Promise<void> {
  const spec = aSpec({ name, replicas: 0, ports: [{ target: 80, mode: "ingress" }] });
  const created = await mesh.createService({ spec, document: {} }, "operator");
  expect(created.ok).toBe(true);
}

test("[O131] a poll gets a newer table at once, with its keys", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const { status, body } = await poll(mesh, node, "?after=-1&wait=25");
  expect(status).toBe(200);
  expect(body.text).toContain(`version ${body.version}\n`);
  expect(body.cookieKey).toHaveLength(50);
  expect(body.gatewayKeys).toHaveLength(1);
  expect(body.mesh).toEqual({ name: "waggle", domain: "" });
  expect(body.tokenMarks?.length).toBeGreaterThan(0);
  expect(JSON.stringify(body)).not.toContain(env.OPERATOR_TOKEN);
});

test("[O131] a poll with the current version waits, and is answered when the version rises", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const { version } = (await poll(mesh, node, "")).body;
  let isAnswered = false;
  const waiting = poll(mesh, node, `?after=${version}&wait=25`).finally(() => {
    isAnswered = true;
  });
  // Another call of the object runs in between.
  await mesh.info();
  expect(isAnswered).toBe(false);
  await createService(mesh, "my-web");
  const { body } = await waiting;
  expect(body.version).toBeGreaterThan(version);
  expect(body.text).toContain("service my-web");
});

test("[O131] when the wait is over, the answer has no table and no keys", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const { version } = (await poll(mesh, node, "")).body;
  const { status, body } = await poll(mesh, node, `?after=${version}&wait=1`);
  expect([status, body.version, body.text]).toEqual([200, version, null]);
  expect(JSON.stringify(body)).not.toMatch(/key/i);
});

test("[O131] a second poll of a machine ends the wait of the first", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const { version } = (await poll(mesh, node, "")).body;
  const first = poll(mesh, node, `?after=${version}&wait=25`);
  await mesh.info();
  const second = poll(mesh, node, `?after=${version}&wait=25`);
  expect((await first).body.text).toBeNull();
  await createService(mesh, "my-web");
  expect((await second).body.text).toContain("service my-web");
});

test("[M195] the wait of a machine ends when its client disconnects", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const { version } = (await poll(mesh, node, "")).body;
  const wait = vi.spyOn(RouterWaits.prototype, "wait");
  const client = new AbortController();
  const headers = { authorization: `Bearer ${node.credential}`, "x-waggle-node": node.nodeId };
  const url = `https://registry/mesh/router/table?after=${version}&wait=25`;
  const waiting = mesh.fetch(new Request(url, { headers, signal: client.signal }));
  await mesh.info();
  client.abort();
  await expect(waiting).rejects.toThrow();
  await wait.mock.results.at(-1)?.value;
  expect(wait).toHaveBeenCalledTimes(1);
});

test("[M183] a machine that names the formats it reads gets what changed", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const whole = (await poll(mesh, node, "?formats=3,2")).body;
  const held = readTableUpdate(whole.text ?? "", null);
  const waiting = poll(mesh, node, `?after=${held.version}&wait=25&formats=3,2`);
  await mesh.info();
  await createService(mesh, "my-web");
  const { body } = await waiting;
  expect(body.text).toMatch(/^waggle-change 3\n/);
  expect(body.gatewayKeys).toHaveLength(1);
  const table = readTableUpdate(body.text ?? "", held);
  expect(printTable(table)).toBe((await poll(mesh, node, "")).body.text);
});

test("[R12] a machine that reads no format of this registry is refused with the formats of both", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const { status, body } = await poll(mesh, node, "?formats=9,8");
  expect([status, body.message]).toEqual([
    406,
    expect.stringContaining("format 3, and this router reads 9, 8"),
  ]);
  expect(JSON.stringify(body)).not.toContain("Key");
});

test("[O132] no table without a credential, with a wrong one, with another node's, or of a removed node", async () => {
  const mesh = newMesh();
  const [node, other] = [await join(mesh, "node1"), await join(mesh, "node2")];
  const none = await mesh.fetch(new Request("https://registry/mesh/router/table"));
  expect(none.status).toBe(401);
  await none.body?.cancel();
  for (const wrong of [
    { ...node, credential: `${node.credential}x` },
    { ...node, credential: other.credential },
    { ...node, nodeId: "z".repeat(25) },
  ]) {
    const { status, body } = await poll(mesh, wrong, "?after=-1");
    expect([status, Object.keys(body)]).toEqual([401, ["message"]]);
  }
  await mesh.removeNode(node.nodeId, true, "operator");
  expect((await poll(mesh, node, "?after=-1")).status).toBe(401);
  expect((await poll(mesh, other, "?after=-1")).status).toBe(200);
});

test("[O132] a poll that waits gets no table once its machine is removed", async () => {
  const mesh = newMesh();
  const [node, balancer] = [
    await join(mesh, "node1"),
    await join(mesh, "lb", { kind: "balancer", ingress: true }),
  ];
  const { version } = (await poll(mesh, node, "")).body;
  const waiting = [node, balancer].map((machine) => poll(mesh, machine, `?after=${version}&wait=25`));
  await mesh.info();
  // A balancer is not in the table, whose version does not rise.
  await mesh.removeNode(balancer.nodeId, true, "operator");
  expect((await waiting[1])?.status).toBe(401);
  // It had the keys of the mesh, so that they are replaced: the others get the new one at once.
  const others = await waiting[0];
  expect([others?.status, others?.body.text, others?.body.gatewayKeys?.length]).toEqual([200, null, 2]);
  const again = poll(mesh, node, `?after=${version}&wait=25`);
  await mesh.info();
  await mesh.removeNode(node.nodeId, true, "operator");
  expect((await again).status).toBe(401);
});

test("[O132] a node that opens no published ports gets no keys", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1", {});
  const { status, body } = await poll(mesh, node, "?after=-1");
  expect([status, body.message]).toEqual([
    403,
    `node ${node.nodeId} opens no published ports: start its agent with --ingress`,
  ]);
});

test("[O132] a drained node whose agent is not connected still gets the table", async () => {
  const mesh = newMesh();
  const node = await join(mesh, "node1");
  const [{ version } = { version: 0 }] = await mesh.nodes();
  const change = { availability: "drain", role: "worker", labels: {} } as const;
  expect((await mesh.updateNode(node.nodeId, version, change, "operator")).ok).toBe(true);
  expect(await mesh.nodes()).toMatchObject([{ state: "unknown", availability: "drain" }]);
  expect((await poll(mesh, node, "?after=-1")).status).toBe(200);
});

test.each(["?after=x", "?after=-2", "?wait=x", "?after=1&wait=1e3", "?formats=new"])(
  "[O131] %s is refused with 400",
  async (query) => {
    const mesh = newMesh();
    const { status, body } = await poll(mesh, await join(mesh, "node1"), query);
    expect([status, body.message]).toEqual([
      400,
      expect.stringMatching(/^cannot read (after=|wait=|formats)/),
    ]);
  },
);
