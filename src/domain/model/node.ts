// A node: a machine with an agent.

import type { NodeDiscovery } from "./discovery.ts";
import type { GatewayCheck, NodeGateway, NodeTransport } from "./node-gateway.ts";
import type { NodeListeners } from "./node-listeners.ts";
import type { AdminState } from "./server.ts";

export type Availability = "active" | "pause" | "drain";
type NodeState = "unknown" | "down" | "ready" | "disconnected";

/** The label of a node with the addresses that an operator confirmed, comma-separated. */
export const addressLabel = "waggle.address";
/** The label of a node with the transport that an operator pinned: `direct`, `vpc`, `tunnel`, or `auto`. */
export const transportLabel = "waggle.transport";

/** A node as the operator configured it and as its agent reports it. */
export type MeshNode = {
  readonly id: string;
  /** `balancer`: it opens the published ports as the edge does, and takes no tasks. Absent: a node. */
  readonly kind?: "balancer";
  /** The machine's name, by which operators refer to the node. Unique among nodes that are not down. */
  readonly hostname: string;
  /** The host of its gateway: a DNS name, or an IP address in local mode. */
  readonly address: string;
  /** The address that the registry saw the node connect from, if it ever claimed that one. */
  readonly provenAddress?: string;
  /** Host names of this node's ingress, besides NODE.nodes.<mesh domain> and NODE-nodes.<mesh domain>. */
  readonly entryHosts: readonly string[];
  readonly role: "worker" | "manager";
  readonly availability: Availability;
  /** With `drain` and `maint` the edge does not pick it; its own ingress still serves. Absent: ready. */
  readonly admin?: AdminState;
  /** Its agent asked to leave: the node is drained, whatever its `availability`. Absent: false. */
  readonly leaving?: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly platform: { readonly os: string; readonly arch: string };
  readonly resources: {
    readonly nanoCpus: number;
    readonly memoryBytes: number;
    /** Number of units by kind of resource: `{ gpu: 2 }`. Absent, as of agents of this version: it has none. */
    readonly generic?: Readonly<Record<string, number>>;
  };
  /** The engine version that `docker node ls` prints. */
  readonly engineVersion: string;
  /** Absent until its agent says hello. */
  readonly gateway?: NodeGateway;
  /** Absent until its agent was accepted, and while its address may not be dialed and there is no tunnel. */
  readonly transport?: NodeTransport;
  /** Absent until its gateway was checked. */
  readonly gatewayCheck?: GatewayCheck;
  /** The published ports that it opens itself. Absent: it opens none. */
  readonly listeners?: NodeListeners;
  /** The services that its agent discovered. Absent: it discovers none. */
  readonly discovery?: NodeDiscovery;
  /** Why some of them are not services of the mesh, for people. Absent: all are. */
  readonly discoveryProblems?: readonly string[];
  /** It may get the keys of the mesh, or could once and may have kept them. Absent: it never could. */
  readonly mayHaveKeys?: true;
  /** How its agent runs tasks. */
  readonly runtime: "process" | "docker";
  readonly state: NodeState;
  /** True once its agent was accepted; absent: false. */
  readonly wasReady?: boolean;
  /** The reason for the state, for people: `heartbeat failure`, `left`; empty when ready. */
  readonly message: string;
  /** Epoch milliseconds since which `state` holds. */
  readonly stateSinceMs: number;
  /** Rises with every change by the operator; an update must name the current one. */
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** True if the node's tasks are replaced elsewhere. A disconnected or unknown node keeps them for now. */
export function isNodeDown(node: Pick<MeshNode, "state">): boolean {
  return node.state === "down";
}

/** True if the node's agent is connected, whatever the node's availability. */
export function isNodeReady(node: Pick<MeshNode, "state">): boolean {
  return node.state === "ready";
}

/** True for a balancer machine, which is no node to the scheduler and to the data plane. */
export function isBalancer(node: { readonly kind?: MeshNode["kind"] | undefined }): boolean {
  return node.kind === "balancer";
}

/** True if the scheduler may place tasks on the node. */
export function canTakeTasks(node: Pick<MeshNode, "state" | "availability">): boolean {
  return node.state === "ready" && node.availability === "active";
}
