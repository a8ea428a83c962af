// The verdict: is the mesh well, in one sentence that can be read in five seconds.

import type { Node } from "../domain/node.ts";
import { isAlive } from "../domain/task.ts";
import type { ServiceView } from "../registry/api.ts";
import { trafficTroubles } from "../telemetry/troubles.ts";
import { lookOf, lookOfServer } from "./task-look.ts";
import { count } from "./text.ts";
import { troublesOf } from "./troubles.ts";
import type { View } from "./view.ts";

export type Verdict = {
  /** `bad`: requests fail. `warn`: every service answers, and something wants a look. */
  readonly level: "ok" | "warn" | "bad";
  readonly title: string;
  readonly detail: string;
};

/** Services named in the sentence; the list below it has all. */
const maxNamed = 3;

export function verdictOf(view: View): Verdict {
  const { nodes, services, problems, info } = view;
  const ready = nodes.filter(({ state }) => state === "ready").length;
  if (nodes.length === 0 && view.servers.length === 0) {
    return {
      level: "bad",
      title: "No node has joined yet",
      detail: "A mesh serves nothing before a machine runs its agent.",
    };
  }
  if (ready === 0 && view.servers.length === 0) {
    return {
      level: "bad",
      title: nodes.length === 1 ? "The only node is down" : `All ${nodes.length} nodes are down`,
      detail: "No task is known to run.",
    };
  }
  const down = services.filter((service) => isWanted(service, view) && !answers(service, view));
  if (down.length > 0) return allDown(down, view);
  const failing = services.flatMap(({ id }) => view.traffic?.serviceById.get(id) ?? []);
  const [worst] = trafficTroubles(failing).filter(({ grave }) => grave);
  if (worst !== undefined) {
    const name = worst.what.replace(/^service /, "");
    return { level: "bad", title: `${name} answers with errors`, detail: `${sentence(worst.why)}` };
  }
  const sizes = `${count(nodes.length, "node")}, ${count(services.length, "service")}, ${info.tasks.running} of ${count(info.tasks.desired, "task")} running`;
  const detail = `${[sizes, ...setAside(nodes)].join("; ")}.`;
  const wanting = troublesOf(problems).length;
  if (wanting > 0) {
    const things = wanting === 1 ? "one thing wants a look" : `${wanting} things want a look`;
    return { level: "warn", title: `Every service answers; ${things}`, detail };
  }
  if (services.length === 0) return { level: "ok", title: "Ready for a first service", detail };
  return { level: "ok", title: "All is well", detail };
}

/** Nodes the operator keeps tasks from: no trouble, but not to be forgotten. */
function setAside(nodes: readonly Node[]): readonly string[] {
  const names = (wanted: Node["availability"]) =>
    nodes.flatMap(({ availability, hostname }) => (availability === wanted ? hostname : []));
  return [
    { word: "drained", names: names("drain") },
    { word: "paused", names: names("pause") },
  ].flatMap(({ word, names }) => {
    if (names.length === 0) return [];
    return names.length > maxNamed
      ? `${names.length} nodes are ${word}`
      : `${names.join(", ")} ${names.length === 1 ? "is" : "are"} ${word}`;
  });
}

function sentence(words: string): string {
  return `${words.charAt(0).toUpperCase()}${words.slice(1)}.`;
}

/** `2 tasks and 1 static server`. */
function sizeOf({ id, desiredTasks }: ServiceView, view: View): string {
  const servers = view.serversOfService(id).length;
  const parts = [
    ...(desiredTasks > 0 ? [count(desiredTasks, "task")] : []),
    ...(servers > 0 ? [count(servers, "static server")] : []),
  ];
  return parts.join(" and ");
}

function allDown(down: readonly ServiceView[], view: View): Verdict {
  const names = down.slice(0, maxNamed).map(({ spec }) => spec.name);
  const more = down.length - names.length;
  const list = `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
  const [only] = down;
  return down.length === 1 && only !== undefined
    ? {
        level: "bad",
        title: `${only.spec.name} does not answer`,
        detail: `None of its ${sizeOf(only, view)} can take a request: clients get 503.`,
      }
    : {
        level: "bad",
        title: `${down.length} of ${view.services.length} services do not answer`,
        detail: `${list}: nothing of theirs can take a request, clients get 503.`,
      };
}

/** Somebody is meant to answer for it. */
function isWanted({ id, desiredTasks }: ServiceView, view: View): boolean {
  return desiredTasks > 0 || view.serversOfService(id).length > 0;
}

/** True when one of its tasks or servers can take a request; a task that leaves still does. */
function answers(service: ServiceView, view: View): boolean {
  if (view.serversOfService(service.id).some((server) => lookOfServer(server) === "running")) return true;
  return view.tasksOfService(service.id).some((task) => {
    if (!isAlive(task) || task.state !== "running" || task.nodeId === null) return false;
    const look = lookOf(task, view.nodeById.get(task.nodeId));
    return look === "running" || look === "leaving";
  });
}
