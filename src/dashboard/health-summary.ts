// The health summary: the state of the whole mesh in one short sentence. The list of problems alone decides how bad
// it is, as it does for `waggle status --check`.

import { isBalancer, isNodeReady, type MeshNode } from "../domain/model/node.ts";
import type { StatusProblem } from "../protocol/status.ts";
import type { ServiceView } from "../registry/api.ts";
import { asSentence, pluralize } from "./text.ts";
import type { DashboardView } from "./view.ts";

export type HealthSummary = {
  /** `bad`: clients get errors or no answer. `warn`: something is wrong all the same. */
  readonly severity: "ok" | "warn" | "bad";
  readonly title: string;
  readonly detail: string;
};

/** Names listed in one sentence; the page lists the rest below. */
const maxNamesListed = 3;

export function summarizeHealth(view: DashboardView): HealthSummary {
  const { services, problems } = view;
  const [worst] = problems;
  const detail = sizeText(view);
  if (worst?.severity === "bad") return { severity: "bad", ...outage(worst, view) };
  if (worst !== undefined) {
    const all = services.length === 0 ? "" : "Every service is up; ";
    return { severity: "warn", title: `${all}${pluralize(problems.length, "problem")}`, detail };
  }
  if (services.length === 0) return { severity: "ok", title: "Ready for the first service", detail };
  return { severity: "ok", title: "All services are healthy", detail };
}

/** Of several services that are down, their number; of any other outages the worst one. */
function outage(worst: StatusProblem, view: DashboardView): Pick<HealthSummary, "title" | "detail"> {
  const nodes = view.nodes.filter((node) => !isBalancer(node));
  if (nodes.length > 0 && view.servers.length === 0 && !nodes.some(isNodeReady)) {
    const title = nodes.length === 1 ? "The only node is down" : `All ${nodes.length} nodes are down`;
    return { title, detail: "No task is known to be running." };
  }
  const isDown = ({ headline = "" }: StatusProblem) => headline.endsWith(" is down");
  const names = [...new Set(view.problems.filter(isDown).flatMap(({ service }) => service ?? []))];
  const [only = ""] = names;
  if (names.length > 1) {
    const moreCount = names.length - maxNamesListed;
    const list = `${names.slice(0, maxNamesListed).join(", ")}${moreCount > 0 ? ` and ${moreCount} more` : ""}`;
    return {
      title: `${names.length} of ${view.services.length} services are down`,
      detail: `${list}: none of their tasks or servers can take a request, so clients get 503.`,
    };
  }
  const service = view.services.find(({ spec }) => spec.name === only);
  if (service !== undefined) {
    const detail = `None of its ${targetCountText(service, view)} can take a request: clients get 503.`;
    return { title: `${only} is down`, detail };
  }
  return { title: worst.headline ?? worst.what, detail: asSentence(worst.why) };
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

/** `2 tasks and 1 static server`. */
function targetCountText({ id, desiredTasks }: ServiceView, view: DashboardView): string {
  const serverCount = view.serversOfService(id).length;
  return [
    ...(desiredTasks > 0 ? [pluralize(desiredTasks, "task")] : []),
    ...(serverCount > 0 ? [pluralize(serverCount, "static server")] : []),
  ].join(" and ");
}
