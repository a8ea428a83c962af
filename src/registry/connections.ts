// An agent's messages about its node: hello, leaving, goodbye.

import { MeshError } from "../domain/model/error.ts";
import { isBalancer, isNodeDown, type MeshNode } from "../domain/model/node.ts";
import { isAlive, type Task, taskStates } from "../domain/model/task.ts";
import {
  closeCodes,
  type ListenersReport,
  type NodeDescription,
  type TaskReport,
} from "../protocol/agent.ts";
import { checkHostname, checkMachineAddress, provenAddress } from "./addresses.ts";
import { recordDiscovery } from "./discovery.ts";
import { type Draft, nodeSubject, taskSubject } from "./draft.ts";
import { forgetPredecessors } from "./forgotten-nodes.ts";
import { requestGatewayCheck, settleTransport } from "./gateway-checks.ts";
import { nodeNameTaken } from "./join.ts";
import { noListeners, withListeners } from "./listeners.ts";
import { markDown, scheduleSweep } from "./liveness.ts";
import { applyReports, memberNode } from "./reports.ts";
import { sameData } from "./same-data.ts";
import { chooseTransport } from "./transport.ts";

/** The first message on an agent's socket. */
export type HelloInput = {
  readonly node: NodeDescription;
  readonly tasks: readonly TaskReport[];
  readonly listeners?: ListenersReport | undefined;
  /** True: its agent discovers services. */
  readonly discovers?: boolean | undefined;
  /** Where the socket's connection comes from; null if unknown. */
  readonly client: string | null;
};

/**
 * Makes a node ready and applies its report of all tasks. Tasks that its agent had and no longer names are
 * lost. The reply is the node's assignment, even if it did not change.
 *
 * @throws MeshError node/not-found, node/conflict, address/invalid, address/forbidden, report/forbidden; then
 *   nothing is applied
 */
export function hello(draft: Draft, nodeId: string, input: HelloInput): void {
  const { node: description, tasks, listeners, discovers, client } = input;
  const node = memberNode(draft, nodeId);
  const { addresses } = draft.context;
  checkHostname(description.hostname);
  checkMachineAddress(description, addresses);
  checkKind(node, description);
  checkNameFree(draft, node, description.hostname);
  const wasReady = node.state === "ready";
  const proven = provenAddress(node, description.address, client);
  const reported = readyNode(node, description, draft.nowMs);
  const described = {
    ...withListeners(reported, description.ingress ? (listeners ?? noListeners) : undefined, draft.nowMs),
    ...(proven !== null && { provenAddress: proven }),
  };
  // Most hellos follow a restart of the registry and change nothing.
  const isSame = sameData({ ...described, updatedAtMs: node.updatedAtMs }, node);
  const ready = isSame ? node : described;
  const choice = isBalancer(node) ? null : chooseTransport(ready, addresses);
  if (choice?.kind === null) throw addressForbidden(choice.reason);
  if (node.wasReady !== true) forgetPredecessors(draft, ready);
  if (!isSame) draft.put("nodes", ready);
  if (choice !== null) {
    settleTransport(draft, ready, "registry");
    requestGatewayCheck(draft, ready);
  }
  draft.store.setDisconnectedAt([nodeId], null);
  scheduleSweep(draft);
  if (!wasReady) draft.recordEvent(`node ${ready.hostname}`, "node.ready", nodeSubject(ready));
  applyReports(draft, nodeId, tasks);
  failUnreportedTasks(draft, ready, new Set(tasks.map(({ id }) => id)));
  if (discovers !== true) recordDiscovery(draft, nodeId, undefined);
  draft.resend.add(nodeId);
}

/** A node that is up has its name already. @throws MeshError node/conflict */
function checkNameFree({ world }: Draft, node: MeshNode, hostname: string): void {
  if (node.hostname === hostname && !isNodeDown(node)) return;
  for (const other of world.nodes.values()) {
    if (other.id !== node.id && other.hostname === hostname && !isNodeDown(other)) throw nodeNameTaken(other);
  }
}

/** A machine stays what it joined as. @throws MeshError node/conflict */
function checkKind(node: MeshNode, description: NodeDescription): void {
  if (isBalancer(node) === isBalancer(description)) return;
  const [joined, started] = isBalancer(node) ? ["a balancer", "waggle edge"] : ["a node", "waggle agent"];
  throw new MeshError(
    "node/conflict",
    `${node.hostname} joined as ${joined}: start it with ${started}, or with another --state DIR`,
    { blame: "operator", retry: "never" },
  );
}

/**
 * Closes the socket of a node whose address is not confirmed, and marks the node down with the reason. Its
 * agent redials, and is accepted once an operator has confirmed the address.
 */
export function refuseAddress(draft: Draft, nodeId: string, reason: string): void {
  const node = memberNode(draft, nodeId);
  draft.close(nodeId, closeCodes.badMessage, reason);
  if (node.transport === undefined && node.state === "down" && node.message === reason) return;
  // What may not be dialed any more must not stay in the routing table.
  const { transport, ...rest } = node;
  markDown(draft, rest, reason, "registry");
}

/** Its message fits into the reason of a close frame unless names are long. */
function addressForbidden(message: string): MeshError {
  return new MeshError("address/forbidden", message, { blame: "operator", retry: "safe" });
}

/** The agent asks to leave: its node is scheduled as if drained, and keeps the operator's availability. */
export function leaving(draft: Draft, nodeId: string): void {
  const node = memberNode(draft, nodeId);
  if (node.leaving) return;
  draft.put("nodes", { ...node, leaving: true, updatedAtMs: draft.nowMs });
  draft.recordEvent(
    `node ${node.hostname}`,
    "node.leaving",
    nodeSubject(node),
    "its tasks are replaced elsewhere first",
  );
}

/** The agent has stopped: the node is down at once. */
export function goodbye(draft: Draft, nodeId: string, reason: string): void {
  const node = memberNode(draft, nodeId);
  if (node.state !== "down") markDown(draft, node, "left", `node ${node.hostname}`);
  if (reason !== "") draft.recordEvent(`node ${node.hostname}`, "node.goodbye", nodeSubject(node), reason);
}

function readyNode(node: MeshNode, description: NodeDescription, nowMs: number): MeshNode {
  const { hostname, address, gateway, platform, resources, engineVersion, runtime } = description;
  const stateSinceMs = node.state === "ready" ? node.stateSinceMs : nowMs;
  return {
    ...node,
    hostname,
    address,
    ...(gateway !== undefined && { gateway }),
    platform,
    resources,
    engineVersion,
    runtime,
    state: "ready",
    wasReady: true,
    message: "",
    stateSinceMs,
    updatedAtMs: nowMs,
    leaving: false,
  };
}

/** Ends the tasks that the agent had accepted and no longer reports; reconcile replaces them. */
function failUnreportedTasks(draft: Draft, node: MeshNode, reportedIds: ReadonlySet<string>): void {
  for (const task of draft.index.tasksOfNode(draft.world, node.id)) {
    const isAccepted = taskStates[task.state] > taskStates.assigned;
    if (!isAccepted || !isAlive(task) || reportedIds.has(task.id)) continue;
    if (task.discovered) continue;
    const lost = lostTask(task, draft.nowMs);
    draft.put("tasks", lost);
    draft.recordEvent("registry", `task.${lost.state}`, taskSubject(draft.world, lost), lost.err);
  }
}

function lostTask(task: Task, nowMs: number): Task {
  const common = {
    ...task,
    stateSinceMs: nowMs,
    endedAtMs: nowMs,
    version: task.version + 1,
    endpoints: [],
    health: null,
    pid: null,
  };
  if (task.desired !== "running") return { ...common, state: "shutdown", message: "shutdown" };
  return { ...common, state: "failed", message: "lost", err: "task: its agent came back without it" };
}
