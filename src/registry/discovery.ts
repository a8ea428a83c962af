// Discovered services: merges what nodes report into the services and tasks of the world.
//
// A node is trusted for what runs on itself and for nothing else. The first node that reports a name defines the
// service; another node adds tasks to it only with the same definition. Names, ports and host names that another
// service has stay with that service, and the reason is a warning.

import { exclusiveHostsOf, hostsOf } from "../domain/labels/labels.ts";
import { pathsOf } from "../domain/labels/path-labels.ts";
import { compareStrings } from "../domain/model/compare.ts";
import {
  type DiscoveredService,
  type DiscoveredTask,
  discoveredLabel,
  discoveryLabel,
} from "../domain/model/discovery.ts";
import { MeshError } from "../domain/model/error.ts";
import { isBalancer, isNodeDown, type MeshNode } from "../domain/model/node.ts";
import { allocatePorts } from "../domain/model/ports.ts";
import type { PortRequest, RunSpec, Service, ServiceSpec } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { validateSpec } from "../domain/validate/service.ts";
import { type DiscoveryReport, discoveredServiceId, discoveredTaskId } from "../protocol/discovery.ts";
import { type Draft, nodeSubject, serviceSubject } from "./draft.ts";
import { memberNode } from "./reports.ts";
import { sameData } from "./same-data.ts";
import { changesBetween } from "./versioned-map.ts";
import type { Entities } from "./world-index.ts";

/** Labels by which a service takes or gets the requests of others. Only an operator may set them. */
const operatorLabels = ["waggle.at", "waggle.default", "waggle.canary"];

/** A service as one node reports it. */
type Candidate = { readonly node: MeshNode; readonly service: DiscoveredService };

/** Records a report, unless it changes nothing. @throws MeshError node/not-found, discovery/invalid */
export function recordDiscovery(draft: Draft, nodeId: string, report: DiscoveryReport | undefined): void {
  const { discovery, discoveryProblems, ...node } = memberNode(draft, nodeId);
  if (sameData(discovery, report)) return;
  if (report === undefined) draft.put("nodes", node);
  else if (isBalancer(node)) {
    throw new MeshError("discovery/invalid", `${node.hostname} is a balancer and discovers no services`, {
      blame: "node",
      retry: "never",
    });
  } else draft.put("nodes", { ...node, ...(discoveryProblems && { discoveryProblems }), discovery: report });
}

/** Brings discovered services and tasks up to date with the reports of all nodes, and records what changed. */
export function settleDiscovery(draft: Draft): void {
  const before = draft.world;
  if (!isDiscoveryTouched(draft)) return;
  const after = withDiscovered(before, draft.nowMs);
  if (after === before) return;
  const services = changesBetween(before.services, after.services);
  for (const id of services.keys()) {
    const service = after.services.get(id);
    if (service?.discovered === undefined || before.services.has(id)) continue;
    draft.recordEvent(
      actorOf(service, after),
      "service.discover",
      serviceSubject(service),
      service.discovered.source,
    );
  }
  for (const [id, service] of services) {
    if (service !== undefined && !after.services.has(id))
      draft.recordEvent(actorOf(service, before), "service.vanish", serviceSubject(service));
  }
  for (const [id, old] of changesBetween(before.nodes, after.nodes)) {
    const node = after.nodes.get(id);
    for (const problem of node?.discoveryProblems ?? [])
      if (node !== undefined && !old?.discoveryProblems?.includes(problem))
        draft.recordEvent(`node ${node.hostname}`, "node.discovery", nodeSubject(node), problem);
  }
  putChanges(draft, "nodes", after.nodes);
  putChanges(draft, "services", after.services);
  putChanges(draft, "tasks", after.tasks);
}

/** True if a merge may change something: reports, what they are merged with, or what was merged from them. */
function isDiscoveryTouched(draft: Draft): boolean {
  const { index, world } = draft;
  if (index.reporters.size + index.discovered.size === 0) return false;
  if (draft.touched("nodes").size + draft.touched("services").size > 0) return true;
  return [...draft.touched("tasks")].some(([id, before]) => (world.tasks.get(id) ?? before)?.discovered);
}

function putChanges<K extends keyof Entities>(
  draft: Draft,
  kind: K,
  after: ReadonlyMap<string, Entities[K]>,
): void {
  const before: ReadonlyMap<string, Entities[K]> = draft.world[kind];
  for (const id of changesBetween(before, after).keys()) {
    const entry = after.get(id);
    if (entry === undefined) draft.remove(kind, id);
    else draft.put(kind, entry);
  }
}

function actorOf({ discovered }: Service, { nodes }: World): string {
  return `node ${nodes.get(discovered?.nodeId ?? "")?.hostname ?? discovered?.nodeId}`;
}

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

function candidatesOf(node: MeshNode): Candidate[] {
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

  add(name: string, candidates: readonly Candidate[]): void {
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
  #isMember({ node, service }: Candidate, owner: Candidate): boolean {
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
  #tasksOf(name: string, owner: Candidate, members: readonly Candidate[]): readonly ReportedTask[] {
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
    owner: Candidate,
    members: readonly Candidate[],
    taskCount: number,
  ): Service {
    const { service: defined, node } = owner;
    const warnings = [...defined.warnings, ...this.#missingWarnings(defined, taskCount)];
    const published = this.#published(owner, warnings);
    const ports = this.#ports(published.ports, known, warnings);
    const where = [...new Set(members.map(({ node: { hostname } }) => hostname))].sort(compareStrings);
    const labels = { ...published.labels, [discoveredLabel]: `${defined.source} on ${where.join(", ")}` };
    const spec = specOf(defined, labels, published.ports, taskCount);
    const next = {
      id,
      spec,
      document: documentOf(spec),
      previous: null,
      ports,
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

  /** The labels and ports by which a service is published: none if one of its labels cannot be used. */
  #published(
    { node, service }: Candidate,
    warnings: string[],
  ): { readonly labels: DiscoveredService["labels"]; readonly ports: readonly PortRequest[] } {
    const ports = onePerPublished(service.ports).map(({ target, published }) => ({
      target,
      mode: "ingress" as const,
      ...(published !== undefined && { published }),
    }));
    try {
      const restricted = operatorLabels.find((label) => service.labels[label] !== undefined);
      if (restricted !== undefined) {
        throw new MeshError(
          "label/invalid",
          `label '${restricted}' concerns other services, which only an operator may change`,
          { blame: "operator", retry: "never" },
        );
      }
      validateSpec(specOf(service, service.labels, ports, 0));
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      warnings.push(`not published: ${error.message}`);
      return { labels: {}, ports: [] };
    }
    const conflict = this.#hostConflict(node, service);
    if (conflict === null) return { labels: service.labels, ports };
    warnings.push(conflict);
    const { "waggle.host": _host, "waggle.path": _path, ...labels } = service.labels;
    return { labels, ports };
  }

  /** Why a service does not get its host names; null if it gets them all. */
  #hostConflict(node: MeshNode, { labels }: DiscoveredService): string | null {
    const wanted = new Set(namedHosts(labels));
    if (wanted.size === 0) return null;
    const exclusive = new Set(exclusiveHostsOf(labels));
    for (const other of this.#services.values()) {
      const isOurs = other.discovered?.nodeId === node.id;
      // Services that one node defines may share a host name by their paths.
      const taken = isOurs
        ? exclusiveHostsOf(other.spec.labels).filter((host) => exclusive.has(host))
        : namedHosts(other.spec.labels).filter((host) => wanted.has(host));
      if (taken[0] !== undefined)
        return `not published at host name ${taken[0]}, which leads to service ${other.spec.name}`;
    }
    const entry = [...this.#before.nodes.values()].flatMap(({ entryHosts }) => entryHosts);
    const own = entry.map((host) => host.toLowerCase()).find((host) => wanted.has(host));
    return own === undefined ? null : `not published at host name ${own}, which is the entry point of a node`;
  }

  /** The ports that are free; each other one is a warning. */
  #ports(requests: readonly PortRequest[], known: Service | undefined, warnings: string[]): Service["ports"] {
    const others = [...this.#services.values()];
    const free = requests.filter((request) => {
      try {
        allocatePorts([request], [], others);
        return true;
      } catch (error) {
        if (!(error instanceof MeshError)) throw error;
        warnings.push(`not published: ${error.message}`);
        return false;
      }
    });
    return allocatePorts(free, known?.ports ?? [], others);
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

/** All host names that a service has a part of. */
function namedHosts(labels: Service["spec"]["labels"]): readonly string[] {
  const hosts = hostsOf(labels);
  const rules = pathsOf(labels, hosts)?.rules ?? [];
  return [...new Set([...hosts, ...rules.flatMap(({ host }) => host ?? [])])];
}

/** Each published port once, the first target that asks for it. */
function onePerPublished(ports: DiscoveredService["ports"]): DiscoveredService["ports"] {
  return ports.filter(
    ({ published }, index) =>
      published === undefined || ports.findIndex((port) => port.published === published) === index,
  );
}

function originOf(address: string, port: number): string {
  return `http://${address.includes(":") ? `[${address}]` : address}:${port}`;
}

function specOf(
  { name, image, ports: defined }: DiscoveredService,
  labels: ServiceSpec["labels"],
  ports: readonly PortRequest[],
  replicas: number,
): ServiceSpec {
  const targets = [...new Set(defined.map(({ target }) => target))].sort((a, b) => a - b);
  return {
    name,
    labels,
    run: { ...emptyRun, image, targets },
    mode: { kind: "replicated", replicas },
    ports,
    constraints: [],
    maxPerNode: 0,
    reservations: { nanoCpus: 0, memoryBytes: 0 },
    restart: { condition: "none", maxAttempts: 0, windowMs: 0 },
    update: { parallelism: 1, order: "start-first" },
    forceUpdate: 0,
  };
}

const emptyRun: Omit<RunSpec, "image" | "targets"> = {
  command: [],
  args: [],
  env: [],
  dir: "",
  stopSignal: "",
  stopGraceMs: 0,
};

/** The service as the Engine API shows it. */
function documentOf({ name, labels, run, mode, ports }: ServiceSpec): unknown {
  return {
    Name: name,
    Labels: labels,
    TaskTemplate: { ContainerSpec: { Image: run.image } },
    Mode: { Replicated: { Replicas: mode.kind === "replicated" ? mode.replicas : 0 } },
    ...(ports.length > 0 && {
      EndpointSpec: {
        Mode: "vip",
        Ports: ports.map(({ target, published }) => ({
          Protocol: "tcp",
          TargetPort: target,
          ...(published !== undefined && { PublishedPort: published }),
          PublishMode: "ingress",
        })),
      },
    }),
  };
}

function factsOf({ version, createdAtMs, updatedAtMs, ...facts }: Service): unknown {
  return facts;
}

/** `after`, or `before` if both have the same values. */
function keepEqual<T>(before: ReadonlyMap<string, T>, after: ReadonlyMap<string, T>): ReadonlyMap<string, T> {
  const isSame = before.size === after.size && [...after].every(([id, value]) => before.get(id) === value);
  return isSame ? before : after;
}
