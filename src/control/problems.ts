// The problems of a mesh, each with its reason, its start and the next step.

import { haproxyStatus } from "../domain/model/health.ts";
import { isBalancer, type MeshNode, transportLabel } from "../domain/model/node.ts";
import { unreachedReason } from "../domain/model/node-gateway.ts";
import { serverName } from "../domain/model/server.ts";
import { lastCheckText } from "../domain/model/server-health.ts";
import { isAlive, type Task, taskName } from "../domain/model/task.ts";
import type { StatusProblem } from "../protocol/status.ts";
import type { MeshInfo, ServerView, ServiceView } from "../registry/api.ts";
import type { ServiceTraffic } from "../telemetry/snapshot.ts";
import { trafficProblems } from "../telemetry/traffic-problems.ts";
import type { MeshView } from "./mesh-view.ts";
import { byName, type NamedServices, referenceWarnings } from "./service-references.ts";
import { isOfStack, ownWarnings, type WarningContext } from "./service-warnings.ts";

/** Slots named in one problem; the rest are counted. */
const maxNamedSlots = 3;

/**
 * All problems, worst first.
 *
 * @param traffic may have removed services, which are ignored; empty if telemetry cannot be reached
 */
export function problemsOf(
  view: MeshView,
  traffic: readonly ServiceTraffic[],
  isOnCloudflare = false,
): StatusProblem[] {
  const { info, nodes, services, tasks, servers } = view;
  const byService = Map.groupBy(tasks, ({ serviceId }) => serviceId);
  const byNode = Map.groupBy(tasks, ({ nodeId }) => nodeId);
  const tasksOf = (service: ServiceView) => byService.get(service.id) ?? [];
  const named = byName(services);
  return [
    ...failingServices(services, tasksOf, traffic),
    ...(!nodes.some((node) => !isBalancer(node)) && servers.length === 0 ? [noNodes(info)] : []),
    ...nodes.flatMap((node) => nodeProblems(node, byNode.get(node.id) ?? [])),
    ...nodes.flatMap(undiscovered),
    ...services.flatMap(pausedUpdates),
    ...services.flatMap((service) => discoveryWarnings(service, nodes)),
    ...services.flatMap((service) => labelsWithoutEffect(service, named)),
    ...services.flatMap((service) => shortages(service, tasksOf(service))),
    ...servers.flatMap(downServerProblems),
    ...services.flatMap((service) => failingTasks(service, tasksOf(service))),
    ...services.flatMap((service) => stackWarnings(service, { isOnCloudflare, nodes })),
  ];
}

/**
 * The warnings about a service of a stack: `docker stack deploy` does not print them. Labels without an effect are
 * problems of their own.
 */
function stackWarnings(service: ServiceView, context: WarningContext): StatusProblem[] {
  if (!isOfStack(service)) return [];
  return ownWarnings(service, context).map((why) => ({
    what: `service ${service.spec.name}`,
    why,
    next: "Change the stack file, or accept the difference: the service runs without it.",
    sinceMs: null,
  }));
}

/** Services whose clients get errors, whatever their checks say. */
function failingServices(
  services: readonly ServiceView[],
  tasksOf: (service: ServiceView) => readonly Task[],
  traffic: readonly ServiceTraffic[],
): StatusProblem[] {
  const byId = new Map(services.map((service) => [service.id, service]));
  const current = traffic.flatMap(({ id, recent }) => {
    const service = byId.get(id);
    return service === undefined ? [] : { id, name: service.spec.name, recent };
  });
  return trafficProblems(current).map(({ serviceId, what, why, next, isTotal }) => {
    const service = byId.get(serviceId);
    const isSilent = isTotal && service !== undefined && acceptsOnly(tasksOf(service));
    const hint = isSilent ? ` ${otherProtocolHint(service)}` : "";
    return { what, why, next: `${next}${hint}`, sinceMs: null };
  });
}

/** True if the running tasks accept connections, and it is not known that they speak HTTP. */
function acceptsOnly(tasks: readonly Task[]): boolean {
  const running = tasks.filter(({ desired, state }) => desired === "running" && state === "running");
  return running.length > 0 && running.every(({ health }) => health?.lastCheck.startsWith("L4OK") === true);
}

function otherProtocolHint({ spec: { name } }: ServiceView): string {
  return `If ${name} does not speak HTTP: \`waggle service update --label-add waggle.mode=tcp ${name}\`.`;
}

/** The word of a check whose response is not HTTP. */
const notHttp = "L7RSP";

function notHttpAdvice({ spec: { name } }: ServiceView): string {
  return `${name} does not speak HTTP: \`waggle service update --label-add waggle.mode=tcp --label-add waggle.probe=tcp ${name}\`.`;
}

/** A server in maint is down on purpose, so it is not a problem. */
function downServerProblems(server: ServerView): StatusProblem[] {
  const { admin, health, service } = server;
  if (admin === "maint" || health === null || health.up) return [];
  const check = lastCheckText(server);
  const name = serverName(service, server);
  return [
    {
      what: `server ${name}`,
      why: check === "" ? "down" : `down: ${check}`,
      next: `Check the server itself, or take it out of rotation: \`waggle server set ${name} --admin maint\`.`,
      sinceMs: health.sinceMs,
    },
  ];
}

function noNodes({ name, createdAtMs }: MeshInfo): StatusProblem {
  return {
    what: `mesh ${name}`,
    why: "no node has joined",
    next: "Run the command that `waggle join-token` prints on a machine.",
    sinceMs: createdAtMs,
  };
}

function nodeProblems(node: MeshNode, tasks: readonly Task[]): StatusProblem[] {
  const what = `node ${node.hostname}`;
  if (node.state !== "ready") {
    const why = node.message === "" ? node.state : `${node.state}: ${node.message}`;
    return [{ what, why, next: downNodeAdvice(node), sinceMs: node.stateSinceMs }];
  }
  return [...closedPorts(node), ...unreachedGateway(node), ...leftTasks(node, tasks)];
}

/** A node whose gateway does not answer where the mesh dials it: its tasks get no requests. */
function unreachedGateway(node: MeshNode): StatusProblem[] {
  const why = unreachedReason(node);
  const { hostname, labels } = node;
  if (why === "" || node.transport === undefined) return [];
  const update = (transport: string) => `\`waggle node update --transport ${transport} ${hostname}\``;
  const pin = labels[transportLabel];
  const unpin = pin === undefined ? "" : `, or let the mesh choose the transport: ${update("auto")}`;
  const next = `Then have it checked again: ${update(pin ?? "auto")}${unpin}.`;
  return [{ what: `node ${hostname}`, why: `${node.transport.kind}: ${why}`, next, sinceMs: null }];
}

/** Tasks that are still on a node that is drained or leaves. */
function leftTasks(node: MeshNode, tasks: readonly Task[]): StatusProblem[] {
  const what = `node ${node.hostname}`;
  const aliveCount = tasks.filter((task) => isAlive(task)).length;
  // Pausing or draining a node is no problem; tasks that stay on a drained node are.
  if (aliveCount === 0 || (!node.leaving && node.availability !== "drain")) return [];
  const reason = node.leaving ? "its agent is leaving" : "drained";
  const next = "They stop once their replacements run; see their services for what delays those.";
  return [
    { what, why: `${reason}: ${countText(aliveCount, "task")} still there`, next, sinceMs: node.updatedAtMs },
  ];
}

/** Published ports that the machine should have open and has not. */
function closedPorts({ hostname, listeners }: MeshNode): StatusProblem[] {
  return (listeners?.closed ?? []).map(({ port, why, sinceMs }) => ({
    what: `port ${port} of ${hostname}`,
    why: `not open: ${why}`,
    next: "Remove the reason on that machine, or publish another port.",
    sinceMs,
  }));
}

function downNodeAdvice(node: MeshNode): string {
  const { hostname, message } = node;
  if (message.startsWith("address "))
    return "If the address is that machine's, confirm it with this command; else correct --address of its agent.";
  if (isBalancer(node))
    return `Start \`waggle edge\` there again, or remove it: \`waggle node rm ${hostname}\`.`;
  return message === "left"
    ? `Start its agent again, or remove it: \`waggle node rm ${hostname}\`.`
    : "Check that the machine is up, reaches the mesh and runs its agent; its tasks run on other nodes meanwhile.";
}

/** Containers of a node that are no services of the mesh, although their labels ask for it. */
function undiscovered({ hostname, discoveryProblems = [] }: MeshNode): StatusProblem[] {
  return discoveryProblems.map((why) => ({
    what: `node ${hostname}`,
    why,
    next: `Change the labels on ${hostname}; the mesh follows at once.`,
    sinceMs: null,
  }));
}

/** What the labels of a discovered service ask for and the mesh does not do. */
function discoveryWarnings({ spec, discovered }: ServiceView, nodes: readonly MeshNode[]): StatusProblem[] {
  if (discovered === undefined) return [];
  const node = nodes.find(({ id }) => id === discovered.nodeId)?.hostname ?? discovered.nodeId;
  return discovered.warnings.map((why) => ({
    what: `service ${spec.name}`,
    why,
    next: `It is discovered on ${node} (${discovered.source}): change it there.`,
    sinceMs: null,
  }));
}

/** An update that stopped halfway. Its remaining slots run the spec before it, so the service may look well. */
function pausedUpdates({ spec: { name }, update }: ServiceView): StatusProblem[] {
  if (update?.state !== "paused" && update?.state !== "rollback_paused") return [];
  const next =
    update.state === "paused"
      ? `Correct it with \`waggle service update\`, or go back: \`waggle service update --rollback ${name}\`.`
      : "Correct it with `waggle service update`.";
  return [{ what: `service ${name}`, why: update.message, next, sinceMs: null }];
}

/** Labels that name a service which is missing or not published. Requests go on without them. */
function labelsWithoutEffect(service: ServiceView, services: NamedServices): StatusProblem[] {
  return referenceWarnings(service, services).map((why) => ({
    what: `service ${service.spec.name}`,
    why,
    next: "Create or publish that service, or remove the label: `waggle service update --label-rm`.",
    sinceMs: null,
  }));
}

/** One problem for a service with too few running tasks, with the reasons of those that do not run. */
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
    ? "Add or activate a node, relax the service's constraints, or scale it down."
    : "Tasks are starting. If this persists, see the problems of its tasks.";
}

/** Running tasks that are unhealthy, and the last failure of each slot without a running task. */
function failingTasks(service: ServiceView, tasks: readonly Task[]): StatusProblem[] {
  const slots = Map.groupBy(tasks, (task) => taskName(service.spec.name, task));
  return [...slots].flatMap(([name, slotTasks]) => {
    const what = `task ${name}`;
    const running = slotTasks.filter(({ desired, state }) => desired === "running" && state === "running");
    const unhealthy = running.filter(({ health }) => health?.verdict === "unhealthy");
    if (running.length > 0) return unhealthy.map((task) => unhealthyTask(service, what, task));
    const last = slotTasks.findLast(({ state }) => state === "rejected" || state === "failed");
    const isWanted = slotTasks.some((task) => task.desired === "running" && isAlive(task));
    return last !== undefined && isWanted ? [endedTask(service, what, last)] : [];
  });
}

function unhealthyTask(service: ServiceView, what: string, { health, stateSinceMs }: Task): StatusProblem {
  const why = `unhealthy: ${health?.lastCheck || "no response"} (${haproxyStatus(health)})`;
  if (health?.lastCheck.startsWith(notHttp) === true) {
    return { what, why, next: notHttpAdvice(service), sinceMs: health.sinceMs };
  }
  const next = "It gets no new requests; see its log in its node's state folder, under tasks/.";
  return { what, why, next, sinceMs: health?.sinceMs ?? stateSinceMs };
}

function endedTask(
  service: ServiceView,
  what: string,
  { state, err, message, stateSinceMs }: Task,
): StatusProblem {
  if (err.includes(notHttp)) {
    return { what, why: `last task ${state}: ${err}`, next: notHttpAdvice(service), sinceMs: stateSinceMs };
  }
  const next =
    state === "rejected"
      ? "Correct the image or its arguments: `waggle service update`."
      : "See its log in its node's state folder, under tasks/; the mesh starts it again.";
  return { what, why: `last task ${state}: ${err || message}`, next, sinceMs: stateSinceMs };
}

function slotNames(service: ServiceView, tasks: readonly Task[]): string {
  const names = tasks.slice(0, maxNamedSlots).map((task) => taskName(service.spec.name, task));
  const moreCount = tasks.length - names.length;
  return `${names.join(", ")}${moreCount > 0 ? ` and ${moreCount} more` : ""}`;
}

function countText(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}
