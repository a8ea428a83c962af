// An event: who did what to which thing, when, and why. Kept in a ring by the registry.

export type EventSubject = {
  readonly type: "mesh" | "node" | "service" | "task" | "server";
  readonly id: string;
  readonly name: string;
};

/** An event not yet numbered. */
export type NewEvent = {
  /** `operator`, `registry`, or `node NAME`. */
  readonly actor: string;
  /** `service.create`, `task.failed`, `node.down`, `table.version` … */
  readonly action: string;
  readonly subject: EventSubject;
  /** A sentence for a person; may be empty. */
  readonly why: string;
};

export type MeshEvent = NewEvent & { readonly seq: number; readonly atMs: number };
