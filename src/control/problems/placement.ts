// Why no node can take a task of a service: which constraint, resource or port excludes which nodes, and what would
// change that. The scheduler's own filters decide, as the mesh is now.

import {
  type Constraint,
  constraintsOf,
  nodeMatches,
  parseConstraints,
} from "../../domain/model/constraint.ts";
import { isBalancer, type MeshNode } from "../../domain/model/node.ts";
import type { ImagePlatform } from "../../domain/model/service.ts";
import type { Task } from "../../domain/model/task.ts";
import { type FilterName, failedFilter } from "../../domain/scheduler/filter.ts";
import {
  hostPortsOf,
  NodeInfo,
  nodeTasksOf,
  type TaskRequirements,
} from "../../domain/scheduler/node-info.ts";
import type { ServiceView } from "../../registry/api.ts";
import type { MeshView } from "../mesh-view.ts";
import { countText, listText } from "./words.ts";

/** Nodes in one reason; the others are counted. */
const maxNamedNodes = 3;
/** Steps in one advice: more would hide the first. */
const maxAdvices = 2;

/** One reason, and the nodes that it excludes. */
type Exclusion = {
  /** Reads after the nodes: `is drained`, `does not meet node.role==manager`. */
  readonly reason: string;
  /** The same of several nodes. */
  readonly reasonOfMany: string;
  readonly nodes: readonly MeshNode[];
  /** What would let a node take the task, a sentence. */
  readonly next: string;
};

export type PlacementRefusal = {
  /** `node1 and node2 do not meet node.labels.zone==east; node3 is drained`. */
  readonly text: string;
  readonly next: string;
};

type PlacementView = Pick<MeshView, "nodes" | "services" | "tasks">;

/** Reads the refusals of one view, each once: a thousand tasks may have the same. */
export class PlacementReader {
  readonly #view: PlacementView;
  #infos: readonly NodeInfo[] | null = null;
  readonly #known = new Map<string, PlacementRefusal | null>();

  constructor(view: PlacementView) {
    this.#view = view;
  }

  /**
   * @param task an unplaced task of the service; null for a service that has none, such as a global one
   * @param outgoingNodeId the node of the task that it replaces
   * @returns null if a node can take it as the mesh is now
   */
  refusal(service: ServiceView, task: Task | null, outgoingNodeId: string | null): PlacementRefusal | null {
    const key = `${service.id} ${task?.forNode ?? ""} ${outgoingNodeId ?? ""}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    this.#infos ??= nodeInfosOf(this.#view);
    const infos = this.#infos.filter(({ node }) => task?.forNode === undefined || task.forNode === node.id);
    const refusal = refusalOf(service, infos, outgoingNodeId);
    this.#known.set(key, refusal);
    return refusal;
  }
}

function nodeInfosOf({ nodes, services, tasks }: PlacementView): readonly NodeInfo[] {
  const byId = new Map(services.map((service) => [service.id, service]));
  const nodeTasks = nodeTasksOf(tasks);
  return nodes.filter((node) => !isBalancer(node)).map((node) => new NodeInfo(node, byId, nodeTasks));
}

function refusalOf(
  service: ServiceView,
  infos: readonly NodeInfo[],
  outgoingNodeId: string | null,
): PlacementRefusal | null {
  const requirements = { service, constraints: constraintsOf(service.spec), hostPorts: hostPortsOf(service) };
  const conditions = parseConstraints(service.spec.constraints);
  const excluded: Exclusion[] = [];
  for (const info of infos) {
    const failed = failedFilter(info, requirements, outgoingNodeId);
    if (failed === null) return null;
    // A node that is not ready would not help either if it does not meet the constraints.
    const isUnfit = failed === "ready" && !nodeMatches(conditions, info.node);
    excluded.push(exclusion(isUnfit ? "constraints" : failed, info, requirements));
  }
  if (excluded.length === 0) return null;
  const byReason = Map.groupBy(excluded, ({ reason }) => reason);
  const merged = [...byReason.values()].flatMap(([first, ...others]): Exclusion[] =>
    first === undefined ? [] : [{ ...first, nodes: [first, ...others].flatMap((one) => one.nodes) }],
  );
  return {
    text: merged.map(exclusionText).join("; "),
    next: [...new Set(merged.map(({ next }) => next))].slice(0, maxAdvices).join(" "),
  };
}

function exclusionText({ nodes, reason, reasonOfMany }: Exclusion): string {
  const names = listText(
    nodes.map(({ hostname }) => hostname),
    maxNamedNodes,
  );
  return `${names} ${nodes.length === 1 ? reason : reasonOfMany}`;
}

function exclusion(filter: FilterName, info: NodeInfo, requirements: TaskRequirements): Exclusion {
  const { node } = info;
  const of = (reason: string, reasonOfMany: string, next: string): Exclusion => {
    return { reason, reasonOfMany, nodes: [node], next };
  };
  const { service } = requirements;
  const { name } = service.spec;
  switch (filter) {
    case "ready":
      return of(...notReady(node));
    case "constraints": {
      const unmet = unmetConstraint(requirements.constraints, node);
      return of(`does not meet ${unmet}`, `do not meet ${unmet}`, constraintAdvice(unmet, node, name));
    }
    case "platform": {
      const wanted = (service.spec.platforms ?? []).map(platformText).join(" or ");
      const own = platformText({ os: node.platform.os, arch: node.platform.arch });
      const reason = `${own}, and the image is for ${wanted}`;
      return of(`is ${reason}`, `are ${reason}`, `Use an image for ${own}, or add a node that is ${wanted}.`);
    }
    case "resources": {
      const { short, next } = shortResource(info, service);
      return of(`has ${short}`, `have ${short}`, next);
    }
    case "hostPort": {
      const taken = requirements.hostPorts.find((port) => (info.use.hostPorts.get(port) ?? 0) > 0);
      const reason = `a task at host-mode port ${taken} already`;
      return of(
        `has ${reason}`,
        `have ${reason}`,
        `Only one task on each node can have the port: add a node, scale ${name} down, or publish the port in ingress mode.`,
      );
    }
    case "maxPerNode": {
      const reason = `as many of its tasks as --replicas-max-per-node ${service.spec.maxPerNode} allows`;
      return of(
        `has ${reason}`,
        `have ${reason}`,
        `Add a node, raise the limit per node, or scale ${name} down.`,
      );
    }
  }
}

function notReady({ state, availability, hostname }: MeshNode): [string, string, string] {
  if (state !== "ready")
    return [`is ${state}`, `are ${state}`, "Bring its machine and its agent back, or add a node."];
  const word = availability === "drain" ? "drained" : "paused";
  return [
    `is ${word}`,
    `are ${word}`,
    `Activate it: \`waggle node update --availability active ${hostname}\`.`,
  ];
}

function unmetConstraint(constraints: readonly Constraint[], node: MeshNode): string {
  const unmet = constraints.find((constraint) => !nodeMatches([constraint], node));
  return unmet === undefined || "platforms" in unmet
    ? "its constraints"
    : `${unmet.key}${unmet.equal ? "==" : "!="}${unmet.value}`;
}

function constraintAdvice(constraint: string, { hostname }: MeshNode, service: string): string {
  const remove = `remove the constraint: \`waggle service update --constraint-rm '${constraint}' ${service}\``;
  const [, label, value] = /^node\.labels\.([^=!]+)==(.*)$/i.exec(constraint) ?? [];
  return label === undefined
    ? `Add a node that meets it, or ${remove}.`
    : `Label a node: \`waggle node update --label-add ${label}=${value} ${hostname}\`, or ${remove}.`;
}

/** The first resource of which the node has too little left. */
function shortResource(
  { node, use }: NodeInfo,
  { spec: { name, reservations } }: ServiceView | TaskRequirements["service"],
): { readonly short: string; readonly next: string } {
  const { nanoCpus, memoryBytes, generic = {} } = reservations;
  const cpuLeft = node.resources.nanoCpus - use.nanoCpus;
  if (nanoCpus > 0 && nanoCpus > cpuLeft) {
    const short = `${cpuText(cpuLeft)} CPUs free of ${cpuText(node.resources.nanoCpus)}, and a task reserves ${cpuText(nanoCpus)}`;
    return { short, next: reservationAdvice("--reserve-cpu", name) };
  }
  const memoryLeft = node.resources.memoryBytes - use.memoryBytes;
  if (memoryBytes > 0 && memoryBytes > memoryLeft) {
    const short = `${sizeText(memoryLeft)} of memory free of ${sizeText(node.resources.memoryBytes)}, and a task reserves ${sizeText(memoryBytes)}`;
    return { short, next: reservationAdvice("--reserve-memory", name) };
  }
  const missing = Object.entries(generic).find(
    ([kind, count]) => (use.generic.get(kind) ?? 0) + count > (node.resources.generic?.[kind] ?? 0),
  );
  const [kind = "", count = 0] = missing ?? [];
  const free = (node.resources.generic?.[kind] ?? 0) - (use.generic.get(kind) ?? 0);
  return {
    short: `${countText(free, "free unit")} of ${kind}, and a task reserves ${count}`,
    next: `Add a node that has ${kind}, or remove the reservation.`,
  };
}

function reservationAdvice(flag: string, service: string): string {
  return `Reserve less: \`waggle service update ${flag} … ${service}\`, or add a larger node.`;
}

function cpuText(nanoCpus: number): string {
  return String(Math.round(nanoCpus / 1e7) / 100);
}

function sizeText(bytes: number): string {
  const gib = bytes / 1024 ** 3;
  return gib >= 1 ? `${Math.round(gib * 10) / 10} GiB` : `${Math.round(bytes / 1024 ** 2)} MiB`;
}

function platformText({ os, arch }: ImagePlatform): string {
  return `${os || "any"}/${arch || "any"}`;
}
