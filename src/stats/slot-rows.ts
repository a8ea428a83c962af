// Slots as servers: a slot outlives its tasks, so that a reader's series goes on while a task is replaced.

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

/** @see docs/spec.md Z8, Z9 */
export function slotRows(input: ServiceProxyInput): ServerRow[] {
  const { service, tasks } = input;
  const meant = shareRulesOf(service.spec.labels);
  const slots = Map.groupBy(tasks, (task) => taskName(service.spec.name, task));
  return [...slots].flatMap(([name, ofSlot]) => {
    const task = taskOfSlot(ofSlot);
    return task === null ? [] : [slotRow(name, task, meant, input)];
  });
}

/**
 * The task a slot is shown by: the one that takes requests, else the newest that is to, else one that is being stopped;
 * the newest dead one only while no other follows it. Null: the slot was given up.
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

/** @param meant the shares that the service's labels ask for, also of tasks that take no requests now */
function slotRow(name: string, task: Task, meant: ShareRules, input: ServiceProxyInput): ServerRow {
  const { shares, nodes, traffic, nowMs } = input;
  const share = shares.get(task.id) ?? null;
  const { weight, backup = false } = shareOf(meant, task, nodes.get(task.nodeId ?? ""));
  // What an unheard node said last still holds while nobody else can take the requests.
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
      ...stateValues(task, isLost ? "its node is not heard" : ""),
      lastchg: seconds(nowMs - sinceMs(task)),
      addr: addressOf(task),
    },
  };
}

/**
 * A task told to stop is drained; one that is not running yet, or any more, is down.
 *
 * @param drains it takes no new clients, by the operator's word or because it will soon be replaced
 */
function taskStatus(task: Task, drains: boolean): string {
  if (task.admin === "maint") return "MAINT";
  if (!isAlive(task) || task.state !== "running") return "DOWN";
  if (task.desired !== "running") return "DRAIN";
  const status = haproxyStatus(task.health);
  if (task.admin !== "drain" && !drains) return status;
  return status === "no check" ? "DRAIN" : status.replace("UP", "DRAIN");
}

/** The last check of a task that runs; what a task that does not waits for, or ended with. */
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
