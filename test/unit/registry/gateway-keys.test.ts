import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { readTable } from "../../../src/domain/table/text.ts";
import { nodeKeyText } from "../../../src/gateway/attempt.ts";
import { assigned, input, TestMesh, type TestNode } from "./harness.ts";

/** What a router gets that has no table yet. */
function routerView(mesh: TestMesh) {
  const { text, gatewayKeys = [] } = mesh.registry.pollTable("router", 0);
  return { signingKey: readTable(text ?? "").signingKey, text: text ?? "", keys: gatewayKeys };
}

/** The keys of a node in the assignment that follows a hello. */
function keysOf(mesh: TestMesh, node: TestNode) {
  const { assignments } = mesh.hello(node);
  return assignments.find(({ nodeId }) => nodeId === node.id)?.body.gatewayKeys ?? [];
}

test("[O80] routers get the keys of the mesh with the table, whose text names the one to sign with and has no secret", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const { signingKey, text, keys } = routerView(mesh);
  expect(keys.map(({ id }) => id)).toEqual([signingKey]);
  expect(keys[0]?.secret).toHaveLength(50);
  expect(text).toContain(`\nkey ${signingKey}\n`);
  expect(text).not.toContain(keys[0]?.secret);
});

test("[O81] an agent gets the keys of its own node only, which differ from those of other nodes", () => {
  const mesh = new TestMesh();
  const [one, two] = [mesh.node("node1"), mesh.node("node2")];
  const [meshKey] = routerView(mesh).keys;
  for (const node of [one, two]) {
    const expected = createHmac("sha256", meshKey?.secret ?? "").update(nodeKeyText(node.id));
    expect(keysOf(mesh, node)).toEqual([{ id: meshKey?.id, key: expected.digest("base64url") }]);
  }
  expect(keysOf(mesh, one)).not.toEqual(keysOf(mesh, two));
  expect(JSON.stringify(mesh.hello(one).assignments)).not.toContain(meshKey?.secret);
});

test("[O82] a rotation has no gap: agents have a new key before routers sign with it, and the old one for as long as a router may", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  const old = routerView(mesh).signingKey;
  mesh.registry.rotateGatewayKey("operator");
  const [assignment] = mesh.registry.takeEffects().assignments;
  const ids = assignment?.body.gatewayKeys.map(({ id }) => id) ?? [];
  expect(ids).toHaveLength(2);
  expect(ids[0]).toBe(old);
  expect(routerView(mesh).signingKey).toBe(old);
  mesh.pass(14_999);
  expect(routerView(mesh).signingKey).toBe(old);
  mesh.pass(1);
  expect(routerView(mesh).signingKey).toBe(ids[1]);
  expect(keysOf(mesh, node).map(({ id }) => id)).toEqual(ids);
  mesh.pass(599_999);
  expect(keysOf(mesh, node)).toHaveLength(2);
  mesh.pass(1);
  expect(keysOf(mesh, node).map(({ id }) => id)).toEqual([ids[1]]);
  expect(routerView(mesh).keys.map(({ id }) => id)).toEqual([ids[1]]);
  expect(mesh.registry.newestEvents(10).map(({ action }) => action)).toContain("mesh.rotate-gateway-key");
});

test("[O82] rotations one after another leave the newest key, and a restart of the registry loses no step", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  for (let count = 0; count < 5; count += 1) {
    mesh.registry.rotateGatewayKey("operator");
    mesh.restart([node.id]);
    mesh.pass(5_000);
  }
  mesh.pass(20 * 60_000);
  const { signingKey, keys } = routerView(mesh);
  expect(keys.map(({ id }) => id)).toEqual([signingKey]);
  expect(keysOf(mesh, node).map(({ id }) => id)).toEqual([signingKey]);
});

test("[O82] a clock that is set back delays a rotation by no more than its own steps", () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const old = routerView(mesh).signingKey;
  mesh.registry.rotateGatewayKey("operator");
  mesh.nowMs -= 30 * 60_000;
  mesh.registry.followClock();
  mesh.pass(15_001);
  expect(routerView(mesh).signingKey).not.toBe(old);
});

test("[O251] many rotations at a time keep 8 keys, the one in use among them, and end", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  for (let count = 0; count < 40; count += 1) {
    mesh.registry.rotateGatewayKey("operator");
    mesh.pass(1_000);
    const { signingKey, keys } = routerView(mesh);
    expect(keys.length).toBeLessThanOrEqual(8);
    expect(keys.map(({ id }) => id)).toContain(signingKey);
    expect(keysOf(mesh, node).map(({ id }) => id)).toEqual(keys.map(({ id }) => id));
  }
  const { signingKey } = routerView(mesh);
  mesh.pass(615_000);
  expect(keysOf(mesh, node)).toHaveLength(1);
  expect(routerView(mesh).signingKey).not.toBe(signingKey);
});

test("[O87] agents get the limit of open requests with a task, and follow its label without another task", () => {
  const mesh = new TestMesh();
  const node = mesh.node("node1");
  mesh.service("my-web", { labels: { "waggle.maxconn": "20", "waggle.queue": "unlimited" } });
  const [task] = assigned(mesh.registry.takeEffects(), node.id) ?? [];
  expect(task?.limit).toEqual({ maxconn: 20, queue: Number.MAX_SAFE_INTEGER, queueTimeoutMs: 5_000 });
  mesh.work();
  const change = (labels: Readonly<Record<string, string>>) => {
    const found = mesh.registry.service("my-web");
    if (!found.ok) throw new Error("no service");
    const next = input("my-web", { labels });
    mesh.registry.updateService("my-web", found.value.version, next, "operator");
    return assigned(mesh.registry.takeEffects(), node.id);
  };
  const changed = change({ "waggle.maxconn": "5", "waggle.queue": "0" });
  expect(changed).toMatchObject([{ id: task?.id, limit: { maxconn: 5, queue: 0, queueTimeoutMs: 5_000 } }]);
  expect(change({})?.[0]).not.toHaveProperty("limit");
  expect(change({ "waggle.via": "true" })).toBeUndefined();
});
