// A service: what the operator asks the mesh to run and publish.

import type { DependencyRef } from "./dependency.ts";
import type { DiscoverySource } from "./discovery.ts";
import type { NetworkAddress, NetworkAttachment } from "./network.ts";

export type PublishMode = "ingress" | "host";

/** A port the operator asks to publish; without `published` the mesh allocates one (ingress mode). */
export type PortRequest = {
  readonly target: number;
  readonly published?: number;
  readonly mode: PublishMode;
  readonly name?: string;
};

/** A port as published. */
export type PublishedPort = {
  readonly target: number;
  readonly published: number;
  readonly mode: PublishMode;
};

/** How an agent checks whether a task can take requests. */
export type ProbeSpec = { readonly kind: "tcp" } | { readonly kind: "http"; readonly path: string };

/** Whether and when a task that ended by itself gets a successor. Durations in milliseconds. */
export type RestartPolicy = {
  readonly condition: "any" | "on-failure" | "none";
  /** Fixed delay; absent: a backoff of 0 after the first failure that grows with each further one. */
  readonly delayMs?: number;
  /** 0: no limit. */
  readonly maxAttempts: number;
  /** Window in which attempts count; 0: all attempts count. */
  readonly windowMs: number;
};

/** How an update or rollback replaces tasks. Defaults are Swarm's; durations in milliseconds. */
export type UpdatePolicy = {
  /** Tasks replaced at a time; 0: all at once. */
  readonly parallelism: number;
  readonly order: "start-first" | "stop-first";
  /** From when a new task runs until the next replacement; default 0. */
  readonly delayMs?: number;
  /** A new task that ends within this time of its start counts as failed; default 5 s. */
  readonly monitorMs?: number;
  /** Share of slots that may fail, 0 to 1; default 0. */
  readonly maxFailureRatio?: number;
  /** The action if more fail; default `pause`. A rollback is never rolled back. */
  readonly failureAction?: "pause" | "continue" | "rollback";
};

/** The progress of an update; states are Docker's. */
export type UpdateProgress = {
  readonly state:
    | "updating"
    | "paused"
    | "completed"
    | "rollback_started"
    | "rollback_paused"
    | "rollback_completed";
  readonly message: string;
  readonly startedAtMs: number;
  /** Null until it is completed. */
  readonly completedAtMs: number | null;
  /** When the current update or rollback began: tasks of the current spec created since then belong to it. */
  readonly sinceMs: number;
  /** How many slots it has to update: the denominator of the failure ratio. */
  readonly slots: number;
  /** The task whose failure paused the update or rolled it back. Absent: none did. */
  readonly failedTask?: string;
};

/** The image, the command and the settings that each task runs with. */
export type RunSpec = {
  readonly image: string;
  /** Replaces the image's entrypoint. */
  readonly command: readonly string[];
  /** Arguments of the program. */
  readonly args: readonly string[];
  /** `KEY=value` each. */
  readonly env: readonly string[];
  readonly dir: string;
  readonly stopSignal: string;
  readonly stopGraceMs: number;
  /** Absent: the image's probe. */
  readonly probe?: ProbeSpec;
  /** Target ports on which the task must listen, ascending, each once. */
  readonly targets: readonly number[];
  /** The secrets and configs that the task reads; absent: none. */
  readonly dependencies?: readonly DependencyRef[];
};

export type ServiceMode =
  | { readonly kind: "replicated"; readonly replicas: number }
  | { readonly kind: "global" }
  /** Runs to completion `completions` times, at most `maxConcurrent` at a time. */
  | { readonly kind: "replicated-job"; readonly completions: number; readonly maxConcurrent: number }
  /** Runs to completion once on each node. */
  | { readonly kind: "global-job" };

/** An amount of CPU and memory; 0: unspecified. */
export type TaskResources = { readonly nanoCpus: number; readonly memoryBytes: number };

/** A platform that an image is for, in Go's words: `linux`, `amd64`. Empty: any. */
export type ImagePlatform = { readonly os: string; readonly arch: string };

/** The part of the operator's document that the mesh acts on. */
export type ServiceSpec = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly run: RunSpec;
  readonly mode: ServiceMode;
  readonly ports: readonly PortRequest[];
  /** `node.role==worker`, `node.labels.zone!=a`; all must hold. */
  readonly constraints: readonly string[];
  /** Those of which a node must have one. Absent: any. */
  readonly platforms?: readonly ImagePlatform[];
  /** Node labels over whose values tasks are spread: `node.labels.zone`; the first counts most. Absent: none. */
  readonly spreadOver?: readonly string[];
  /** 0: no limit. */
  readonly maxPerNode: number;
  /** What a task may use at most. Absent: as much as it wants. */
  readonly limits?: TaskResources;
  readonly reservations: TaskResources & {
    /** Number of units by kind of resource: `{ gpu: 2 }`. Absent: none. */
    readonly generic?: Readonly<Record<string, number>>;
  };
  readonly restart: RestartPolicy;
  readonly update: UpdatePolicy;
  readonly rollback?: UpdatePolicy;
  /** Rises with `--force`, which replaces every task although nothing else changed. */
  readonly forceUpdate: number;
  /** Absent: none but that of its published ports. */
  readonly networks?: readonly NetworkAttachment[];
  /** `dnsrr`: its name stands for its tasks. Absent: for one virtual address. */
  readonly endpointMode?: "dnsrr";
};

/** A service as the registry stores it. */
export type Service = {
  readonly id: string;
  readonly spec: ServiceSpec;
  /** The Engine API's Spec as dockerd encodes it, with fields that the mesh does not read. */
  readonly document: unknown;
  readonly previous: {
    readonly spec: ServiceSpec;
    readonly document: unknown;
    readonly sealedAuth?: string;
  } | null;
  /** Credentials for the image's registry, sealed (src/registry/sealed-text.ts). Absent: none. */
  readonly sealedAuth?: string;
  /** Allocated ports; in `host` mode only those requested by number. */
  readonly ports: readonly PublishedPort[];
  /** Its virtual address on each of its networks, `ingress` first. Absent: none. */
  readonly virtualIps?: readonly NetworkAddress[];
  /** Identifies what the spec runs; a task has the hash of the spec it was created from (run-hash.ts). */
  readonly runHash: string;
  /** The last update; absent or null without an update since the spec last changed. */
  readonly update?: UpdateProgress | null;
  /** Of a job: which iteration runs, from 0, and since when. Every update begins another one. */
  readonly job?: { readonly iteration: number; readonly startedAtMs: number };
  /** Absent: an operator created it. A discovered service is changed where it lives, not here. */
  readonly discovered?: {
    readonly source: DiscoverySource;
    /** The node that defines it. */
    readonly nodeId: string;
    /** Reasons why it is not published as its labels ask for, for people. */
    readonly warnings: readonly string[];
  };
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};

/** True for a service whose tasks run to completion. */
export function isJob({ kind }: ServiceMode): boolean {
  return kind === "replicated-job" || kind === "global-job";
}

/** True if the service's slots are nodes. */
export function isPerNode({ kind }: ServiceMode): boolean {
  return kind === "global" || kind === "global-job";
}

/** How often a replicated job completes; null for other services. */
export function completionsOf(mode: ServiceMode): number | null {
  return mode.kind === "replicated-job" ? mode.completions : null;
}
