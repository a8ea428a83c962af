// The rows of slots. A slot outlives its tasks, so a reader's series continues when a task is replaced.

import { isRoutable } from "../domain/compile/compile-table.ts";
import { type ShareRules, shareOf, shareRulesOf } from "../domain/labels/balance-labels.ts";
import { haproxyStatus } from "../domain/model/health.ts";
import { isNodeDown, type MeshNode } from "../domain/model/node.ts";
import { isAlive, type Task, taskName } from "../domain/model/task.ts";
import { checkValues } from "./check-values.ts";
import type { ServerRow } from "./proxy-rows.ts";
import type { ColumnValues } from "./report.ts";
import type { ServiceProxyInput } from "./service-proxy.ts";
import { seconds } from "./time.ts";

/**
 * @see docs/spec.md Z8, Z9
 * @see docs/decisions/0041-stats-page-reads-the-registry.md
 */
export function slotRows(input: ServiceProxyInput): ServerRow[] {
  const { service, tasks } = input;
  const shareRules = shareRulesOf(service.spec.labels);
  const slots = Map.groupBy(tasks, (task) => taskName(service.spec.name, task));
  return [...slots].flatMap(([name, slotTasks]) => {
    const task = taskOfSlot(slotTasks);
    return task === null ? [] : [slotRow(name, task, shareRules, input)];
  });
}

/**
 * The task that represents a slot: the one that gets requests, else the newest that should run, else one that
 * is stopping, else the newest ended one that should be replaced. Null if the slot is not used any more.
 */
function taskOfSlot(tasks: readonly Task[]): Task | null {
  const newestFirst = tasks.toSorted((a, b) => b.createdAtMs - a.createdAtMs);
  const wanted = newestFirst.filter(({ desired }) => desired === "running");
  return (
    wanted.find((task) => isRoutable(task)) ??
    wanted.find((task) => isAlive(task)) ??
    newestFirst.find((task) => isAlive(task)) ??
    wanted[0] ??
    null
  );
}

/** @param shareRules from the service's labels; they also apply to tasks that get no requests now */
function slotRow(name: string, task: Task, shareRules: ShareRules, input: ServiceProxyInput): ServerRow {
  const { shares, nodes, traffic, nowMs } = input;
  const share = shares.get(task.id) ?? null;
  const { weight, backup = false } = shareOf(shareRules, task, nodes.get(task.nodeId ?? ""));
  // The last state from an unreachable node still counts while no other task can get the requests.
  const isLost = share === null && !isOnLiveNode(task, nodes);
  return {
    name,
    status: isLost ? "DOWN" : taskStatus(task, share?.drain === true),
    share,
    weight,
    backup,
    admin: { target: { kind: "task", ref: task.id }, state: task.admin ?? "ready" },
    values: {
      ...traffic.server(task.serviceId, name),
      ...stateValues(task, isLost ? "its node is unreachable" : ""),
      lastchg: seconds(nowMs - sinceMs(task)),
      addr: addressOf(task),
    },
  };
}

/**
 * A task that is stopping is DRAIN; one that does not run is DOWN.
 *
 * @param isDraining it gets no new clients, by its admin state or because it will soon be replaced
 */
function taskStatus(task: Task, isDraining: boolean): string {
  if (task.admin === "maint") return "MAINT";
  if (!isAlive(task) || task.state !== "running") return "DOWN";
  if (task.desired !== "running") return "DRAIN";
  const status = haproxyStatus(task.health);
  if (task.admin !== "drain" && !isDraining) return status;
  return status === "no check" ? "DRAIN" : status.replace("UP", "DRAIN");
}

/** The last check of a running task; the message or error of another. */
function stateValues(task: Task, problem: string): ColumnValues {
  if (task.state === "running" && problem === "") return task.health === null ? {} : checkValues(task.health);
  const why = problem || [task.state, task.err || task.message].filter((text) => text !== "").join(": ");
  return { check_status: "UNK", check_desc: "Unknown", last_chk: why };
}

function sinceMs({ state, health, stateSinceMs }: Task): number {
  return state === "running" && health !== null ? health.sinceMs : stateSinceMs;
}

function addressOf({ endpoints: [first] }: Task): string {
  return first === undefined ? "" : (URL.parse(first.origin)?.host ?? "");
}

function isOnLiveNode({ nodeId }: Task, nodes: ReadonlyMap<string, MeshNode>): boolean {
  const node = nodes.get(nodeId ?? "");
  return nodeId === null || (node !== undefined && !isNodeDown(node));
}
