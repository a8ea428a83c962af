// What nodes learn of networks: services, tasks and keys of the networks that their own tasks are on.

import { describe, expect, test } from "vitest";
import type { NamedNetwork } from "../../../src/protocol/agent.ts";
import type { Effects } from "../../../src/registry/effects.ts";
import { TestMesh, type TestNode } from "./harness.ts";

/** A mesh that remembers each node's last assignment. */
class NamedMesh {
  readonly mesh = new TestMesh();
  readonly #networks = new Map<string, readonly NamedNetwork[]>();
  /** Nodes that got an assignment since the last call of `settle`. */
  assigned: readonly string[] = [];

  network(name: string): string {
    const spec = { name, labels: {}, options: {}, attachable: false, subnet: null, gateway: null };
    const created = this.mesh.registry.createNetwork(spec, "operator");
    if (!created.ok) throw new Error(created.problem.message);
    return created.value.id;
  }

  service(name: string, network: string, node: TestNode, change = {}): string {
    const constraints = [`node.hostname==${node.name}`];
    const networks = [{ target: network, aliases: [`${name}-alias`] }];
    return this.mesh.service(name, {
      ports: [],
      networks,
      constraints,
      mode: { kind: "replicated", replicas: 1 },
      ...change,
    });
  }

  /** Lets the agents work, and takes the assignments. */
  settle(): this {
    this.#take(this.mesh.registry.takeEffects());
    const first = this.assigned;
    this.#take(this.mesh.work());
    this.assigned = [...first, ...this.assigned];
    return this;
  }

  /** Takes the assignments that were sent. */
  receive(): this {
    this.#take(this.mesh.registry.takeEffects());
    return this;
  }

  /** Lets time pass. */
  pass(ms: number): void {
    this.#take(this.mesh.registry.takeEffects());
    this.#take(this.mesh.pass(ms));
  }

  networksOf({ id }: TestNode): readonly NamedNetwork[] {
    return this.#networks.get(id) ?? [];
  }

  #take({ assignments }: Effects): void {
    for (const { nodeId, body } of assignments) this.#networks.set(nodeId, body.networks ?? []);
    this.assigned = assignments.map(({ nodeId }) => nodeId);
  }
}

function start() {
  const named = new NamedMesh();
  const nodes = ["a", "b", "c"].map((name) => named.mesh.node(name)) as [TestNode, TestNode, TestNode];
  return { named, mesh: named.mesh, nodes };
}

const reportPorts = (mesh: TestMesh, service: string, openPorts: number[]) => {
  for (const task of mesh.running(service)) mesh.report(task, { openPorts });
};

describe("the networks of an assignment", () => {
  test("[M160] a node gets the services, tasks and open ports of the networks that its tasks are on, and no others", () => {
    const { named, mesh, nodes } = start();
    const [a, b, c] = nodes;
    const shop = named.network("shop");
    named.network("other");
    named.service("db", "shop", a);
    named.service("web", "shop", b);
    named.service("stranger", "other", c);
    named.settle();
    reportPorts(mesh, "db", [5432, 6379]);
    named.settle();
    const [network] = named.networksOf(b);
    expect(named.networksOf(b)).toHaveLength(1);
    expect(network?.id).toBe(shop);
    expect(network?.services.map(({ names }) => names)).toEqual([
      ["db", "db-alias"],
      ["web", "web-alias"],
    ]);
    const [task] = mesh.running("db");
    const address = task?.addresses?.[0]?.address.split("/")[0];
    expect(network?.services[0]).toMatchObject({
      virtualIp: "10.0.0.2",
      tasks: [{ id: task?.id, nodeId: a.id, address, ports: [5432, 6379] }],
    });
    expect(JSON.stringify(named.networksOf(c))).not.toMatch(/db|web/);
    expect(named.networksOf(c)[0]?.peers).toEqual([]);
  });

  test("[M160] a task that is unhealthy or has failed is named to no node any more", () => {
    const { named, mesh, nodes } = start();
    const [a, b] = nodes;
    named.network("shop");
    named.service("db", "shop", a);
    named.service("web", "shop", b);
    named.settle();
    const tasksNow = () => named.receive().networksOf(b)[0]?.services[0]?.tasks.length;
    const [task] = mesh.running("db");
    if (task === undefined) throw new Error("no task");
    const health = { streak: { ok: false, length: 3 }, sinceMs: 0, lastCheck: "L4CON", rise: 2, fall: 3 };
    mesh.report(task, { health: { ...health, verdict: "unhealthy" } });
    expect(tasksNow()).toBe(0);
    mesh.report(task, { health: { ...health, verdict: "healthy" } });
    expect(tasksNow()).toBe(1);
    mesh.report(task, { state: "failed", endpoints: [], health: null, pid: null });
    expect(tasksNow()).toBe(0);
  });

  test("[M161] two nodes of a network share a key for each direction, which no other node gets", () => {
    const { named, nodes } = start();
    const [a, b, c] = nodes;
    named.network("shop");
    named.network("other");
    named.service("db", "shop", a);
    named.service("web", "shop", b);
    named.service("x", "other", b);
    named.service("y", "other", c);
    named.settle();
    const peer = (of: TestNode, network: number, to: TestNode) =>
      named.networksOf(of)[network]?.peers.find(({ nodeId }) => nodeId === to.id);
    const there = peer(a, 0, b);
    const back = peer(
      b,
      named.networksOf(b).findIndex(({ id }) => id === named.networksOf(a)[0]?.id),
      a,
    );
    expect(there?.dial).toEqual(back?.accept[0]);
    expect(back?.dial).toEqual(there?.accept[0]);
    expect(there?.dial.key).not.toBe(there?.accept[0]?.key);
    expect(there?.gateway).toEqual({ transport: "direct", base: "http://127.0.0.3:7946" });
    expect(JSON.stringify(named.networksOf(c))).not.toContain(there?.dial.key ?? "none");
    expect(named.networksOf(c).flatMap(({ peers }) => peers.map(({ nodeId }) => nodeId))).toEqual([b.id]);
  });

  test("[M162] when a node's last task on a network has ended, the others lose its keys, and it loses theirs", () => {
    const { named, mesh, nodes } = start();
    const [a, b] = nodes;
    named.network("shop");
    named.service("db", "shop", a);
    const web = named.service("web", "shop", b);
    named.settle();
    expect(named.networksOf(a)[0]?.peers).toHaveLength(1);
    mesh.registry.removeService(web, "operator");
    named.pass(10_000);
    named.settle();
    for (const task of mesh.tasks()) if (task.nodeId === b.id) mesh.report(task, { state: "shutdown" });
    named.settle();
    expect(named.networksOf(a)[0]?.peers).toEqual([]);
    expect(named.networksOf(b)).toEqual([]);
  });

  test("[M163] after a rotation nodes accept both keys, and then sign with the new one", () => {
    const { named, mesh, nodes } = start();
    const [a, b] = nodes;
    named.network("shop");
    named.service("db", "shop", a);
    named.service("web", "shop", b);
    named.settle();
    const old = named.networksOf(a)[0]?.peers[0];
    mesh.registry.rotateGatewayKey("operator");
    named.settle();
    expect(named.networksOf(a)[0]?.peers[0]).toMatchObject({ dial: old?.dial });
    expect(named.networksOf(a)[0]?.peers[0]?.accept).toHaveLength(2);
    named.pass(20_000);
    named.settle();
    const current = named.networksOf(a)[0]?.peers[0];
    expect(current?.dial).not.toEqual(old?.dial);
    expect(named.networksOf(b)[0]?.peers[0]?.accept).toContainEqual(current?.dial);
  });

  test("[M164] a report that changes nothing for a network sends no assignment", () => {
    const { named, mesh, nodes } = start();
    const [a, b] = nodes;
    named.network("shop");
    named.service("db", "shop", a);
    named.service("web", "shop", b);
    named.settle();
    const [task] = mesh.running("db");
    if (task?.health == null) throw new Error("no health");
    mesh.report(task, { health: { ...task.health, lastCheck: "L4OK in 9ms" } });
    expect(named.settle().assigned).toEqual([]);
    reportPorts(mesh, "db", [6379]);
    expect([...named.settle().assigned].sort()).toEqual([a.id, b.id].sort());
  });

  test("[A440] the relay takes attempts of a node without published ports to nodes with tasks on its networks only", () => {
    const { named, mesh, nodes } = start();
    const [a, b, c] = nodes;
    named.network("shop");
    named.service("db", "shop", a);
    named.service("web", "shop", b);
    named.settle();
    const access = (from: TestNode, to: TestNode, credential = from.credential) =>
      mesh.registry.relayAccess(from.id, credential, to.id).router;
    expect(access(b, a)).toBe("granted");
    expect(access(b, c)).toBe("unlisted");
    expect(access(c, a)).toBe("unlisted");
    expect(access(b, a, "x".repeat(32))).toBe("refused");
  });
});
