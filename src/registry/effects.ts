// Effects: what a shell does after a transaction is saved. A transaction collects them; the shell owns the
// sockets and alarms.

import type { MeshEvent } from "../domain/model/event.ts";
import type { NodeAssignment } from "./assignments.ts";
import type { GatewayCheckRequest } from "./gateway-checks.ts";

/** All sockets of a node to close, with a WebSocket close code and a reason for a person. */
export type SocketClose = { readonly nodeId: string; readonly code: number; readonly reason: string };

/** Tasks that a node's agent must probe now. */
export type NodeProbe = { readonly nodeId: string; readonly taskIds: readonly string[] };

/** The effects of one transaction. */
export type TransactionEffects = {
  /** Assignments of the nodes whose tasks changed. A shell sends one unless its socket already has it. */
  readonly assignments: readonly NodeAssignment[];
  /** The routing table's version if it rose, else null. */
  readonly tableVersion: number | null;
  /** True if routers need other keys of gateways. */
  readonly hasNewKeys: boolean;
  readonly events: readonly MeshEvent[];
  readonly closes: readonly SocketClose[];
  readonly probes: readonly NodeProbe[];
  /** Gateways to check now. */
  readonly gatewayChecks: readonly GatewayCheckRequest[];
  /** Regions whose prober to wake: its list changed, or it is silent. */
  readonly wakes: readonly string[];
  /** Sessions of the dashboard whose sockets to close. */
  readonly endedSessions: readonly string[];
};

export type Effects = TransactionEffects & {
  /** When to call `runDueDeadlines` next, epoch milliseconds; null: not before something else happens. */
  readonly nextDeadlineMs: number | null;
};

export const noEffects: TransactionEffects = {
  assignments: [],
  tableVersion: null,
  hasNewKeys: false,
  events: [],
  closes: [],
  probes: [],
  gatewayChecks: [],
  wakes: [],
  endedSessions: [],
};

/** The effects of two transactions, `later` after `earlier`. */
export function joinEffects(earlier: TransactionEffects, later: TransactionEffects): TransactionEffects {
  return {
    assignments: [...earlier.assignments, ...later.assignments],
    tableVersion: later.tableVersion ?? earlier.tableVersion,
    hasNewKeys: earlier.hasNewKeys || later.hasNewKeys,
    events: [...earlier.events, ...later.events],
    closes: [...earlier.closes, ...later.closes],
    probes: [...earlier.probes, ...later.probes],
    gatewayChecks: [...earlier.gatewayChecks, ...later.gatewayChecks],
    wakes: [...new Set([...earlier.wakes, ...later.wakes])],
    endedSessions: [...earlier.endedSessions, ...later.endedSessions],
  };
}
