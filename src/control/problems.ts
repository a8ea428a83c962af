// Problems: everything that is wrong with a mesh, each with its reason, what to do about it, and since when.

import { haproxyStatus } from "../domain/model/health.ts";
import type { MeshNode } from "../domain/model/node.ts";
import { serverName } from "../domain/model/server.ts";
import { lastCheckText } from "../domain/model/server-health.ts";
import { isAlive, type Task, taskName } from "../domain/model/task.ts";
import type { StatusProblem } from "../protocol/status.ts";
import type { MeshInfo, ServerView, ServiceView } from "../registry/api.ts";
import type { ServiceTraffic } from "../telemetry/snapshot.ts";
import { trafficProblems } from "../telemetry/traffic-problems.ts";
import type { MeshView } from "./mesh-view.ts";

/** Slots named where many wait for the same reason. */
const maxNamedSlots = 3;

/**
 * What is wrong, worst first; empty when all is well.
 *
 * @param traffic of services; those that are no more do not matter. Empty where it cannot be had
 */
export function problemsOf(view: MeshView, traffic: readonly ServiceTraffic[]): StatusProblem[] {
  const { info, nodes, services, tasks, servers } = view;
  const byService = Map.groupBy(tasks, ({ serviceId }) => serviceId);
  const byNode = Map.groupBy(tasks, ({ nodeId }) => nodeId);
  const tasksOf = (service: ServiceView) => byService.get(service.id) ?? [];
  return [
    ...failingServices(services, traffic),
    ...(nodes.length === 0 && servers.length === 0 ? [noNodes(info)] : []),
    ...nodes.flatMap((node) => nodeProblems(node, byNode.get(node.id) ?? [])),
    ...services.flatMap((service) => shortages(service, tasksOf(service))),
    ...servers.flatMap(downServerProblems),
    ...services.flatMap((service) => failingTasks(service, tasksOf(service))),
  ];
}

/** Services whose clients get errors, whatever checks say. */
function failingServices(
  services: readonly ServiceView[],
  traffic: readonly ServiceTraffic[],
): StatusProblem[] {
  const names = new Map(services.map(({ id, spec }) => [id, spec.name]));
  const known = traffic.flatMap(({ id, recent }) => {
    const name = names.get(id);
    return name === undefined ? [] : { id, name, recent };
  });
  return trafficProblems(known).map(({ what, why, next }) => ({ what, why, next, sinceMs: null }));
}

/** One the operator took out is as they want it. */
function downServerProblems(server: ServerView): StatusProblem[] {
  const { admin, health, service } = server;
  if (admin === "maint" || health === null || health.up) return [];
  const seen = lastCheckText(server);
  const name = serverName(service, server);
  return [
    {
      what: `server ${name}`,
      why: seen === "" ? "down" : `down: ${seen}`,
      next: `Look at it there; \`waggle server set ${name} --admin maint\` takes it out on purpose.`,
      sinceMs: health.sinceMs,
    },
  ];
}

function noNodes({ name, createdAtMs }: MeshInfo): StatusProblem {
  return {
    what: `mesh ${name}`,
    why: "no node has joined: print the command for one with waggle join-token",
    next: "Run what `waggle join-token` prints on the machine that is to join.",
    sinceMs: createdAtMs,
  };
}

/** @param tasks the node's own */
function nodeProblems(node: MeshNode, tasks: readonly Task[]): StatusProblem[] {
  const what = `node ${node.hostname}`;
  if (node.state !== "ready") {
    const why = node.message === "" ? node.state : `${node.state}: ${node.message}`;
    return [{ what, why, next: downNodeAdvice(node), sinceMs: node.stateSinceMs }];
  }
  const left = tasks.filter((task) => isAlive(task)).length;
  // To pause a node, or to drain it, is what the operator wants; that it does not empty is not.
  if (left === 0 || (!node.leaving && node.availability !== "drain")) return [];
  const how = node.leaving ? "its agent is leaving" : "drained";
  const next = "They go once others run in their place; what keeps those from it is told of their service.";
  return [{ what, why: `${how}: ${countText(left, "task")} still there`, next, sinceMs: node.updatedAtMs }];
}

function downNodeAdvice({ hostname, message }: MeshNode): string {
  return message === "left"
    ? `Start its agent again, or forget it: \`waggle node rm ${hostname}\`.`
    : "See whether the machine is up, reaches the mesh and runs its agent; its tasks run elsewhere meanwhile.";
}

/** One problem for a service that has fewer tasks running than it should, with the reasons of those that wait. */
function shortages(service: ServiceView, tasks: readonly Task[]): StatusProblem[] {
  if (service.running >= service.desiredTasks) return [];
  const waiting = tasks.filter(({ desired, state }) => desired === "running" && state !== "running");
  const reasons = Map.groupBy(
    waiting.filter((task) => isAlive(task)),
    (task) => `${task.state}: ${task.err || task.message}`,
  );
  const named = [...reasons].map(([reason, slots]) => `${slotNames(service, slots)} ${reason}`);
  const why = [`${service.running} of ${countText(service.desiredTasks, "task")} running`, ...named].join(
    "; ",
  );
  const sinceMs = Math.min(...waiting.map(({ createdAtMs }) => createdAtMs));
  const what = `service ${service.spec.name}`;
  const next = shortageAdvice(waiting);
  return [{ what, why, next, sinceMs: Number.isFinite(sinceMs) ? sinceMs : null }];
}

function shortageAdvice(waiting: readonly Task[]): string {
  return waiting.some(({ err }) => err.startsWith("no suitable node"))
    ? "Make room: add or activate a node, loosen its constraints, or scale it down."
    : "Wait a moment: tasks are starting. If it stays so, their own lines say why.";
}

/** Tasks that run and are not well, and the last end of each slot where nothing runs. */
function failingTasks(service: ServiceView, tasks: readonly Task[]): StatusProblem[] {
  const slots = Map.groupBy(tasks, (task) => taskName(service.spec.name, task));
  return [...slots].flatMap(([name, ofSlot]) => {
    const what = `task ${name}`;
    const running = ofSlot.filter(({ desired, state }) => desired === "running" && state === "running");
    const unwell = running.filter(({ health }) => health?.verdict === "unhealthy");
    if (running.length > 0) return unwell.map((task) => unhealthyTask(what, task));
    const last = ofSlot.findLast(({ state }) => state === "rejected" || state === "failed");
    const wanted = ofSlot.some((task) => task.desired === "running" && isAlive(task));
    return last !== undefined && wanted ? [endedTask(what, last)] : [];
  });
}

function unhealthyTask(what: string, { health, stateSinceMs }: Task): StatusProblem {
  const why = `unhealthy: ${health?.lastCheck || "no answer"} (${haproxyStatus(health)})`;
  const next = "It takes no new requests; look at what it logs, in its node's state folder under tasks/.";
  return { what, why, next, sinceMs: health?.sinceMs ?? stateSinceMs };
}

function endedTask(what: string, { state, err, message, stateSinceMs }: Task): StatusProblem {
  const next =
    state === "rejected"
      ? "Correct the image or its arguments: `waggle service update`."
      : "Look at what it logged, in its node's state folder under tasks/; it is tried again.";
  return { what, why: `last one ${state}: ${err || message}`, next, sinceMs: stateSinceMs };
}

function slotNames(service: ServiceView, tasks: readonly Task[]): string {
  const names = tasks.slice(0, maxNamedSlots).map((task) => taskName(service.spec.name, task));
  const more = tasks.length - names.length;
  return `${names.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

function countText(many: number, what: string): string {
  return `${many} ${what}${many === 1 ? "" : "s"}`;
}
