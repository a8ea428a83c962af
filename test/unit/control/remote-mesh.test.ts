import { expect, test } from "vitest";
import { remoteMesh } from "../../../src/control/remote-mesh.ts";
import { type MeshApi, operationNames } from "../../../src/registry/api.ts";
import { input, TestMesh } from "../registry/harness.ts";
import { TestControl } from "./support.ts";

test.each([{ retryable: true }, { durableObjectReset: true }])(
  "[A35] a call that failed in transit (%j) is repeated once, on a new stub",
  async (failure) => {
    const { mesh, stubs } = failingMesh(1, failure);
    expect((await mesh.info()).name).toBe("test");
    expect(stubs()).toBe(2);
  },
);

test("[A35] the second failure is a 503 that says traffic is not affected", async () => {
  const { mesh, stubs } = failingMesh(9, { retryable: true });
  const { status, json } = await new TestControl(0, { mesh }).ask("GET /version");
  expect([status, json.message]).toEqual([
    503,
    "the registry is unreachable; traffic is not affected, try again",
  ]);
  expect(stubs()).toBe(2);
});

test("[A35] a call to an overloaded registry is not repeated", async () => {
  const { mesh, stubs } = failingMesh(9, { retryable: true, overloaded: true });
  const { status, json } = await new TestControl(0, { mesh }).ask("GET /version");
  expect([status, json.message]).toEqual([
    503,
    "the registry is overloaded; traffic is not affected, try again",
  ]);
  expect(stubs()).toBe(1);
});

test("[U445] a registry whose daily limit is spent is a 503 that names the limit and when it ends", async () => {
  const spent = () =>
    Promise.reject(new Error("Exceeded allowed rows written in Durable Objects free tier."));
  const mesh = remoteMesh(() => ({ info: spent, nodes: spent }) as unknown as MeshApi);
  const { status, json } = await new TestControl(0, { mesh }).ask("GET /version");
  expect(status).toBe(503);
  expect(json.message).toContain(
    "until 00:00 UTC (Exceeded allowed rows written in Durable Objects free tier)",
  );
});

test("[A35] an error inside the registry is not retried and is passed on unchanged", async () => {
  const { mesh, stubs } = failingMesh(9, { remote: true });
  await expect(mesh.info()).rejects.toThrow("Network connection lost.");
  expect(stubs()).toBe(1);
});

test("[A35] every operation is a call of the same name with the same arguments", async () => {
  const record =
    (name: string) =>
    (...args: readonly unknown[]) => ({ name, args });
  const stub = Object.fromEntries(operationNames.map((name) => [name, record(name)]));
  const mesh = remoteMesh(() => stub as unknown as MeshApi);
  for (const name of operationNames) {
    const call = mesh[name] as (...args: readonly unknown[]) => unknown;
    expect(await call("a", 1, null)).toEqual({ name, args: ["a", 1, null] });
  }
});

test("[A35] results of operations arrive unchanged", async () => {
  const { registry } = new TestMesh();
  const mesh = remoteMesh(() => registry);
  const created = await mesh.createService(input("my-web"), "operator");
  expect(created).toEqual(await mesh.updateService("my-web", 1, input("my-web"), "operator"));
  expect(await mesh.service("my-web")).toEqual(registry.service("my-web"));
  expect(await mesh.services()).toEqual(registry.services());
  expect(await mesh.tasks({ services: ["my-web"] })).toEqual(registry.tasks({ services: ["my-web"] }));
  expect(await mesh.task("none")).toEqual(registry.task("none"));
  expect(await mesh.nodes()).toEqual([]);
  expect(await mesh.node("none")).toEqual(registry.node("none"));
  const change = { availability: "drain", role: "worker", labels: {} } as const;
  expect(await mesh.updateNode("none", 1, change, "operator")).toMatchObject({ ok: false });
  expect(await mesh.removeNode("none", true, "operator")).toMatchObject({ ok: false });
  expect(await mesh.table(-1)).toEqual(registry.table(-1));
  expect(await mesh.rotateJoinTokens({ worker: true, manager: false }, "operator")).toBeNull();
  expect(await mesh.joinTokens()).toEqual(registry.joinTokens());
  expect((await mesh.events(0, 100)).map(({ action }) => action)).toContain("mesh.rotate-token");
  expect(await mesh.removeService("my-web", "operator")).toEqual({ ok: true, value: null });
  expect(await mesh.join({ ...joining, token: "none" })).toMatchObject({ ok: false });
});

const joining = {
  hostname: "node1",
  address: "127.0.0.2",
  gateway: { port: 7946, tls: false },
  platform: { os: "linux", arch: "x86_64" },
  resources: { nanoCpus: 1, memoryBytes: 1 },
  engineVersion: "1",
  runtime: "process",
} as const;

/** A mesh whose first `failures` calls fail with an error of the platform. */
function failingMesh(failures: number, failure: object) {
  const { registry } = new TestMesh();
  let stubs = 0;
  const fail = () => {
    throw Object.assign(new Error("Network connection lost."), failure);
  };
  const mesh = remoteMesh(() => {
    stubs += 1;
    return stubs > failures ? registry : Object.assign(Object.create(registry), { info: fail, nodes: fail });
  });
  return { mesh, stubs: () => stubs };
}
