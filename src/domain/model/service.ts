// A service: what is published. The operator's words as the mesh understands them.

export type PublishMode = "ingress" | "host";

/** One published port as asked for: without `published` the mesh allocates one (ingress mode). */
export type PortRequest = {
  readonly target: number;
  readonly published?: number;
  readonly mode: PublishMode;
  readonly name?: string;
};

/** One published port as it is. */
export type PublishedPort = {
  readonly target: number;
  readonly published: number;
  readonly mode: PublishMode;
};

/** How an agent finds out whether a task can take traffic. */
export type ProbeSpec = { readonly kind: "tcp" } | { readonly kind: "http"; readonly path: string };

/** When a task that ended is replaced. Durations in milliseconds. */
export type RestartPolicy = {
  readonly condition: "any" | "on-failure" | "none";
  /** Fixed delay asked for by the operator; absent: the mesh's own backoff (0 first, growing while it keeps failing). */
  readonly delayMs?: number;
  /** 0: no limit. */
  readonly maxAttempts: number;
  /** Window in which attempts count; 0: for ever. */
  readonly windowMs: number;
};

/** How an update, or a rollback, moves from slot to slot. What is absent is Swarm's default. Durations in milliseconds. */
export type UpdatePolicy = {
  /** Tasks replaced at a time; 0: all at once. */
  readonly parallelism: number;
  readonly order: "start-first" | "stop-first";
  /** Between a new task that runs and the next one to be replaced; 0. */
  readonly delayMs?: number;
  /** A new task that ends within this time of its start has failed the update; 5 s. */
  readonly monitorMs?: number;
  /** Share of slots that may fail, 0 to 1; 0. */
  readonly maxFailureRatio?: number;
  /** What follows when more fail; `pause`. A rollback is never rolled back. */
  readonly failureAction?: "pause" | "continue" | "rollback";
};

/** How far an update of a service is, in Docker's words. */
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
  /** When the present direction was taken: tasks of the present spec made since then are its own. */
  readonly sinceMs: number;
  /** How many slots it has to move; failures are held against this. */
  readonly slots: number;
};

/** What one task of the service runs. */
export type RunSpec = {
  readonly image: string;
  /** Replaces the image's own program. */
  readonly command: readonly string[];
  /** Arguments given to the program. */
  readonly args: readonly string[];
  /** `KEY=value` each. */
  readonly env: readonly string[];
  readonly dir: string;
  readonly stopSignal: string;
  readonly stopGraceMs: number;
  /** Absent: the image's own. */
  readonly probe?: ProbeSpec;
  /** Target ports the task must listen on, ascending, each once. */
  readonly targets: readonly number[];
};

/** The part of a service the mesh decides by. The operator's whole document is kept beside it. */
export type ServiceSpec = {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly run: RunSpec;
  readonly mode: { readonly kind: "replicated"; readonly replicas: number } | { readonly kind: "global" };
  readonly ports: readonly PortRequest[];
  /** `node.role==worker`, `node.labels.zone!=a`: all must hold. */
  readonly constraints: readonly string[];
  /** 0: no limit. */
  readonly maxPerNode: number;
  readonly reservations: { readonly nanoCpus: number; readonly memoryBytes: number };
  readonly restart: RestartPolicy;
  readonly update: UpdatePolicy;
  readonly rollback?: UpdatePolicy;
  /** Raised by `--force`: replaces every task though nothing else changed. */
  readonly forceUpdate: number;
};

/** A service of the mesh. */
export type Service = {
  readonly id: string;
  readonly spec: ServiceSpec;
  /** The Engine API's Spec as it was sent; returned verbatim. */
  readonly document: unknown;
  readonly previous: { readonly spec: ServiceSpec; readonly document: unknown } | null;
  /** Ports as allocated; `mode: "host"` ones exist only where they were asked for with a number. */
  readonly ports: readonly PublishedPort[];
  /** Changes exactly when running tasks no longer match the spec; a task carries the one it was made from. */
  readonly runHash: string;
  /** The last update; absent or null when there was none since the spec last changed. */
  readonly update?: UpdateProgress | null;
  readonly version: number;
  readonly createdAtMs: number;
  readonly updatedAtMs: number;
};
