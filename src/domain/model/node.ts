// A node: a machine with an agent. What the operator wants of it, what its agent says of it, and whether it is heard.

import type { AdminState } from "./server.ts";

export type Availability = "active" | "pause" | "drain";
export type NodeState = "unknown" | "down" | "ready" | "disconnected";

/** A node of the mesh. */
export type MeshNode = {
  readonly id: string;
  /** The machine's name; what people type. Unique among nodes that are not down. */
  readonly hostname: string;
  /** Host part under which this node's tasks are dialled: a DNS name, or an IP address in local mode. */
  readonly address: string;
  /** Host names under which this node's own entry point is reached, besides NODE.nodes.<mesh domain>. */
  readonly entryHosts: readonly string[];
  readonly role: "worker" | "manager";
  readonly availability: Availability;
  /** `drain` and `maint`: the balancer does not pick it; its own entry point serves on. Absent: ready. */
  readonly admin?: AdminState;
  /** Its agent asked to leave: scheduled as if drained, while `availability` stays the operator's. Absent: no. */
  readonly leaving?: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: { readonly os: string; readonly arch: string };
  readonly resources: { readonly nanoCpus: number; readonly memoryBytes: number };
  /** Version of the agent's engine, as `docker node ls` prints it. */
  readonly engineVersion: string;
  /** What runs its tasks. */
  readonly runtime: "process" | "docker";
  readonly state: NodeState;
  /** Why the state is what it is, for a person: `heartbeat failure`, `left`; empty when ready. */
  readonly message: string;
  /** Epoch milliseconds since which `state` holds. */
  readonly stateSinceMs: number;
  /** Raised by every change of the operator's; guards updates. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** Down: its tasks are replaced elsewhere. A node only disconnected or unknown keeps them for now. */
export function isNodeDown(node: Pick<MeshNode, "state">): boolean {
  return node.state === "down";
}

/** Heard from; says nothing of what the operator wants of it. */
export function isNodeReady(node: Pick<MeshNode, "state">): boolean {
  return node.state === "ready";
}

/** May be given new tasks. */
export function canTakeTasks(node: Pick<MeshNode, "state" | "availability">): boolean {
  return node.state === "ready" && node.availability === "active";
}
