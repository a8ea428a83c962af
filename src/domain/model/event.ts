// An event of the mesh: who did what to which object, when and why. The registry keeps two trails of them:
// what operators did, and what nodes and the registry did.

/** Older events of a trail are deleted: enough to follow an incident, small enough to read whole. */
export const maxEventsOfTrail = 1_000;

/** Events that the registry keeps. Readers get all of them, so that no trail hides the other. */
export const maxEventsKept = 2 * maxEventsOfTrail;

export type EventSubject = {
  readonly type: "mesh" | "node" | "service" | "task" | "server" | "network" | "secret" | "config";
  readonly id: string;
  readonly name: string;
};

/** An event before the registry gives it a number and a time. */
export type NewEvent = {
  /** `operator`, `registry`, or `node NAME`. */
  readonly actor: string;
  /** `service.create`, `task.failed`, `node.down`, `table.version` … */
  readonly action: string;
  readonly subject: EventSubject;
  /** The reason, for people; may be empty. */
  readonly why: string;
  /** What an update changed in a service's spec, see spec-changes.ts. Absent in events of earlier releases. */
  readonly changes?: readonly string[];
};

/** True for what a person did; every other event is caused by a node or the registry. */
export function isByOperator({ actor }: Pick<NewEvent, "actor">): boolean {
  return actor !== "registry" && !actor.startsWith("node ");
}

export type MeshEvent = NewEvent & { readonly seq: number; readonly atMs: number };
