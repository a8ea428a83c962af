// The merge of what nodes discovered: which reports make up a service, and which tasks it has.
//
// A node is trusted for what runs on itself and for nothing else. The first node that reports a name defines the
// service; another node adds tasks to it only with the same definition. What another service has stays with that
// service (discovered-publishing.ts), and the reason is a warning.

import { compareStrings } from "../domain/model/compare.ts";
import {
  type DiscoveredService,
  type DiscoveredTask,
  discoveredLabel,
  discoveryLabel,
} from "../domain/model/discovery.ts";
import { isBalancer, isNodeDown, type MeshNode } from "../domain/model/node.ts";
import type { Service } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { discoveredServiceId, discoveredTaskId } from "../protocol/discovery.ts";
import { discoveredSpec, documentOf, publishingOf, type ReportedService } from "./discovered-publishing.ts";
import { sameData } from "./same-data.ts";

/**
 * The world with the discovered services and tasks that the nodes report. The reports of a node that is down, or
 * that an operator excluded by its label, do not count. Applied twice it changes nothing the second time.
 *
 * @returns the same reference if nothing changes
 * @see docs/spec.md M120-M129
 */
export function withDiscovered(world: World, nowMs: number): World {
  const reporters = [...world.nodes.values()]
    .filter(isReporter)
    .sort((a, b) => a.createdAtMs - b.createdAtMs || compareStrings(a.id, b.id));
  const services = new Map([...world.services].filter(([, { discovered }]) => discovered === undefined));
  const isUnused = reporters.length === 0 && services.size === world.services.size;
  if (isUnused && ![...world.nodes.values()].some(({ discoveryProblems }) => discoveryProblems)) return world;
  const merge = new Merge(world, services, nowMs);
  const byName = Map.groupBy(reporters.flatMap(candidatesOf), ({ service }) => service.name);
  for (const name of oldestFirst([...byName.keys()], world)) merge.add(name, byName.get(name) ?? []);
  return merge.world();
}

function candidatesOf(node: MeshNode): ReportedService[] {
  return (node.discovery?.services ?? []).map((service) => ({ node, service }));
}

/** Names of services that exist already first, so that they keep their ports; then by name. */
function oldestFirst(names: readonly string[], { services }: World): readonly string[] {
  const since = new Map<string, number>();
  for (const { spec, discovered, createdAtMs } of services.values())
    if (discovered !== undefined) since.set(spec.name, createdAtMs);
  const ageOf = (name: string) => since.get(name) ?? Number.MAX_SAFE_INTEGER;
  return [...names].sort((a, b) => ageOf(a) - ageOf(b) || compareStrings(a, b));
}

class Merge {
  readonly #before: World;
  readonly #nowMs: number;
  /** Services of operators, then those merged so far. */
  readonly #services: Map<string, Service>;
  readonly #tasks: Map<string, Task>;
  readonly #problems = new Map<string, string[]>();

  constructor(before: World, services: Map<string, Service>, nowMs: number) {
    this.#before = before;
    this.#services = services;
    this.#nowMs = nowMs;
    this.#tasks = new Map([...before.tasks].filter(([, { discovered }]) => discovered === undefined));
  }

  add(name: string, candidates: readonly ReportedService[]): void {
    const id = discoveredServiceId(name);
    const known = this.#before.services.get(id);
    const owner = candidates.find(({ node }) => node.id === known?.discovered?.nodeId) ?? candidates[0];
    if (owner === undefined) return;
    const created = [...this.#services.values()].find(({ spec }) => spec.name === name);
    if (created !== undefined) {
      const why = `${what(owner.service)} is not published: an operator created a service of this name; give it another one by the label waggle.service`;
      for (const { node } of candidates) this.#report(node, why);
      return;
    }
    const members = candidates.filter((candidate) => this.#isMember(candidate, owner));
    const tasks = this.#tasksOf(name, owner, members);
    const service = this.#service(id, known, owner, members, tasks.length);
    this.#services.set(id, service);
    const slots = this.#keptSlots(tasks);
    for (const task of tasks) this.#addTask(task, service, slots);
  }

  /** The merged world; the same maps and the same reference where nothing changed. */
  world(): World {
    const { nodes, services, tasks } = this.#before;
    const next = {
      nodes: keepEqual(nodes, this.#nodes()),
      services: keepEqual(services, this.#services),
      tasks: keepEqual(tasks, this.#tasks),
    };
    const isSame = next.nodes === nodes && next.services === services && next.tasks === tasks;
    return isSame ? this.#before : { ...this.#before, ...next };
  }

  #nodes(): ReadonlyMap<string, MeshNode> {
    return new Map(
      [...this.#before.nodes].map(([id, node]) => {
        const problems = this.#problems.get(id);
        if (sameData(node.discoveryProblems, problems)) return [id, node];
        const { discoveryProblems: _before, ...rest } = node;
        return [id, problems === undefined ? rest : { ...rest, discoveryProblems: problems }];
      }),
    );
  }

  #report({ id }: MeshNode, problem: string): void {
    this.#problems.set(id, [...(this.#problems.get(id) ?? []), problem]);
  }

  /** True if a node's tasks belong to the service as its owner defines it. */
  #isMember({ node, service }: ReportedService, owner: ReportedService): boolean {
    if (node === owner.node) return true;
    // The managers of a Swarm report it all; which tasks belong to it, the owner says.
    if (service.source === "swarm" && owner.service.source === "swarm") return true;
    const difference = differenceOf(service, owner.service);
    if (difference === null) return true;
    this.#report(
      node,
      `${what(service)} gets no requests: its ${difference} differ from those of the service ${service.name} on node ${owner.node.hostname}; make them equal, or give it another name by the label waggle.service`,
    );
    return false;
  }

  /** The tasks of a service: those of its members, and of a Swarm those that other nodes run for it. */
  #tasksOf(
    name: string,
    owner: ReportedService,
    members: readonly ReportedService[],
  ): readonly ReportedTask[] {
    const ownTasks = members.flatMap(({ node }) => reportedTasks(node, name));
    if (owner.service.source !== "swarm") return ownTasks.filter(({ task }) => task.swarmTask === undefined);
    const listed = new Set(owner.service.elsewhere.map(({ swarmTask }) => swarmTask));
    const others = [...this.#before.nodes.values()].filter((node) => node !== owner.node && isReporter(node));
    return [
      ...ownTasks.filter(({ node }) => node === owner.node),
      ...others
        .flatMap((node) => (node.discovery?.tasks ?? []).map((task) => ({ node, task })))
        .filter(({ task }) => task.swarmTask !== undefined && listed.has(task.swarmTask)),
    ];
  }

  #service(
    id: string,
    known: Service | undefined,
    owner: ReportedService,
    members: readonly ReportedService[],
    taskCount: number,
  ): Service {
    const { service: defined, node } = owner;
    const others = { nodes: this.#before.nodes, services: this.#services };
    const published = publishingOf(owner, known?.ports ?? [], others);
    const warnings = [
      ...defined.warnings,
      ...this.#missingWarnings(defined, taskCount),
      ...published.warnings,
    ];
    const where = [...new Set(members.map(({ node: { hostname } }) => hostname))].sort(compareStrings);
    const labels = { ...published.labels, [discoveredLabel]: `${defined.source} on ${where.join(", ")}` };
    const spec = discoveredSpec(defined, labels, published.requests, taskCount);
    const next = {
      id,
      spec,
      document: documentOf(spec),
      previous: null,
      ports: published.ports,
      runHash: "",
      discovered: { source: defined.source, nodeId: node.id, warnings },
    };
    if (known !== undefined && sameData(factsOf(known), next)) return known;
    return {
      ...next,
      version: (known?.version ?? 0) + 1,
      createdAtMs: known?.createdAtMs ?? this.#nowMs,
      updatedAtMs: this.#nowMs,
    };
  }

  /** A Swarm's tasks on nodes whose agents do not report them. */
  #missingWarnings({ elsewhere }: DiscoveredService, taskCount: number): readonly string[] {
    if (elsewhere.length === 0) return [];
    const reporters = [...this.#before.nodes.values()].filter(isReporter);
    const reported = new Set(
      reporters.flatMap(
        ({ discovery }) => discovery?.tasks.flatMap(({ swarmTask }) => swarmTask ?? []) ?? [],
      ),
    );
    const missing = elsewhere.filter(({ swarmTask }) => !reported.has(swarmTask));
    if (missing.length === 0) return [];
    const hosts = [...new Set(missing.map(({ hostname }) => hostname))].sort(compareStrings);
    const all = taskCount + missing.length;
    return [
      `${missing.length} of ${all} tasks run on Swarm nodes without an agent (${hosts.join(", ")}) and get no requests: run waggle agent there`,
    ];
  }

  /** The slots of the tasks that are there already. */
  #keptSlots(tasks: readonly ReportedTask[]): Set<number> {
    const kept = tasks.map(({ node, task }) => this.#before.tasks.get(discoveredTaskId(node.id, task.key)));
    return new Set(kept.flatMap((task) => task?.slot ?? []));
  }

  /** @param slots of the service's other tasks; the new task's slot is added */
  #addTask({ node, task }: ReportedTask, service: Service, slots: Set<number>): void {
    const id = discoveredTaskId(node.id, task.key);
    const known = this.#before.tasks.get(id);
    const slot = known?.slot ?? lowestFree(slots);
    slots.add(slot);
    const startedAtMs = Math.min(task.startedAtMs, this.#nowMs);
    const { targets } = service.spec.run;
    const next: Omit<Task, "version"> = {
      id,
      serviceId: service.id,
      slot,
      nodeId: node.id,
      run: { ...service.spec.run, image: task.image },
      document: { ContainerSpec: { Image: task.image } },
      runHash: "",
      desired: "running",
      state: "running",
      message: "started",
      err: "",
      stateSinceMs: startedAtMs,
      createdAtMs: startedAtMs,
      notBeforeMs: 0,
      endpoints: targets.map((target) => ({ target, origin: originOf(task.address, target) })),
      health: task.health,
      pid: null,
      exitCode: null,
      containerId: task.containerId,
      discovered: true,
      ...(known?.admin && { admin: known.admin }),
      ranSinceMs: known?.ranSinceMs ?? this.#nowMs,
    };
    const { version = 0, ...facts } = known ?? {};
    const isSame = known !== undefined && sameData(facts, next);
    this.#tasks.set(id, isSame ? known : { ...next, version: version + 1 });
  }
}

function lowestFree(slots: ReadonlySet<number>): number {
  for (let slot = 1; ; slot += 1) if (!slots.has(slot)) return slot;
}

type ReportedTask = { readonly node: MeshNode; readonly task: DiscoveredTask };

function reportedTasks(node: MeshNode, service: string): ReportedTask[] {
  return (node.discovery?.tasks ?? [])
    .filter((task) => task.service === service)
    .map((task) => ({ node, task }));
}

/** True for a node whose report counts. */
function isReporter(node: MeshNode): boolean {
  const isExcluded = isNodeDown(node) || isBalancer(node) || node.labels[discoveryLabel] === "off";
  return node.discovery !== undefined && !isExcluded;
}

/** What two definitions of one name differ in; null if they are equal. */
function differenceOf(a: DiscoveredService, b: DiscoveredService): string | null {
  if (a.source !== b.source) return "sources";
  if (!sameData(a.ports, b.ports)) return "ports";
  return sameData(a.labels, b.labels) ? null : "labels";
}

function what({ name, source }: DiscoveredService): string {
  return `discovered service ${name} (${source})`;
}

function originOf(address: string, port: number): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function factsOf({ version, createdAtMs, updatedAtMs, ...facts }: Service): unknown {
  return facts;
}

/** `after`, or `before` if both have the same values. */
function keepEqual<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  const isSame = before.size === after.size && [...after].every(([id, value]) => before.get(id) === value);
  return isSame ? before : after;
}
