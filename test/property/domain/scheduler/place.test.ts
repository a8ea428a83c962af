// The scheduler follows the ranks of the nodes to the first one that fits. That must be the node that a comparison of
// all nodes gives.

import fc from "fast-check";
import { expect, test } from "vitest";
import {
  attributeValue,
  constraintsOf,
  nodeMatches,
  parseConstraints,
} from "../../../../src/domain/model/constraint.ts";
import { canTakeTasks, type MeshNode } from "../../../../src/domain/model/node.ts";
import type { Service } from "../../../../src/domain/model/service.ts";
import type { Task } from "../../../../src/domain/model/task.ts";
import type { World } from "../../../../src/domain/model/world.ts";
import {
  type FilterName,
  failedCapacityFilter,
  failedFilter,
  noSuitableNodeText,
} from "../../../../src/domain/scheduler/filter.ts";
import type { UnplacedTask } from "../../../../src/domain/scheduler/node-choice.ts";
import { hostPortsOf, NodeInfo, nodeTasksOf } from "../../../../src/domain/scheduler/node-info.ts";
import { NodeRanks } from "../../../../src/domain/scheduler/node-ranks.ts";
import { placeTasks } from "../../../../src/domain/scheduler/place.ts";
import { WorldIndex } from "../../../../src/registry/world-index.ts";
import { aNode, aService, aTask, aWorld, now, type SpecOver } from "../../../support/world.ts";

const labels = fc.record(
  { zone: fc.constantFrom("a", "b", "A"), rack: fc.constantFrom("1", "2") },
  { requiredKeys: [] },
);
const nodeFields = fc.record({
  // Two nodes may have one name.
  hostname: fc.constantFrom("node1", "node2", "node3", "node4", "node5"),
  labels,
  state: fc.constantFrom<MeshNode["state"]>("ready", "ready", "ready", "ready", "down", "disconnected"),
  availability: fc.constantFrom<MeshNode["availability"]>("active", "active", "active", "pause", "drain"),
  role: fc.constantFrom<MeshNode["role"]>("worker", "worker", "manager"),
  address: fc.constantFrom("10.0.0.1", "10.0.1.1"),
  platform: fc.constantFrom({ os: "linux", arch: "x86_64" }, { os: "linux", arch: "arm64" }),
  resources: fc.record({
    nanoCpus: fc.constantFrom(1e9, 4e9),
    memoryBytes: fc.constantFrom(1e9, 8e9),
    generic: fc.constantFrom({}, { gpu: 2 }),
  }),
});
const specFields: fc.Arbitrary<SpecOver> = fc.record(
  {
    constraints: fc.constantFrom(
      [],
      ["node.labels.zone==a"],
      ["node.labels.zone!=b", "node.role==worker"],
      ["node.hostname==NODE1"],
      ["node.hostname!=node2", "node.hostname!=node3"],
      ["node.hostname!=node1"],
      ["node.ip==10.0.0.0/24", "node.labels.rack==1"],
      ["node.platform.arch==x86_64"],
    ),
    platforms: fc.constantFrom([], [{ os: "linux", arch: "amd64" }]),
    spreadOver: fc.constantFrom(
      [],
      ["node.labels.zone"],
      ["node.labels.zone", "node.labels.rack"],
      ["node.labels.rack"],
    ),
    reservations: fc.constantFrom(
      { nanoCpus: 0, memoryBytes: 0 },
      { nanoCpus: 1e9, memoryBytes: 0 },
      { nanoCpus: 0, memoryBytes: 3e9 },
      { nanoCpus: 0, memoryBytes: 0, generic: { gpu: 1 } },
    ),
    maxPerNode: fc.constantFrom(0, 0, 1, 2),
    ports: fc.constantFrom<NonNullable<SpecOver["ports"]>[]>(
      [{ target: 80, published: 8080, mode: "ingress" }],
      [{ target: 80, published: 9000, mode: "host" }],
    ),
  },
  { requiredKeys: [] },
);
const number = fc.nat(1_000);
const taskFields = fc.record({
  service: number,
  node: number,
  state: fc.constantFrom<Task["state"]>("running", "running", "running", "starting", "failed", "rejected"),
  desired: fc.constantFrom<Task["desired"]>("running", "running", "running", "shutdown"),
  agoMs: fc.constantFrom(1_000, 400_000),
  /** The plan stops it before others are placed. */
  isStopped: fc.boolean(),
});
const waitingFields = fc.record({
  service: number,
  node: number,
  kind: fc.constantFrom("new", "new", "new", "replacement", "for its node"),
});
const cases = fc.record({
  nodes: fc.array(nodeFields, { minLength: 2, maxLength: 12, size: "max" }),
  services: fc.array(specFields, { minLength: 1, maxLength: 3 }),
  tasks: fc.array(taskFields, { maxLength: 25 }),
  waiting: fc.array(waitingFields, { minLength: 1, maxLength: 25 }),
});
type Case = typeof cases extends fc.Arbitrary<infer T> ? T : never;

test("[S30] ranks lead to the node that a comparison of all nodes gives, and to the same reasons", () => {
  let placed = 0;
  let refused = 0;
  fc.assert(
    fc.property(cases, (drawn) => {
      const { world, before, unplaced } = caseOf(drawn);
      const nodeTasks = nodeTasksOf(world.tasks.values());
      const wantedBefore = nodeTasksOf(before.values());
      const placements = placeTasks(unplaced, {
        world,
        nowMs: now,
        nodeTasks,
        ranks: new NodeRanks(world.nodes.values(), wantedBefore.wantedOn),
        emptiedNodes: [...world.nodes.keys()].filter(
          (id) => nodeTasks.wantedOn(id) < wantedBefore.wantedOn(id),
        ),
        tasksOf: (serviceId) => [...before.values()].filter((task) => task.serviceId === serviceId),
        latest: (task) => world.tasks.get(task.id),
      });
      const chosen = new Map(
        placements.map((one) => [one.task.id, one.node === null ? one.reason : one.node.id]),
      );
      expect(chosen).toEqual(new Map(comparingAll(unplaced, world)));
      placed += placements.filter(({ node }) => node !== null).length;
      refused += placements.filter(({ node }) => node === null).length;
    }),
    { numRuns: 1_500 },
  );
  expect(placed).toBeGreaterThan(1_500);
  expect(refused).toBeGreaterThan(500);
});

/** @returns the world as the plan leaves it, and its tasks before the plan */
function caseOf({ nodes, services, tasks, waiting }: Case): {
  readonly world: World;
  readonly before: ReadonlyMap<string, Task>;
  readonly unplaced: readonly UnplacedTask[];
} {
  const meshNodes = nodes.map((fields, at) => aNode({ ...fields, id: `n${at}` }));
  const meshServices = services.map((spec, at) => aService({ ...spec, name: `service${at}` }));
  const serviceAt = (n: number) => meshServices[n % meshServices.length] as Service;
  const nodeAt = (n: number) => meshNodes[n % Math.max(1, meshNodes.length)]?.id ?? "removed";
  const existing = tasks.map(({ service, node, state, desired, agoMs }, at) =>
    aTask(serviceAt(service), {
      id: `t${at}`,
      slot: at + 1,
      nodeId: nodeAt(node),
      state,
      desired,
      stateSinceMs: now - agoMs,
    }),
  );
  const unplaced = waiting.map(({ service, node, kind }, at): UnplacedTask => {
    const forNode = kind === "for its node" ? { forNode: nodeAt(node) } : {};
    const of = serviceAt(service);
    const task = aTask(of, { id: `w${at}`, slot: at + 100, nodeId: null, state: "pending", ...forNode });
    return { task, service: of, outgoingNodeId: kind === "replacement" ? nodeAt(node) : null };
  });
  const latest = existing.map((task, at) =>
    tasks[at]?.isStopped ? { ...task, desired: "shutdown" as const } : task,
  );
  return {
    world: aWorld(meshNodes, meshServices, latest),
    before: new Map(existing.map((task) => [task.id, task])),
    unplaced,
  };
}

/** The scheduler without ranks: looks at all nodes for each task. Entries are a task's id and its node's, or why. */
function comparingAll(unplaced: readonly UnplacedTask[], world: World): (readonly [string, string])[] {
  const tasks = [...world.tasks.values()];
  const nodeTasks = nodeTasksOf(tasks);
  const infos = [...world.nodes.values()].map((node) => new NodeInfo(node, world.services, nodeTasks));
  const refused: UnplacedTask[] = [];
  const chosen = unplaced.toSorted(inOrder).flatMap((waiting): [string, string][] => {
    const { task, service, outgoingNodeId } = waiting;
    const requirements = requirementsOf(service);
    const candidates = infos.filter(
      ({ node }) => canTakeTasks(node) && nodeMatches(requirements.constraints, node),
    );
    const serviceTasks = ({ node, use }: NodeInfo) =>
      (use.tasksOf.get(service.id) ?? 0) - (node.id === outgoingNodeId ? 1 : 0);
    const rankOf = (info: NodeInfo): readonly number[] => {
      const values = spreadValues(service, info.node);
      const ofLevel = values.map((_, level) => {
        const isIn = ({ node }: NodeInfo) =>
          spreadValues(service, node)
            .slice(0, level + 1)
            .join() === values.slice(0, level + 1).join();
        return candidates.filter(isIn).reduce((sum, other) => sum + serviceTasks(other), 0);
      });
      const isOutgoing = info.node.id === outgoingNodeId ? 1 : 0;
      return [
        failures(tasks, service, info.node) >= 3 ? 1 : 0,
        ...ofLevel,
        serviceTasks(info),
        info.tasks - isOutgoing,
      ];
    };
    const fitting = candidates
      .filter(({ node }) => task.forNode === undefined || task.forNode === node.id)
      .filter((info) => failedCapacityFilter(info, requirements, outgoingNodeId) === null)
      .map((info) => ({ info, rank: rankOf(info) }));
    const [best] = fitting.sort((a, b) => {
      const level = a.rank.findIndex((value, at) => value !== b.rank[at]);
      if (level !== -1) return (a.rank[level] ?? 0) - (b.rank[level] ?? 0);
      return `${a.info.node.hostname} ${a.info.node.id}` < `${b.info.node.hostname} ${b.info.node.id}`
        ? -1
        : 1;
    });
    if (best === undefined) {
      refused.push(waiting);
      return [];
    }
    best.info.add(service);
    return [[task.id, best.info.node.id]];
  });
  return [...chosen, ...refused.map((waiting) => [waiting.task.id, reasonOf(waiting, infos)] as const)];
}

function requirementsOf(service: Service) {
  return { service, constraints: constraintsOf(service.spec), hostPorts: hostPortsOf(service) };
}

function reasonOf({ task, service, outgoingNodeId }: UnplacedTask, infos: readonly NodeInfo[]): string {
  const counts = new Map<FilterName, number>();
  for (const info of infos) {
    if (task.forNode !== undefined && task.forNode !== info.node.id) continue;
    const failed = failedFilter(info, requirementsOf(service), outgoingNodeId);
    if (failed !== null) counts.set(failed, (counts.get(failed) ?? 0) + 1);
  }
  return noSuitableNodeText(counts);
}

function spreadValues({ spec }: Service, node: MeshNode): string[] {
  return (spec.spreadOver ?? []).map((descriptor) => attributeValue(descriptor, node));
}

function failures(tasks: readonly Task[], service: Service, { id }: MeshNode): number {
  return tasks
    .filter(
      (task) => task.serviceId === service.id && task.nodeId === id && task.stateSinceMs > now - 300_000,
    )
    .reduce((sum, { state }) => sum + (state === "failed" ? 1 : state === "rejected" ? 3 : 0), 0);
}

function inOrder(a: UnplacedTask, b: UnplacedTask): number {
  const name = ({ service }: UnplacedTask) => service.spec.name;
  return (
    a.task.createdAtMs - b.task.createdAtMs ||
    (name(a) === name(b) ? a.task.slot - b.task.slot : name(a) < name(b) ? -1 : 1)
  );
}

const changes = fc.array(
  fc.oneof(
    fc.record({
      kind: fc.constant("node" as const),
      at: fc.nat(7),
      leaving: fc.boolean(),
      fields: nodeFields,
    }),
    fc.record({ kind: fc.constant("no node" as const), at: fc.nat(7) }),
    fc.record({ kind: fc.constant("task" as const), at: fc.nat(20), fields: taskFields }),
    fc.record({ kind: fc.constant("no task" as const), at: fc.nat(20) }),
  ),
  { maxLength: 40 },
);

test("[S31] ranks that followed the changes of nodes and tasks are those of the world", () => {
  fc.assert(
    fc.property(changes, (drawn) => {
      const service = aService();
      const nodes = new Map<string, MeshNode>();
      const tasks = new Map<string, Task>();
      const world = { ...aWorld(), nodes, tasks };
      const index = new WorldIndex(world);
      const ranks = index.nodeRanks(world);
      for (const grouping of groupings) ranksBy(ranks, grouping);
      for (const change of drawn) {
        const id = `${change.kind.endsWith("node") ? "n" : "t"}${change.at}`;
        if (change.kind === "node")
          put(index, "nodes", nodes, aNode({ ...change.fields, id, leaving: change.leaving }));
        else if (change.kind === "task") {
          const { node, state, desired } = change.fields;
          put(index, "tasks", tasks, aTask(service, { id, nodeId: `n${node % 8}`, state, desired }));
        } else if (change.kind === "no node") put(index, "nodes", nodes, undefined, id);
        else put(index, "tasks", tasks, undefined, id);
        const made = new WorldIndex(world).nodeRanks(world);
        for (const grouping of groupings) expect(ranksBy(ranks, grouping)).toEqual(ranksBy(made, grouping));
      }
    }),
    { numRuns: 300 },
  );
});

function put<K extends "nodes" | "tasks", V extends K extends "nodes" ? MeshNode : Task>(
  index: WorldIndex,
  kind: K,
  entries: Map<string, V>,
  value: V | undefined,
  id = value?.id ?? "",
): void {
  index.replace(kind, entries.get(id) as never, value as never);
  if (value === undefined) entries.delete(id);
  else entries.set(id, value);
}

const groupings = [
  { names: [], texts: [] },
  { names: ["node.labels.zone"], texts: ["node.labels.zone!=a"] },
  { names: ["node.labels.rack", "node.role"], texts: ["node.role==worker"] },
  { names: ["node.hostname"], texts: ["node.hostname==NODE1"] },
];

/** The groups of nodes, and those of them that meet the constraints. */
function ranksBy(ranks: NodeRanks, { names, texts }: (typeof groupings)[number]) {
  const grouping = ranks.by(names);
  const groups = [...grouping.groups].map(([key, group]) => [key, [...group]] as const);
  return {
    groups: groups.sort(([a], [b]) => (a < b ? -1 : 1)),
    meeting: [...grouping.meeting(parseConstraints(texts))].sort(),
  };
}

test("[S32] however many nodes there are, a task is placed after a look at a few", () => {
  const looks = [100, 3_000].map((count) => {
    const zones = ["a", "b", "c"];
    const nodes = Array.from({ length: count }, (_, n) =>
      aNode({ id: `n${n}`, hostname: `node${n}`, labels: { zone: zones[n % 3] ?? "" } }),
    );
    const service = aService({
      constraints: ["node.labels.zone!=c"],
      spreadOver: ["node.labels.zone"],
      reservations: { nanoCpus: 1e9, memoryBytes: 0 },
    });
    const tasks = nodes
      .slice(0, 5)
      .map((node, slot) => aTask(service, { id: `t${slot}`, slot, nodeId: node.id }));
    const world = aWorld(nodes, [service], tasks);
    const before = nodeTasksOf(tasks);
    const ranks = new NodeRanks(nodes, before.wantedOn);
    const looked = new Set<string>();
    const nodeTasks = {
      wantedOn: (nodeId: string) => {
        looked.add(nodeId);
        return before.wantedOn(nodeId);
      },
      tasksOn: before.tasksOn,
    };
    const waiting = Array.from({ length: 3 }, (_, n) => ({
      task: aTask(service, { id: `w${n}`, slot: 10 + n, nodeId: null, state: "pending" }),
      service,
      outgoingNodeId: null,
    }));
    const context = { world, nowMs: now, nodeTasks, ranks, emptiedNodes: [] };
    const placements = placeTasks(waiting, { ...context, tasksOf: () => tasks, latest: (task) => task });
    expect(placements.filter(({ node }) => node !== null)).toHaveLength(3);
    return looked.size;
  });
  expect(looks[1]).toBe(looks[0]);
  expect(looks[1]).toBeLessThan(15);
});
