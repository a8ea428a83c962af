// Discovered services: what runs on a node without the mesh, as the node's agent reports it. The shape of
// DiscoveryReport in protocol/discovery.ts.

import type { HealthReport } from "./task.ts";

/** Where a service lives: a container of its own, a Compose project, or a Docker Swarm. */
export type DiscoverySource = "container" | "compose" | "swarm";

/** A service as one node defines it. */
export type DiscoveredService = {
  readonly name: string;
  readonly source: DiscoverySource;
  readonly image: string;
  /** `waggle.*` labels, without those that only the agent reads. */
  readonly labels: Readonly<Record<string, string>>;
  /** Without `published` the mesh allocates a port. */
  readonly ports: readonly { readonly target: number; readonly published?: number | undefined }[];
  /** What its labels ask for and the mesh does not do, each a clause for people. */
  readonly warnings: readonly string[];
  /** The tasks of a Swarm that run on its other nodes; empty for other sources. */
  readonly elsewhere: readonly { readonly swarmTask: string; readonly hostname: string }[];
};

/** One running container of a discovered service. */
export type DiscoveredTask = {
  /** Unique on its node: the container and when it started. */
  readonly key: string;
  /** Name of its service. */
  readonly service: string;
  readonly containerId: string;
  readonly image: string;
  /** Its address on the node, for people: only the node's gateway dials it. */
  readonly address: string;
  readonly startedAtMs: number;
  /** Null: it is not checked. */
  readonly health: HealthReport | null;
  /** The id of its task in a Docker Swarm. Absent: it belongs to no Swarm. */
  readonly swarmTask?: string | undefined;
};

/** What one node reports. */
export type NodeDiscovery = {
  readonly services: readonly DiscoveredService[];
  readonly tasks: readonly DiscoveredTask[];
};

/** The label of containers, services of a Swarm and nodes that excludes them from discovery. */
export const discoveryLabel = "waggle.discovery";

/** The label of a discovered service that says where it lives: `compose on node1`. */
export const discoveredLabel = "waggle.discovered";
