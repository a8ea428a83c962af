// A published service as a proxy: every slot is a server of it, whichever task is in the slot.

import { isRoutable } from "../domain/compile.ts";
import { haproxyStatus } from "../domain/health.ts";
import { taskName } from "../domain/names.ts";
import type { Node } from "../domain/node.ts";
import { nodeDown } from "../domain/nodes.ts";
import { isAlive, type Task } from "../domain/task.ts";
import type { ServiceView } from "../registry/api.ts";
import { checkValues } from "./check.ts";
import type { Traffic } from "./input.ts";
import { proxyRows, type ServerLine } from "./proxy-rows.ts";
import type { StatsProxy, Values } from "./report.ts";
import { seconds } from "./time.ts";

export type ServiceInput = {
  readonly service: ServiceView;
  readonly iid: number;
  /** The service's own, history included. */
  readonly tasks: readonly Task[];
  readonly nodes: ReadonlyMap<string, Node>;
  readonly traffic: Traffic;
  readonly nowMs: number;
};

/** @see docs/spec.md Z7-Z9 */
export function serviceProxy(input: ServiceInput): StatsProxy {
  const { service, iid, tasks, traffic } = input;
  const head = { name: service.spec.name, iid, algorithm: "roundrobin" };
  const slots = Map.groupBy(tasks, (task) => taskName(service.spec.name, task));
  const isServed = tasks.some((task) => isRoutable(task) && isHeard(task, input.nodes));
  const lines = [...slots].flatMap(([name, ofSlot]) => {
    const task = taskOfSlot(ofSlot);
    return task === null ? [] : [slotLine(name, task, isServed, input)];
  });
  const ports = service.ports.map(({ published, target }) => `${published}:${target}`).join(", ");
  return {
    ...head,
    what: `service, mode http, ports ${ports}`,
    rows: proxyRows(head, lines.sort(byName), traffic.service(service.id)),
    actions: [],
  };
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

function slotLine(
  name: string,
  task: Task,
  isServed: boolean,
  { nodes, traffic, nowMs }: ServiceInput,
): ServerLine {
  const heard = isHeard(task, nodes);
  // What an unheard node said last still holds while nobody else can take the requests.
  const status = heard || !isServed ? taskStatus(task) : "DOWN";
  return {
    name,
    status,
    isActive: isRoutable(task) && (heard || !isServed),
    weight: 1,
    backup: false,
    values: {
      ...traffic.server(task.serviceId, name),
      ...stateValues(task, heard ? "" : "its node is not heard"),
      lastchg: seconds(nowMs - sinceMs(task)),
      addr: addressOf(task),
    },
  };
}

/** A task told to stop is drained; one that is not running yet, or any more, is down. */
function taskStatus(task: Task): string {
  if (!isAlive(task) || task.state !== "running") return "DOWN";
  return task.desired === "running" ? haproxyStatus(task.health) : "DRAIN";
}

/** The last check of a task that runs; what a task that does not waits for, or ended with. */
function stateValues(task: Task, problem: string): Values {
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

function isHeard({ nodeId }: Task, nodes: ReadonlyMap<string, Node>): boolean {
  const node = nodes.get(nodeId ?? "");
  return nodeId === null || (node !== undefined && !nodeDown(node));
}

const { compare } = new Intl.Collator("en", { numeric: true });
const byName = (a: ServerLine, b: ServerLine) => compare(a.name, b.name);
