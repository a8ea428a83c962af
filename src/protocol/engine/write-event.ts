// Writes events of the mesh as the Engine API's. A Swarm has events of services, nodes, networks, secrets and
// configs; what happens to a task is an event of its container.

import type { EventSubject, MeshEvent } from "../../domain/model/event.ts";
import { containerId } from "./container-id.ts";
import { type Container, containerLabels } from "./write-container.ts";

/** What a Swarm has events of, as a whole. */
const clusterTypes = ["service", "node", "network", "secret", "config"] as const;
type ClusterType = (typeof clusterTypes)[number];

/** An event as Docker's clients read it. */
export type EngineEvent = {
  readonly Type: ClusterType | "container";
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

/** Docker's action of anything but a task. */
function clusterAction(action: string): "create" | "remove" | "update" {
  if (action.endsWith(".create") || action === "node.join") return "create";
  return action.endsWith(".remove") ? "remove" : "update";
}

function isClusterType(type: EventSubject["type"]): type is ClusterType {
  return (clusterTypes as readonly string[]).includes(type);
}

/** The registry asks for a shutdown before the agent reports it: that is the signal, and not yet the end. */
function containerAction({ action, actor }: MeshEvent): string {
  if (action === "task.shutdown" && actor === "registry") return "kill";
  return containerActions.get(action) ?? "update";
}

/** True if Docker has an event of this kind. */
export function hasEngineEvent({ action, subject }: MeshEvent): boolean {
  return subject.type === "task" ? containerActions.has(action) : isClusterType(subject.type);
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
  if (isClusterType(subject.type)) {
    const Type = subject.type;
    const state = Type === "node" ? /^node\.(ready|down)$/.exec(action)?.[1] : undefined;
    const Attributes = { name: subject.name, ...(state !== undefined && { "state.new": state }), ...own };
    return {
      Type,
      Action: clusterAction(action),
      Actor: { ID: subject.id, Attributes },
      scope: "swarm",
      ...times,
    };
  }
  const Action = containerAction(event);
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
