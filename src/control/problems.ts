// The problems of a mesh, each with its reason, its start and the next step. The verdicts of the dashboard, of
// `waggle status --check` and of the metrics are all made of this list.

import { isBalancer, isNodeReady, type MeshNode } from "../domain/model/node.ts";
import type { ClosedPort } from "../domain/model/node-listeners.ts";
import type { StatusNote, StatusProblem } from "../protocol/status.ts";
import type { ServiceView } from "../registry/api.ts";
import type { LeftOut } from "../telemetry/snapshot.ts";
import type { JudgedTraffic } from "../telemetry/traffic-problems.ts";
import type { MeshView } from "./mesh-view.ts";
import { protocolWarnings } from "./mode-warnings.ts";
import { nodeProblems, noNodes } from "./problems/node-problems.ts";
import { PlacementReader } from "./problems/placement.ts";
import { closedPorts, unservedTcpPorts } from "./problems/port-problems.ts";
import { downServers } from "./problems/server-problems.ts";
import {
  downWithoutCause,
  type MeshIndex,
  type ServiceState,
  serviceStateOf,
  taskProblems,
} from "./problems/service-problems.ts";
import { trafficProblems } from "./problems/traffic-problems.ts";
import { byName, type NamedServices, referenceWarnings } from "./service-references.ts";
import { differences, isOfStack } from "./service-warnings.ts";

/** When and where the mesh is looked at, as far as that decides what is a problem. */
export type ProblemContext = {
  /** The mesh's clock, epoch milliseconds. */
  readonly nowMs: number;
  readonly isOnCloudflare: boolean;
  /** Published ports that this machine should have open and has not. */
  readonly closedPorts: readonly ClosedPort[];
};

const nowhere: ProblemContext = { nowMs: 0, isOnCloudflare: false, closedPorts: [] };

/**
 * All problems: outages first, then by weight. A cause is one problem, however many tasks it concerns. Empty means
 * that nothing is wrong.
 *
 * @param leftOut what telemetry has no memory for
 * @param traffic may have removed services, which are ignored; empty if telemetry cannot be reached
 */
export function problemsOf(
  view: MeshView,
  traffic: readonly JudgedTraffic[],
  { nowMs, isOnCloudflare, closedPorts: local }: ProblemContext = nowhere,
  leftOut: readonly LeftOut[] = [],
): StatusProblem[] {
  const { info, nodes, services, tasks, servers } = view;
  const tasksByService = Map.groupBy(tasks, ({ serviceId }) => serviceId);
  const tasksByNode = Map.groupBy(tasks, ({ nodeId }) => nodeId);
  const serversByService = Map.groupBy(servers, ({ serviceId }) => serviceId);
  const mesh: MeshIndex = {
    nowMs,
    nodeById: new Map(nodes.map((node) => [node.id, node])),
    placement: new PlacementReader(view),
  };
  const states = new Map(
    services.map((service) => {
      const { id } = service;
      const own = { tasks: tasksByService.get(id) ?? [], servers: serversByService.get(id) ?? [] };
      return [id, serviceStateOf(service, own.tasks, own.servers, mesh)];
    }),
  );
  const workers = nodes.filter((node) => !isBalancer(node));
  const isOutage = servers.length === 0 && !workers.some(isNodeReady);
  const named = byName(services);
  const problems = [
    ...(workers.length === 0 && servers.length === 0 ? [noNodes(info)] : []),
    ...nodes.flatMap((node) =>
      nodeProblems(node, tasksByNode.get(node.id) ?? [], isOutage && !isBalancer(node)),
    ),
    ...trafficProblems(states, traffic),
    ...closedPorts(services, nodes, local),
    ...unservedTcpPorts(services, nodes, isOnCloudflare),
    ...[...states.values()].flatMap(ownProblems),
    ...services.flatMap((service) => discoveryWarnings(service, nodes)),
    ...services.flatMap((service) => labelsWithoutEffect(service, named)),
    ...services.flatMap(stackWarnings),
    ...leftOut.map(telemetryLimit),
  ];
  return problems.sort((a, b) => weightOf(b) - weightOf(a));
}

function weightOf({ severity }: StatusProblem): number {
  return severity === "bad" ? 1 : 0;
}

function ownProblems(state: ServiceState): StatusProblem[] {
  const { service, servers, isDown } = state;
  const problems = [...taskProblems(state), ...downServers(service.spec.name, servers, isDown)];
  return isDown && problems.length === 0 ? [downWithoutCause(state)] : problems;
}

const leftOutNouns: Readonly<Record<LeftOut["kind"], string>> = {
  service: "services",
  node: "nodes",
  task: "tasks",
  entry: "pairs of service and node",
  colo: "tasks by data center",
};

/** There is more to count apart than the telemetry object has memory for. */
function telemetryLimit({ kind, kept }: LeftOut): StatusProblem {
  const noun = leftOutNouns[kind];
  const others =
    kind === "colo" ? "further ones are left out of those views" : "further ones count together, as (others)";
  return {
    what: "telemetry",
    why: `it keeps counters for ${kept} ${noun}, which is all its memory; ${others}`,
    next: "All sums stay right. Counters that get no request for ten minutes make room.",
    sinceMs: null,
  };
}

/**
 * The differences between what services of stacks ask for and what the mesh does: `docker stack deploy` does not print
 * them. They are no problems, because the operator who accepts one has nothing to change. Services with the same
 * difference share a note.
 */
export function notesOf({ services, nodes }: MeshView, { isOnCloudflare } = nowhere): StatusNote[] {
  const notes = services.filter(isOfStack).flatMap((service) => {
    const { name } = service.spec;
    return differences(service, { isOnCloudflare, nodes }).map((text) => ({ name, text }));
  });
  return [...Map.groupBy(notes, ({ text }) => text)].map(([why, group]) => ({
    services: group.map(({ name }) => name).sort(),
    why,
  }));
}

/** Warnings about a service of a stack that its operator can act on, but for labels without an effect. */
function stackWarnings(service: ServiceView): StatusProblem[] {
  if (!isOfStack(service)) return [];
  const next = "Set the label in the stack file, under deploy.labels, and deploy it again.";
  return protocolWarnings(service.spec).map((why) => warning(service, why, next));
}

/** What the labels of a discovered service ask for and the mesh does not do. */
function discoveryWarnings(service: ServiceView, nodes: readonly MeshNode[]): StatusProblem[] {
  const { discovered } = service;
  if (discovered === undefined) return [];
  const node = nodes.find(({ id }) => id === discovered.nodeId)?.hostname ?? discovered.nodeId;
  const next = `It is discovered on ${node} (${discovered.source}): change it there.`;
  return discovered.warnings.map((why) => warning(service, why, next));
}

/** Labels that name a service which is missing or not published. Requests go on without them. */
function labelsWithoutEffect(service: ServiceView, services: NamedServices): StatusProblem[] {
  const next = "Create or publish that service, or remove the label: `waggle service update --label-rm`.";
  return referenceWarnings(service, services).map((why) => warning(service, why, next));
}

function warning({ spec: { name } }: ServiceView, why: string, next: string): StatusProblem {
  return { what: `service ${name}`, why, next, sinceMs: null, service: name, severity: "warn" };
}
