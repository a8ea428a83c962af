// Networks in the registry: the records, and what services and tasks get of them.

import { describe, expect, test } from "vitest";
import { TestMesh } from "./harness.ts";

function newNetwork(mesh: TestMesh, name: string, subnet: string | null = null): string {
  const spec = { name, labels: {}, options: {}, attachable: false, subnet, gateway: null };
  const created = mesh.registry.createNetwork(spec, "operator");
  if (!created.ok) throw new Error(created.problem.message);
  return created.value.id;
}

const on = (...targets: readonly string[]) => ({
  networks: targets.map((target) => ({ target, aliases: [] })),
});

describe("networks of the registry", () => {
  test("[M150] a mesh has one network ingress, also after restarts and after an upgrade", () => {
    const mesh = new TestMesh();
    const [ingress] = mesh.registry.networks();
    expect(ingress).toMatchObject({ name: "ingress", ingress: true, subnet: "10.255.0.0/16" });
    mesh.restart();
    expect(mesh.registry.networks()).toEqual([ingress]);
    mesh.database.exec("DELETE FROM networks");
    mesh.restart();
    expect(mesh.registry.networks()).toMatchObject([{ name: "ingress" }]);
  });

  test("[M150] services and tasks of an earlier release get addresses on ingress", () => {
    const mesh = new TestMesh();
    mesh.node("node1");
    mesh.service("web", { ports: [{ target: 80, published: 8080, mode: "ingress" }] });
    mesh.database.exec("DELETE FROM networks");
    mesh.database.exec("UPDATE services SET body = json_remove(body, '$.virtualIps')");
    mesh.database.exec("UPDATE tasks SET body = json_remove(body, '$.addresses')");
    mesh.restart();
    const [ingress] = mesh.registry.networks();
    expect(mesh.registry.services()[0]?.virtualIps).toEqual([
      { networkId: ingress?.id, address: "10.255.0.2/16" },
    ]);
    expect(mesh.tasks()[0]?.addresses).toEqual([{ networkId: ingress?.id, address: "10.255.0.3/16" }]);
  });

  test("[M151] subnets do not overlap: of those given, and of those chosen", () => {
    const mesh = new TestMesh();
    newNetwork(mesh, "own", "10.0.16.0/24");
    newNetwork(mesh, "first");
    newNetwork(mesh, "second");
    const subnets = mesh.registry.networks().map(({ name, subnet }) => [name, subnet]);
    expect(Object.fromEntries(subnets)).toEqual({
      ingress: "10.255.0.0/16",
      own: "10.0.16.0/24",
      first: "10.0.0.0/20",
      second: "10.0.32.0/20",
    });
  });

  test("[M152] a change of a service's networks replaces its tasks; the others keep their addresses", () => {
    const mesh = new TestMesh();
    mesh.node("node1");
    const [a, b] = [newNetwork(mesh, "a"), newNetwork(mesh, "b")];
    const id = mesh.service("db", { ...on("a"), ports: [] });
    mesh.work();
    const before = mesh.registry.services()[0];
    const template = (networks: readonly string[]) => ({
      Name: "db",
      TaskTemplate: { Networks: networks.map((Target) => ({ Target })) },
    });
    if (before === undefined) throw new Error("no service");
    expect(before.spec.networks).toEqual([{ target: a, aliases: [] }]);
    const spec = { ...before.spec, ...on("a", "b") };
    const updated = mesh.registry.updateService(
      id,
      before.version,
      { spec, document: template(["a", "b"]) },
      "operator",
    );
    expect(updated).toMatchObject({ ok: true });
    mesh.work();
    // The new task is on trial.
    for (let second = 0; second < 10; second++) {
      mesh.pass(1_000);
      mesh.work();
    }
    const after = mesh.registry.services()[0];
    expect(after?.virtualIps?.[0]).toEqual(before.virtualIps?.[0]);
    expect(after?.virtualIps?.map(({ networkId }) => networkId)).toEqual([a, b]);
    const live = mesh.tasks().filter(({ state, desired }) => state === "running" && desired === "running");
    expect(live.map(({ addresses }) => addresses?.map(({ networkId }) => networkId))).toEqual([[a, b]]);
  });

  test("[M153] an unknown network, one named twice, and ingress are refused", () => {
    const mesh = new TestMesh();
    const a = newNetwork(mesh, "a");
    expect(() => mesh.service("web", on("nope"))).toThrow("network nope not found");
    expect(() => mesh.service("web", on("a", a))).toThrow("only once");
    expect(() => mesh.service("web", on("ingress"))).toThrow("cannot be explicitly attached");
    expect(mesh.registry.services()).toEqual([]);
  });

  test("[M155] a task of a full network gets its address when another one ends", () => {
    const mesh = new TestMesh();
    mesh.node("node1");
    // Five addresses for a service and its tasks.
    newNetwork(mesh, "small", "10.1.0.0/29");
    const id = mesh.service("web", { ...on("small"), mode: { kind: "replicated", replicas: 6 } });
    const withAddress = () => mesh.tasks().filter(({ addresses }) => addresses !== undefined);
    expect(withAddress()).toHaveLength(4);
    const service = mesh.registry.services()[0];
    if (service === undefined) throw new Error("no service");
    const spec = { ...service.spec, mode: { kind: "replicated" as const, replicas: 4 } };
    mesh.registry.updateService(id, service.version, { spec, document: service.document }, "operator");
    mesh.work();
    expect(mesh.tasks().every(({ addresses }) => addresses !== undefined)).toBe(true);
  });

  test("[N300] an agent gets the networks of a task with the names of its service there, without ingress", () => {
    const mesh = new TestMesh();
    mesh.node("node1");
    const shop = newNetwork(mesh, "shop");
    mesh.service("web", {
      ports: [{ target: 80, published: 8080, mode: "ingress" }],
      networks: [{ target: "shop", aliases: ["www"] }],
    });
    const [assignment] = mesh.registry.takeEffects().assignments;
    expect(assignment?.body.tasks.map(({ networks }) => networks)).toEqual([
      [{ id: shop, name: "shop", aliases: ["www"] }],
    ]);
  });
});
