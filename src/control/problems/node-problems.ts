// The problems of nodes: those that are not ready, whose gateway does not answer, or that tasks do not leave.

import { isBalancer, type MeshNode, transportLabel } from "../../domain/model/node.ts";
import { unreachedReason } from "../../domain/model/node-gateway.ts";
import { isAlive, type Task } from "../../domain/model/task.ts";
import type { StatusProblem } from "../../protocol/status.ts";
import type { MeshInfo } from "../../registry/api.ts";
import { countText } from "./words.ts";

export function noNodes({ name, createdAtMs }: MeshInfo): StatusProblem {
  return {
    what: `mesh ${name}`,
    why: "no node has joined",
    next: "Run the command that `waggle join-token` prints on a machine.",
    sinceMs: createdAtMs,
    severity: "bad",
    headline: "No node has joined yet",
  };
}

/** @param isOutage no node is ready, and there are no static servers */
export function nodeProblems(node: MeshNode, tasks: readonly Task[], isOutage: boolean): StatusProblem[] {
  const { hostname, state, message, stateSinceMs } = node;
  const severity = isOutage ? "bad" : "warn";
  if (state === "ready") return [...unreachedGateway(node), ...leftTasks(node, tasks), ...undiscovered(node)];
  const why = message === "" ? state : `${state}: ${message}`;
  const down: StatusProblem = {
    what: `node ${hostname}`,
    why,
    next: downNodeAdvice(node),
    sinceMs: stateSinceMs,
    severity,
    ...(isOutage && { headline: `${hostname} is ${state}` }),
  };
  return [down, ...undiscovered(node)];
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
  const what = `node ${hostname}`;
  return [{ what, why: `${node.transport.kind}: ${why}`, next, sinceMs: null, severity: "warn" }];
}

/** Tasks that are still on a node that is drained or leaves. */
function leftTasks(node: MeshNode, tasks: readonly Task[]): StatusProblem[] {
  const what = `node ${node.hostname}`;
  const aliveCount = tasks.filter((task) => isAlive(task)).length;
  // Pausing or draining a node is no problem; tasks that stay on a drained node are.
  if (aliveCount === 0 || (!node.leaving && node.availability !== "drain")) return [];
  const reason = node.leaving ? "its agent is leaving" : "drained";
  const next = "They stop once their replacements run; see their services for what delays those.";
  const why = `${reason}: ${countText(aliveCount, "task")} still there`;
  return [{ what, why, next, sinceMs: node.updatedAtMs, severity: "warn" }];
}

/** Containers of a node that are no services of the mesh, although their labels ask for it. */
function undiscovered({ hostname, discoveryProblems = [] }: MeshNode): StatusProblem[] {
  return discoveryProblems.map((why) => ({
    what: `node ${hostname}`,
    why,
    next: `Change the labels on ${hostname}; the mesh follows at once.`,
    sinceMs: null,
    severity: "warn",
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
