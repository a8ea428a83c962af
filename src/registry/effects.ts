// Effects: what a shell does once a transaction stands. Deciding collects them; sockets and alarms are the shell's.

import type { MeshEvent } from "../domain/model/event.ts";
import type { NodeAssignment } from "./assignments.ts";

/** A socket to close: all sockets of one node, with a WebSocket close code and a reason for a person. */
export type SocketClose = { readonly nodeId: string; readonly code: number; readonly reason: string };

/** Tasks a node's agent is to probe now. */
export type NodeProbe = { readonly nodeId: string; readonly taskIds: readonly string[] };

export type Effects = {
  /** Assignments of the nodes whose tasks changed. A shell sends one unless its socket already has it. */
  readonly assignments: readonly NodeAssignment[];
  /** The routing table's version when it rose; null otherwise. */
  readonly tableVersion: number | null;
  readonly events: readonly MeshEvent[];
  readonly closes: readonly SocketClose[];
  readonly probes: readonly NodeProbe[];
  /** Regions whose prober is to be woken: its list is another, or it is silent. */
  readonly wakes: readonly string[];
  /** When to call `due` next, epoch milliseconds; null: not before something else happens. */
  readonly nextDeadlineMs: number | null;
};
