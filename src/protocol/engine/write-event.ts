// Writes events of the mesh as the Engine API's. A Swarm has events of services and nodes; what happens to a task
// is an event of its container.

import type { MeshEvent } from "../../domain/model/event.ts";
import { containerId } from "./container-id.ts";
import { type Container, containerLabels } from "./write-container.ts";

/** An event as Docker's clients read it. */
export type EngineEvent = {
  readonly Type: "service" | "node" | "container";
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: "swarm" | "local";
  /** Epoch seconds. */
  readonly time: number;
  /** Epoch nanoseconds. */
  readonly timeNano: number;
  /** `status`, `id` and `from` repeat the above for clients before API version 1.52. */
  readonly status?: string;
  readonly id?: string;
  readonly from?: string;
};

/** Docker's actions of a container, by the mesh's actions of a task. Other steps of a task have no event. */
const containerActions: ReadonlyMap<string, string> = new Map([
  ["task.assign", "create"],
  ["task.running", "start"],
  ["task.healthy", "health_status: healthy"],
  ["task.unhealthy", "health_status: unhealthy"],
  ["task.remove", "kill"],
  ["task.complete", "die"],
  ["task.failed", "die"],
  ["task.shutdown", "die"],
  ["task.rejected", "die"],
  ["task.orphaned", "die"],
]);

/** Docker's actions of services and nodes; every other one is an update. */
const actions: ReadonlyMap<string, string> = new Map([
  ["service.create", "create"],
  ["service.remove", "remove"],
  ["node.join", "create"],
  ["node.remove", "remove"],
]);

/** True if Docker has an event of this kind. */
export function hasEngineEvent({ action, subject }: MeshEvent): boolean {
  if (subject.type === "task") return containerActions.has(action);
  return subject.type === "service" || subject.type === "node";
}

/**
 * An event of `hasEngineEvent`. Its attribute `waggle.action` is the mesh's own action, `waggle.why` its reason.
 *
 * @param container of an event about a task; undefined if the task is not stored any more
 */
export function writeEvent(event: MeshEvent, container: Container | undefined): EngineEvent {
  const { action, subject, why, atMs } = event;
  const times = { time: Math.floor(atMs / 1_000), timeNano: atMs * 1e6 };
  const own = { "waggle.action": action, ...(why !== "" && { "waggle.why": why }) };
  if (subject.type !== "task") {
    const Type = subject.type === "node" ? "node" : "service";
    const state = Type === "node" ? /^node\.(ready|down)$/.exec(action)?.[1] : undefined;
    const Attributes = { name: subject.name, ...(state !== undefined && { "state.new": state }), ...own };
    const Action = actions.get(action) ?? "update";
    return { Type, Action, Actor: { ID: subject.id, Attributes }, scope: "swarm", ...times };
  }
  const Action = containerActions.get(action) ?? "update";
  const id = containerId(subject);
  const image = container?.task.run.image ?? "";
  const exitCode = container?.task.exitCode ?? null;
  const labels =
    container === undefined ? { "com.docker.swarm.task.id": subject.id } : containerLabels(container);
  const Attributes = {
    ...labels,
    image,
    name: `${subject.name}.${subject.id}`,
    ...(Action === "die" && { exitCode: String(exitCode ?? 0) }),
    ...own,
  };
  const legacy = { status: Action, id, from: image };
  return { ...legacy, Type: "container", Action, Actor: { ID: id, Attributes }, scope: "local", ...times };
}
