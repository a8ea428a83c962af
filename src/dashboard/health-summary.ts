// The verdict: is the mesh well, in one sentence that can be read in five seconds.

import type { MeshNode } from "../domain/model/node.ts";
import { isAlive } from "../domain/model/task.ts";
import type { ServiceView } from "../registry/api.ts";
import { trafficProblems } from "../telemetry/traffic-problems.ts";
import { serverDisplayStatus, taskDisplayStatus } from "./display-status.ts";
import { groupProblems } from "./problem-groups.ts";
import { pluralize } from "./text.ts";
import type { DashboardView } from "./view.ts";

export type HealthSummary = {
  /** `bad`: requests fail. `warn`: every service answers, and something wants a look. */
  readonly severity: "ok" | "warn" | "bad";
  readonly title: string;
  readonly detail: string;
};

/** Services named in the sentence; the list below it has all. */
const maxServicesNamed = 3;

export function summarizeHealth(view: DashboardView): HealthSummary {
  const { nodes, services, problems, info } = view;
  const ready = nodes.filter(({ state }) => state === "ready").length;
  if (nodes.length === 0 && view.servers.length === 0) {
    return {
      severity: "bad",
      title: "No node has joined yet",
      detail: "A mesh serves nothing before a machine runs its agent.",
    };
  }
  if (ready === 0 && view.servers.length === 0) {
    return {
      severity: "bad",
      title: nodes.length === 1 ? "The only node is down" : `All ${nodes.length} nodes are down`,
      detail: "No task is known to run.",
    };
  }
  const down = services.filter(
    (service) => hasDesiredTargets(service, view) && !hasAvailableTarget(service, view),
  );
  if (down.length > 0) return servicesDown(down, view);
  const failing = services.flatMap(({ id }) => view.traffic?.serviceById.get(id) ?? []);
  const [worst] = trafficProblems(failing).filter(({ isOutage }) => isOutage);
  if (worst !== undefined) {
    const name = worst.what.replace(/^service /, "");
    return { severity: "bad", title: `${name} answers with errors`, detail: `${asSentence(worst.why)}` };
  }
  const sizes = `${pluralize(nodes.length, "node")}, ${pluralize(services.length, "service")}, ${info.tasks.running} of ${pluralize(info.tasks.desired, "task")} running`;
  const detail = `${[sizes, ...unschedulableNodesText(nodes)].join("; ")}.`;
  const wanting = groupProblems(problems).length;
  if (wanting > 0) {
    const things = wanting === 1 ? "one thing wants a look" : `${wanting} things want a look`;
    return { severity: "warn", title: `Every service answers; ${things}`, detail };
  }
  if (services.length === 0) return { severity: "ok", title: "Ready for a first service", detail };
  return { severity: "ok", title: "All is well", detail };
}

/** Nodes the operator keeps tasks from: no trouble, but not to be forgotten. */
function unschedulableNodesText(nodes: readonly MeshNode[]): readonly string[] {
  const names = (wanted: MeshNode["availability"]) =>
    nodes.flatMap(({ availability, hostname }) => (availability === wanted ? hostname : []));
  return [
    { word: "drained", names: names("drain") },
    { word: "paused", names: names("pause") },
  ].flatMap(({ word, names }) => {
    if (names.length === 0) return [];
    return names.length > maxServicesNamed
      ? `${names.length} nodes are ${word}`
      : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} ${word}`;
  });
}

function asSentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** `2 tasks and 1 static server`. */
function targetCountText({ id, desiredTasks }: ServiceView, view: DashboardView): string {
  const servers = view.serversOfService(id).length;
  const parts = [
    ...(desiredTasks > 0 ? [pluralize(desiredTasks, "task")] : []),
    ...(servers > 0 ? [pluralize(servers, "static server")] : []),
  ];
  return parts.join(" and ");
}

function servicesDown(down: readonly ServiceView[], view: DashboardView): HealthSummary {
  const names = down.slice(0, maxServicesNamed).map(({ spec }) => spec.name);
  const more = down.length - names.length;
  const list = `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  const [only] = down;
  return down.length === 1 && only !== undefined
    ? {
        severity: "bad",
        title: `${only.spec.name} does not answer`,
        detail: `None of its ${targetCountText(only, view)} can take a request: clients get 503.`,
      }
    : {
        severity: "bad",
        title: `${down.length} of ${view.services.length} services do not answer`,
        detail: `${list}: nothing of theirs can take a request, clients get 503.`,
      };
}

/** Somebody is meant to answer for it. */
function hasDesiredTargets({ id, desiredTasks }: ServiceView, view: DashboardView): boolean {
  return desiredTasks > 0 || view.serversOfService(id).length > 0;
}

/** True when one of its tasks or servers can take a request; a task that leaves still does. */
function hasAvailableTarget(service: ServiceView, view: DashboardView): boolean {
  if (view.serversOfService(service.id).some((server) => serverDisplayStatus(server) === "running"))
    return true;
  return view.tasksOfService(service.id).some((task) => {
    if (!isAlive(task) || task.state !== "running" || task.nodeId === null) return false;
    const look = taskDisplayStatus(task, view.nodeById.get(task.nodeId));
    return look === "running" || look === "leaving";
  });
}
