import { describe, expect, test } from "vitest";
import { constraintsOf, nodeMatches, parseConstraints } from "../../../../src/domain/model/constraint.ts";
import type { MeshNode } from "../../../../src/domain/model/node.ts";
import type { Service } from "../../../../src/domain/model/service.ts";
import { isWanted, type Task } from "../../../../src/domain/model/task.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import { applyPlan } from "../../../../src/domain/orchestrator/plan.ts";
import { reconcile } from "../../../../src/domain/orchestrator/reconcile.ts";
import { validateSpec } from "../../../../src/domain/validate/service.ts";
import { firstWakeMs } from "../../../support/plans.ts";
import { aNode, aService, aSpec, aTask, aWorld, ids, now } from "../../../support/world.ts";

const node1 = aNode({ hostname: "node1" });
const node2 = aNode({ hostname: "node2" });
const node3 = aNode({ hostname: "node3" });
const three = [node3, node1, node2];

describe("spread", () => {
  test("[S3] a task goes to the node with the fewest tasks of its service, then of all services, then by host name", () => {
    const other = aService({ name: "other", replicas: 2 });
    const service = aService({ replicas: 4 });
    const existing = [
      aTask(service, { slot: 1, nodeId: node1.id }),
      aTask(other, { slot: 1, nodeId: node2.id }),
      aTask(other, { slot: 2, nodeId: node2.id, id: "o2".padEnd(25, "0") }),
    ];
    expect(placed(three, [service, other], existing)).toEqual([
      "my-web.2 node3",
      "my-web.3 node2",
      "my-web.4 node1",
    ]);
  });

  test("[S4] a replacement is placed as if the outgoing task were gone, so it may stay on the same node", () => {
    const service = aService({ replicas: 3 }, { runHash: "new" });
    const old = [node1, node2, node3].map((node, at) =>
      aTask(service, { slot: at + 1, nodeId: node.id, runHash: "old" }),
    );
    const all = {
      ...service,
      spec: { ...service.spec, update: { parallelism: 0, order: "start-first" as const } },
    };
    expect(placed(three, [all], old)).toEqual(["my-web.1 node1", "my-web.2 node2", "my-web.3 node3"]);
  });

  test("[S17] a replacement may share the node and the host-mode port of the task it replaces", () => {
    const service = aService({
      replicas: 1,
      maxPerNode: 1,
      ports: [{ target: 80, published: 8090, mode: "host" }],
    });
    const old = aTask(service, { nodeId: node1.id, runHash: "old" });
    expect(placed([node1], [service], [old])).toEqual(["my-web.1 node1"]);
    const other = aService({ name: "other", replicas: 1 });
    const plain = aService({ replicas: 1 });
    const existing = [aTask(other, { nodeId: node1.id }), aTask(plain, { nodeId: node2.id, runHash: "old" })];
    expect(placed([node1, node2], [plain, other], existing)).toEqual(["my-web.1 node2"]);
  });

  test("[S5] a node on which this version failed three times in five minutes, or was rejected once, comes last", () => {
    const service = aService({ replicas: 1 });
    const dead = (count: number, state: Task["state"], over: Partial<Task> = {}) =>
      Array.from({ length: count }, (_, at) =>
        aTask(service, {
          id: `d${at}`.padEnd(25, "0"),
          state,
          desired: "shutdown",
          createdAtMs: now - 200_000 + at,
          stateSinceMs: now - 100_000,
          ...over,
        }),
      );
    expect(placed(three, [service], dead(2, "failed"))).toEqual(["my-web.1 node1"]);
    expect(placed(three, [service], dead(3, "failed"))).toEqual(["my-web.1 node2"]);
    expect(placed(three, [service], dead(1, "rejected"))).toEqual(["my-web.1 node2"]);
    expect(placed(three, [service], dead(3, "failed", { stateSinceMs: now - 300_000 }))).toEqual([
      "my-web.1 node1",
    ]);
    expect(placed(three, [service], dead(3, "failed", { runHash: "old" }))).toEqual(["my-web.1 node1"]);
    expect(placed([node1], [service], dead(3, "failed"))).toEqual(["my-web.1 node1"]);
  });

  test("[S5] that node comes last for the task that it runs, too, although its label value has the fewest tasks", () => {
    const service = aService(
      { replicas: 4, spreadOver: ["node.labels.zone"], update: { parallelism: 0 } },
      { runHash: "new" },
    );
    const nodes = [
      { ...node1, labels: { zone: "a" } },
      { ...node2, labels: { zone: "b" } },
    ];
    const tasks = [
      aTask(service, { slot: 1, nodeId: node1.id, runHash: "old" }),
      ...[2, 3, 4].map((slot) => aTask(service, { slot, nodeId: node2.id })),
      aTask(service, {
        slot: 1,
        nodeId: node1.id,
        id: "d".padEnd(25, "0"),
        state: "rejected",
        desired: "shutdown",
        stateSinceMs: now - 100_000,
      }),
    ];
    expect(placed(nodes, [service], tasks)).toEqual(["my-web.1 node2"]);
  });

  test("[S6] a running task is never moved to rebalance nodes", () => {
    const service = aService({ replicas: 2 });
    const existing = [1, 2].map((slot) => aTask(service, { slot, nodeId: node1.id }));
    expect(reconcile(aWorld(three, [service], existing), { nowMs: now, newId: ids() }).tasks).toEqual([]);
  });
});

describe("placement preferences", () => {
  const zoned = (hostname: string, zone: string, rack: string) => aNode({ hostname, labels: { zone, rack } });

  test("[S18] tasks are spread over the values of a label before they are spread over nodes", () => {
    const nodes = [zoned("node1", "a", "1"), zoned("node2", "a", "2"), zoned("node3", "b", "1")];
    const service = aService({ replicas: 4, spreadOver: ["node.labels.zone"] });
    expect(placed(nodes, [service], [])).toEqual([
      "my-web.1 node1",
      "my-web.2 node3",
      "my-web.3 node2",
      "my-web.4 node3",
    ]);
    expect(placed(nodes, [aService({ replicas: 4 })], [])).toEqual([
      "my-web.1 node1",
      "my-web.2 node2",
      "my-web.3 node3",
      "my-web.4 node1",
    ]);
  });

  test("[S18] several preferences apply in order, and nodes without a label are a value of their own", () => {
    const nodes = [
      zoned("node1", "a", "1"),
      zoned("node2", "a", "2"),
      zoned("node3", "a", "2"),
      zoned("node4", "b", "1"),
      aNode({ hostname: "node5" }),
    ];
    const service = aService({ replicas: 6, spreadOver: ["node.labels.zone", "node.labels.rack"] });
    expect(placed(nodes, [service], [])).toEqual([
      "my-web.1 node1",
      "my-web.2 node4",
      "my-web.3 node5",
      "my-web.4 node2",
      "my-web.5 node4",
      "my-web.6 node5",
    ]);
  });

  test("[S18] a full value is passed by, and a replaced task does not count for its value", () => {
    const nodes = [zoned("node1", "a", "1"), zoned("node2", "b", "1"), zoned("node3", "b", "2")];
    const limited = aService({ replicas: 3, maxPerNode: 1, spreadOver: ["node.labels.zone"] });
    expect(placed(nodes, [limited], []).sort()).toEqual([
      "my-web.1 node1",
      "my-web.2 node2",
      "my-web.3 node3",
    ]);
    const service = aService({ replicas: 2, spreadOver: ["node.labels.zone"] });
    const old = [
      aTask(service, { slot: 1, nodeId: nodes[0]?.id ?? null }),
      aTask(service, { slot: 2, nodeId: nodes[1]?.id ?? null, runHash: "old" }),
    ];
    expect(placed(nodes, [service], old)).toEqual(["my-web.2 node2"]);
  });

  test("[S19] a preference that names no label is refused", () => {
    expect(() =>
      validateSpec(aSpec({ spreadOver: ["node.labels.zone", "engine.labels.disk"] })),
    ).not.toThrow();
    for (const text of ["zone", "node.hostname", "node.labels."]) {
      expect(() => validateSpec(aSpec({ spreadOver: [text] }))).toThrow(
        `spread descriptor '${text}' is invalid: use node.labels.NAME or engine.labels.NAME`,
      );
    }
  });
});

test("[S20] generic resources are reserved by number; a node that reports none has none", () => {
  const generic = { gpu: 2 };
  const reservations = { nanoCpus: 0, memoryBytes: 0, generic };
  const service = aService({ replicas: 3, reservations });
  const resources = { ...node1.resources, generic: { gpu: 5 } };
  const world = aWorld([node2, { ...node1, resources }], [service]);
  const plan = reconcile(world, { nowMs: now, newId: ids() });
  expect(plan.tasks.map(({ nodeId, err }) => [nodeId, err])).toEqual([
    [node1.id, ""],
    [node1.id, ""],
    [null, "no suitable node (insufficient resources on 2 nodes)"],
  ]);
});

describe("reasons", () => {
  test("[S7] the reason counts the nodes by the first filter that rejects each, with SwarmKit's texts", () => {
    const nodes = [
      aNode({ hostname: "a", state: "down" }),
      aNode({ hostname: "b", availability: "drain" }),
      aNode({ hostname: "c", availability: "pause" }),
      aNode({ hostname: "d", resources: { nanoCpus: 1e9, memoryBytes: 1e9 } }),
      aNode({ hostname: "e" }),
      aNode({ hostname: "f" }),
    ];
    const service = aService({
      replicas: 1,
      constraints: ["node.role==manager"],
      reservations: { nanoCpus: 2e9, memoryBytes: 0 },
    });
    expect(reasons(nodes, [service])).toEqual([
      "no suitable node (3 nodes not available for new tasks; insufficient resources on 1 node; scheduling constraints not satisfied on 2 nodes)",
    ]);
  });

  test("[S23] nodes with no platform of the image are counted apart, after those that meet no constraint", () => {
    const platforms = [{ os: "linux", arch: "riscv64" }];
    expect(reasons([node1, node2], [aService({ replicas: 1, platforms })])).toEqual([
      "no suitable node (unsupported platform on 2 nodes)",
    ]);
    const constraints = [`node.hostname==${node1.hostname}`];
    expect(reasons([node1, node2], [aService({ replicas: 1, platforms, constraints })])).toEqual([
      "no suitable node (scheduling constraints not satisfied on 1 node; unsupported platform on 1 node)",
    ]);
  });

  test("[S8] a host-mode port is used by one task per node, of one service", () => {
    const ports = [{ target: 80, published: 8090, mode: "host" as const }];
    expect(reasons([node1, node2], [aService({ replicas: 3, ports })])).toEqual([
      "no suitable node (host-mode port already in use on 2 nodes)",
    ]);
    const first = aService({ name: "first", replicas: 1, ports });
    expect(reasons([node1], [first, aService({ replicas: 1, ports })], [aTask(first)])).toEqual([
      "no suitable node (host-mode port already in use on 1 node)",
    ]);
  });

  test("[S9] no node has more tasks of a service than its replicas-max-per-node", () => {
    expect(reasons([node1, node2], [aService({ replicas: 3, maxPerNode: 1 })])).toEqual([
      "no suitable node (max replicas per node limit exceed)",
    ]);
  });

  test("[S10] a stopping task keeps its reserved memory until it is dead", () => {
    const service = aService({ replicas: 1, reservations: { nanoCpus: 0, memoryBytes: 5 * 1024 ** 3 } });
    const stopping = aTask(service, { desired: "shutdown" });
    expect(reasons([node1], [service], [stopping])).toEqual([
      "no suitable node (insufficient resources on 1 node)",
    ]);
    expect(reasons([node1], [service], [{ ...stopping, state: "shutdown" }])).toEqual([]);
  });

  test("[S11] without nodes there is no suitable node", () => {
    expect(reasons([], [aService({ replicas: 1 })])).toEqual(["no suitable node"]);
  });

  test("[S12] a pending task is placed as soon as a node fits", () => {
    const service = aService({ replicas: 1 });
    const waiting = aTask(service, { state: "pending", nodeId: null, err: "no suitable node" });
    expect(placed([node1], [service], [waiting])).toEqual(["my-web.1 node1"]);
  });
});

describe("constraints", () => {
  const node = aNode({
    hostname: "Node-A",
    address: "10.1.2.3",
    labels: { zone: "Eu-West", Disk: "ssd" },
    platform: { os: "linux", arch: "aarch64" },
  });
  const holds = (text: string, on: MeshNode = node) => nodeMatches(parseConstraints([text]), on);

  test("[S13] every key is matched, values ignoring case, label names by exact case", () => {
    const matching = [
      `node.id==${node.id}`,
      "node.hostname == node-a",
      "NODE.Role==worker",
      "node.role!=manager",
      "node.platform.os==Linux",
      "node.platform.arch==aarch64",
      "node.labels.zone==eu-west",
      "node.labels.Disk==ssd",
      "node.labels.disk!=ssd",
      "node.labels.none!=x",
      "engine.labels.gpu!=yes",
    ];
    expect(matching.filter((text) => !holds(text))).toEqual([]);
    const notMatching = [
      "node.id==x",
      "node.hostname!=node-a",
      "node.labels.disk==ssd",
      "node.labels.none==x",
    ];
    expect(notMatching.filter((text) => holds(text))).toEqual([]);
  });

  test("[S14] node.ip takes an address or a network; a node whose address is a name is in no network", () => {
    expect(holds("node.ip==10.1.2.3")).toBe(true);
    expect(holds("node.ip==10.1.0.0/16")).toBe(true);
    expect(holds("node.ip!=10.1.0.0/16")).toBe(false);
    expect(holds("node.ip==10.2.0.0/16")).toBe(false);
    expect(holds("node.ip==10.1.2.0/33")).toBe(false);
    expect(holds("node.ip!=nonsense")).toBe(false);
    const six = aNode({ address: "2001:db8::1" });
    expect(holds("node.ip==2001:db8:0:0::1", six)).toBe(true);
    expect(holds("node.ip==2001:db8::/32", six)).toBe(true);
    expect(holds("node.ip==2001:db9::/32", six)).toBe(false);
    expect(holds("node.ip==::ffff:10.1.2.3")).toBe(true);
    const named = aNode({ address: "node-a.example.com" });
    expect(holds("node.ip==10.0.0.0/8", named)).toBe(false);
    expect(holds("node.ip!=10.0.0.0/8", named)).toBe(true);
  });

  test("[S15] all constraints must hold", () => {
    expect(nodeMatches(parseConstraints(["node.role==worker", "node.labels.zone==us"]), node)).toBe(false);
    expect(nodeMatches([], node)).toBe(true);
  });

  test("[S23] a node has one of the platforms if system and architecture fit, whatever their spelling", () => {
    const supports = (...platforms: readonly [os: string, arch: string][]) =>
      nodeMatches(
        constraintsOf({ constraints: [], platforms: platforms.map(([os, arch]) => ({ os, arch })) }),
        node,
      );
    expect(supports(["linux", "arm64"])).toBe(true);
    expect(supports(["Linux", "aarch64"])).toBe(true);
    expect(supports(["linux", "amd64"])).toBe(false);
    expect(supports(["windows", "arm64"])).toBe(false);
    expect(supports(["linux", "amd64"], ["", "arm64"])).toBe(true);
    expect(supports(["linux", ""])).toBe(true);
    expect(supports()).toBe(true);
  });

  test("[S16] an invalid constraint is refused with SwarmKit's message", () => {
    const errorOf = (constraint: string) => {
      try {
        parseConstraints([constraint]);
        return "read";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(errorOf("node.role")).toBe("constraint expected one operator from ==, !=");
    expect(errorOf("node.role=worker")).toBe("constraint expected one operator from ==, !=");
    expect(errorOf("-node==x")).toBe("key '-node' is invalid");
    expect(errorOf("node.role==")).toBe("value '' is invalid");
    expect(errorOf("node.role==a>b")).toBe("value 'a>b' is invalid");
    expect(errorOf("node.labels.==x")).toMatch(/^key 'node\.labels\.' is invalid: use node\.id, /);
    expect(errorOf("zone==a")).toBe(
      "key 'zone' is invalid: use node.id, node.hostname, node.ip, node.role, node.platform.os, node.platform.arch, node.labels.NAME or engine.labels.NAME",
    );
  });
});

/** `my-web.1 node2` for each task of my-web that the plan places, sorted. */
function placed(
  nodes: readonly MeshNode[],
  services: readonly Service[],
  tasks: readonly Task[] = [],
): string[] {
  const world = aWorld(nodes, services, tasks);
  const plan = reconcile(world, { nowMs: now, newId: ids("new") });
  return plan.tasks
    .filter(({ state }) => state === "assigned")
    .map(
      (task) =>
        `${world.services.get(task.serviceId)?.spec.name}.${task.slot} ${world.nodes.get(task.nodeId ?? "")?.hostname}`,
    )
    .filter((line) => line.startsWith("my-web"))
    .sort();
}

/** The reasons of the tasks that are pending after the plan. */
function reasons(
  nodes: readonly MeshNode[],
  services: readonly Service[],
  tasks: readonly Task[] = [],
): string[] {
  const plan = reconcile(aWorld(nodes, services, tasks), { nowMs: now, newId: ids("new") });
  return plan.tasks.filter(({ state }) => state === "pending").map(({ err }) => err);
}

describe("the return of nodes", () => {
  const lost = three.map((node) => ({ ...node, state: "down" as const, stateSinceMs: now - 60_000 }));
  const service = aService({ replicas: 6 });
  const tasks = [1, 2, 3, 4, 5, 6].map((slot) =>
    aTask(service, { slot, nodeId: [node1, node2, node3][slot % 3]?.id ?? null }),
  );
  const settle = (world: World, nowMs: number, newId: () => string) => {
    let settled = world;
    for (let round = 0; round < 5; round += 1)
      settled = applyPlan(settled, reconcile(settled, { nowMs, newId }));
    return settled;
  };
  const back = (world: World, node: MeshNode, stateSinceMs: number): World => ({
    ...world,
    nodes: new Map(world.nodes).set(node.id, { ...node, state: "ready", stateSinceMs }),
  });
  const perNode = ({ tasks: all }: World) => {
    const live = [...all.values()].filter((task) => isWanted(task) && task.nodeId !== null);
    return three.map(({ id }) => live.filter(({ nodeId }) => nodeId === id).length);
  };

  test("[S21] after the loss of all nodes the first one that returns does not get the tasks of the others", () => {
    const newId = ids("new");
    let world = settle(aWorld(lost, [service], tasks), now, newId);
    for (const [index, node] of three.entries()) {
      const nowMs = now + index * 2_000;
      // The machine restarted: its tasks are gone, and its agent starts what it is assigned at once.
      const reported = new Map(world.tasks);
      for (const task of world.tasks.values()) {
        if (task.nodeId === node.id && task.state === "running")
          reported.set(task.id, { ...task, state: "failed", endedAtMs: nowMs });
      }
      world = settle(back({ ...world, tasks: reported }, node, nowMs), nowMs, newId);
      const started = new Map(world.tasks);
      for (const task of world.tasks.values()) {
        if (task.state === "assigned") started.set(task.id, { ...task, state: "running", ranSinceMs: nowMs });
      }
      world = settle({ ...world, tasks: started }, nowMs, newId);
    }
    world = settle(world, now + 600_000, newId);
    expect(perNode(world)).toEqual([2, 2, 2]);
  });

  test("[S22] five seconds after the first node its own and all other tasks run there; a single lost node delays nothing", () => {
    const newId = ids("new");
    const first = settle(back(settle(aWorld(lost, [service], tasks), now, newId), node1, now), now, newId);
    const reasons = (world: World) =>
      [...world.tasks.values()].filter(({ state }) => state === "pending").map(({ err }) => err);
    expect(new Set(reasons(first))).toEqual(new Set(["waiting for more nodes to return"]));
    expect(firstWakeMs(reconcile(first, { nowMs: now, newId }))).toBe(now + 5_000);
    expect(reasons(settle(first, now + 4_999, newId))).toHaveLength(4);
    expect(reasons(settle(first, now + 5_000, newId))).toEqual([]);
    const two = settle(back(first, node2, now + 1), now + 1, newId);
    const isLost = { ...node2, state: "down", stateSinceMs: now + 2 } as const;
    const lostAgain = { ...two, nodes: new Map(two.nodes).set(node2.id, isLost) };
    expect(reasons(settle(lostAgain, now + 2, newId))).toHaveLength(2);
    const oneLost = aWorld([{ ...node1, state: "down" }, node2, node3], [service], tasks);
    expect(reasons(settle(oneLost, now, newId))).toEqual([]);
  });
});
