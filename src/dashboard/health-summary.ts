// The health summary: the state of the whole mesh in one short sentence.

import type { MeshNode } from "../domain/model/node.ts";
import { isAlive } from "../domain/model/task.ts";
import type { ServiceView } from "../registry/api.ts";
import { trafficProblems } from "../telemetry/traffic-problems.ts";
import { serverDisplayStatus, taskDisplayStatus } from "./display-status.ts";
import { groupProblems } from "./problem-groups.ts";
import { asSentence, pluralize } from "./text.ts";
import type { DashboardView } from "./view.ts";

export type HealthSummary = {
  /** `bad`: requests fail. `warn`: every service is up, but the mesh has problems. */
  readonly severity: "ok" | "warn" | "bad";
  readonly title: string;
  readonly detail: string;
};

/** Names listed in one sentence; the page lists the rest below. */
const maxNamesListed = 3;

/** The most severe finding wins: no node, services down, services failing requests, then other problems. */
export function summarizeHealth(view: DashboardView): HealthSummary {
  const { services, problems } = view;
  const noNodes = nodesDown(view);
  if (noNodes !== null) return noNodes;
  const down = services.filter(
    (service) => hasDesiredTargets(service, view) && !hasAvailableTarget(service, view),
  );
  if (down.length > 0) return servicesDown(down, view);
  const traffic = services.flatMap(({ id }) => view.traffic?.serviceById.get(id) ?? []);
  const [outage] = trafficProblems(traffic).filter(({ isOutage }) => isOutage);
  if (outage !== undefined) {
    const name = outage.what.replace(/^service /, "");
    return { severity: "bad", title: `${name} responds with errors`, detail: asSentence(outage.why) };
  }
  const detail = sizeText(view);
  const problemCount = groupProblems(problems).length;
  if (problemCount > 0) {
    return {
      severity: "warn",
      title: `Every service is up; ${pluralize(problemCount, "problem")}`,
      detail,
    };
  }
  if (services.length === 0) return { severity: "ok", title: "Ready for the first service", detail };
  return { severity: "ok", title: "All services are healthy", detail };
}

/** Null if a node is ready, or static servers need none. */
function nodesDown({ nodes, servers }: DashboardView): HealthSummary | null {
  if (servers.length > 0 || nodes.some(({ state }) => state === "ready")) return null;
  return nodes.length === 0
    ? {
        severity: "bad",
        title: "No node has joined yet",
        detail: "Services need at least one machine that runs the agent.",
      }
    : {
        severity: "bad",
        title: nodes.length === 1 ? "The only node is down" : `All ${nodes.length} nodes are down`,
        detail: "No task is known to be running.",
      };
}

/** `3 nodes, 2 services, 5 of 5 tasks running; node2 is drained.` */
function sizeText({ nodes, services, info }: DashboardView): string {
  const { running, desired } = info.tasks;
  const sizes = `${pluralize(nodes.length, "node")}, ${pluralize(services.length, "service")}, ${running} of ${pluralize(desired, "task")} running`;
  return `${[sizes, ...unschedulableNodesText(nodes)].join("; ")}.`;
}

/** Drained and paused nodes are intended and no problem, but easily forgotten. */
function unschedulableNodesText(nodes: readonly MeshNode[]): readonly string[] {
  const namesOf = (wanted: MeshNode["availability"]) =>
    nodes.flatMap(({ availability, hostname }) => (availability === wanted ? hostname : []));
  return [
    { adjective: "drained", names: namesOf("drain") },
    { adjective: "paused", names: namesOf("pause") },
  ].flatMap(({ adjective, names }) => {
    if (names.length === 0) return [];
    return names.length > maxNamesListed
      ? `${names.length} nodes are ${adjective}`
      : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} ${adjective}`;
  });
}

function servicesDown(down: readonly ServiceView[], view: DashboardView): HealthSummary {
  const names = down.slice(0, maxNamesListed).map(({ spec }) => spec.name);
  const moreCount = down.length - names.length;
  const list = `${names.join(", ")}${moreCount > 0 ? ` and ${moreCount} more` : ""}`;
  const [only] = down;
  return down.length === 1 && only !== undefined
    ? {
        severity: "bad",
        title: `${only.spec.name} is down`,
        detail: `None of its ${targetCountText(only, view)} can take a request: clients get 503.`,
      }
    : {
        severity: "bad",
        title: `${down.length} of ${view.services.length} services are down`,
        detail: `${list}: none of their tasks or servers can take a request, so clients get 503.`,
      };
}

/** `2 tasks and 1 static server`. */
function targetCountText({ id, desiredTasks }: ServiceView, view: DashboardView): string {
  const serverCount = view.serversOfService(id).length;
  return [
    ...(desiredTasks > 0 ? [pluralize(desiredTasks, "task")] : []),
    ...(serverCount > 0 ? [pluralize(serverCount, "static server")] : []),
  ].join(" and ");
}

/** False for a service that is scaled to zero and has no static servers. */
function hasDesiredTargets({ id, desiredTasks }: ServiceView, view: DashboardView): boolean {
  return desiredTasks > 0 || view.serversOfService(id).length > 0;
}

/** True if a task or static server can take a request. A leaving task still can. */
function hasAvailableTarget(service: ServiceView, view: DashboardView): boolean {
  if (view.serversOfService(service.id).some((server) => serverDisplayStatus(server) === "running"))
    return true;
  return view.tasksOfService(service.id).some((task) => {
    if (!isAlive(task) || task.state !== "running" || task.nodeId === null) return false;
    const status = taskDisplayStatus(task, view.nodeById.get(task.nodeId));
    return status === "running" || status === "leaving";
  });
}
