// The agent protocol: three HTTP routes and the messages of a WebSocket, as zod schemas. A change of meaning
// raises `protocolVersion`.
//
//   POST /mesh/join              JoinRequest -> JoinReply, with the join token in the body
//   GET  /mesh/agent/dependencies/ID  headers as below -> DependencyReply
//   GET  /mesh/agent (upgrade)   headers authorization: Bearer <credential>, x-waggle-node: <node id>,
//                                        x-waggle-protocol: 3
//   agent -> registry            text frames: "ping", answered without waking the registry, or AgentMessage
//   registry -> agent            text frames: "pong" or RegistryMessage

import { z } from "zod";
import { transports } from "../domain/model/node-gateway.ts";
import { maxClosedListeners } from "../domain/model/node-listeners.ts";
import { isPrintable } from "../domain/model/printable.ts";
import { DiscoveryReport } from "./discovery.ts";

export const protocolVersion = 3;

/**
 * The versions that a registry speaks. An agent of version 2 ignores the fields of version 3: it runs processes
 * from `AssignedTask.run`, and reports no container.
 */
const acceptedProtocols: readonly number[] = [2, protocolVersion];

export function isAcceptedProtocol(version: number): boolean {
  return acceptedProtocols.includes(version);
}

/**
 * The header in which the control API tells the registry where an agent's connection comes from. The control
 * API sets or removes it on every upgrade.
 */
export const clientHeader = "x-waggle-client";

/** Interval of an agent's pings, milliseconds. A node that misses `maxMissedHeartbeats` of them is down. */
export const heartbeatMs = 5_000;
export const maxMissedHeartbeats = 3;

/** Close codes of the agent's socket. Each tells the agent what to do next. */
export const closeCodes = {
  /** The registry restarts: redial with jitter. */
  goingAway: 1001,
  /** A message was unreadable, the reason quotes it: redial. */
  badMessage: 4400,
  /** The node or its credential was removed: do not redial, join again. */
  notAMember: 4401,
  /** Missed its heartbeats: redial at once. */
  missedHeartbeats: 4408,
  /** A newer socket of the same node replaced it: do not redial. */
  superseded: 4409,
} as const;

const port = z.number().int().min(1).max(65_535);
const id = z.string().regex(/^[0-9a-z]{25}$/, "25 characters 0-9a-z");
const name = z.string().min(1).max(253);
const epochMs = z.number().int().nonnegative();

/** Text that a node reports. Operators read it on terminals, so it has no character that one acts on. */
const shown = (maxLength: number) =>
  z.string().max(maxLength).refine(isPrintable, "text without control or format characters is expected");

/** Open ports of a task that are reported, the lowest first. */
export const maxOpenPorts = 128;

const taskState = z.enum([
  "assigned",
  "accepted",
  "preparing",
  "ready",
  "starting",
  "running",
  "complete",
  "shutdown",
  "failed",
  "rejected",
]);

export const Platform = z.object({ os: shown(64), arch: shown(64) });
export const Resources = z.object({
  nanoCpus: z.number().int().nonnegative(),
  memoryBytes: z.number().int().nonnegative(),
});

/** The one port through which the data plane reaches the node's tasks. */
const Gateway = z.object({ port, tls: z.boolean() });

/** An agent's description of its machine. */
export const NodeDescription = z.object({
  /** `balancer`: it opens published ports, and takes no tasks. Absent: a node. */
  kind: z.literal("balancer").optional(),
  /** True if it opens the published ports itself; absent: false. */
  ingress: z.boolean().optional(),
  hostname: name,
  /** The host of its gateway. */
  address: name,
  /** Absent for a balancer. */
  gateway: Gateway.optional(),
  platform: Platform,
  resources: Resources,
  engineVersion: shown(64),
  runtime: z.enum(["process", "docker"]),
});
export type NodeDescription = z.infer<typeof NodeDescription>;

export const JoinRequest = z.object({
  protocol: z.number().int(),
  token: z.string().max(200),
  node: NodeDescription,
});
export type JoinRequest = z.infer<typeof JoinRequest>;

/** The credential is sent only here; the registry stores its hash. */
export const JoinReply = z.object({ nodeId: id, credential: z.string().min(32).max(200) });
export type JoinReply = z.infer<typeof JoinReply>;

/** The data of a secret or config, base64. Only for a node that runs a task with it; never written to disk. */
export const DependencyReply = z.object({ data: z.string() });
export type DependencyReply = z.infer<typeof DependencyReply>;

export const HealthReport = z.object({
  verdict: z.enum(["starting", "healthy", "unhealthy"]),
  streak: z.object({ ok: z.boolean(), length: z.number().int().nonnegative() }),
  sinceMs: epochMs,
  lastCheck: shown(200),
  rise: z.number().int().positive(),
  fall: z.number().int().positive(),
});

/** One task as its agent observes it. */
export const TaskReport = z.object({
  id,
  state: taskState,
  message: shown(500),
  err: shown(2_000),
  atMs: epochMs,
  endpoints: z.array(z.object({ target: port, origin: shown(300) })).max(64),
  health: HealthReport.nullable(),
  pid: z.number().int().positive().nullable(),
  exitCode: z.number().int().nullable(),
  /** Absent: a process, or no container yet. */
  containerId: z
    .string()
    .regex(/^[0-9a-f]{64}$/)
    .optional(),
  /** Host-mode ports as the runtime published them. Absent: it publishes none itself. */
  hostPorts: z
    .array(z.object({ target: port, published: port }))
    .max(64)
    .optional(),
  /** Ports at which its container accepts TCP connections, ascending. Absent: it is on no network. */
  openPorts: z.array(port).max(maxOpenPorts).optional(),
});
export type TaskReport = z.infer<typeof TaskReport>;

/** The published ports that the machine opens itself. */
export const ListenersReport = z.object({
  open: z.number().int().min(0).max(65_535),
  closed: z.array(z.object({ port, why: shown(200), sinceMs: epochMs })).max(maxClosedListeners),
});
export type ListenersReport = z.infer<typeof ListenersReport>;

/**
 * The first message after each dial: the node and all its tasks. The registry replies with the assignment.
 */
const Hello = z.object({
  type: z.literal("hello"),
  node: NodeDescription,
  tasks: z.array(TaskReport).max(2_000),
  listeners: ListenersReport.optional(),
  /** True: a message with what it discovered follows. Absent: it discovers no services. */
  discovers: z.boolean().optional(),
});

/** State changes, sent as they happen. A report may be repeated. */
const Report = z.object({
  type: z.literal("report"),
  tasks: z.array(TaskReport).max(2_000),
  /** Absent: they did not change. */
  listeners: ListenersReport.optional(),
});

/** The services that the node discovered, all of them: sent after each hello, and when they change. */
const Discovery = z.object({ type: z.literal("discovery"), discovery: DiscoveryReport });

/** The agent asks to leave: its tasks are replaced on other nodes first, then its assignment stops them. */
const Leaving = z.object({ type: z.literal("leaving") });

/** The agent stops now: the node is down at once, before it misses heartbeats. */
const Goodbye = z.object({ type: z.literal("goodbye"), reason: shown(200) });

export const AgentMessage = z.discriminatedUnion("type", [Hello, Report, Discovery, Leaving, Goodbye]);
export type AgentMessage = z.infer<typeof AgentMessage>;

/** One task that an agent must run or stop. */
export const AssignedTask = z.object({
  id,
  service: z.object({
    id,
    name,
    /** For placeholders such as `{{.Service.Labels.zone}}`; absent: none. */
    labels: z.record(z.string(), z.string()).optional(),
  }),
  slot: z.number().int().nonnegative(),
  desired: z.enum(["running", "shutdown", "remove"]),
  /** Open requests that its gateway admits; absent: any number. */
  limit: z
    .object({
      maxconn: z.number().int().min(1),
      queue: z.number().int().nonnegative(),
      queueTimeoutMs: z.number().int().positive(),
    })
    .optional(),
  /** False: it must stop, but routers may still send it requests. A later assignment releases it. */
  released: z.boolean().optional(),
  run: z.object({
    image: z.string(),
    command: z.array(z.string()),
    args: z.array(z.string()),
    env: z.array(z.string()),
    dir: z.string(),
    stopSignal: z.string(),
    stopGraceMs: z.number().int().nonnegative(),
    probe: z
      .union([z.object({ kind: z.literal("tcp") }), z.object({ kind: z.literal("http"), path: z.string() })])
      .optional(),
    targets: z.array(z.number().int()),
  }),
  /**
   * The Engine API's TaskTemplate from which the task was created, read with `EngineTaskTemplate`. Absent from a
   * registry of version 2.
   */
  template: z.unknown().optional(),
  /** Target ports to publish on the machine itself; without `published` at any free port. Absent: none. */
  hostPorts: z.array(z.object({ target: port, published: port.optional() })).optional(),
  /** The networks that it is on, without `ingress`. Absent: none. */
  networks: z.array(z.object({ id, name, aliases: z.array(z.string()) })).optional(),
  /** Credentials for the image's registry: the value of X-Registry-Auth. Never written to disk. */
  registryAuth: z.string().optional(),
});
export type AssignedTask = z.infer<typeof AssignedTask>;

/** A key by which routers prove attempts to this node's gateway, base64url. */
export const SentNodeKey = z.object({ id: z.string().min(1).max(32), key: z.string().length(43) });
export type SentNodeKey = z.infer<typeof SentNodeKey>;

/** A service on a network, as its other members reach it. */
export const NamedService = z.object({
  /** Its name and its aliases on this network. */
  names: z.array(z.string()),
  /** The address for which its names stand; null: they stand for those of its tasks. */
  virtualIp: z.string().nullable(),
  /** The tasks that take connections. */
  tasks: z.array(z.object({ id, nodeId: id, address: z.string(), ports: z.array(port) })),
});
export type NamedService = z.infer<typeof NamedService>;

/** A node with tasks on the same network. */
export const NetworkPeer = z.object({
  nodeId: id,
  /** Null: the mesh cannot reach it. */
  gateway: z.object({ transport: z.enum(transports), base: z.string() }).nullable(),
  /** Proves attempts of this node to the gateway of the other one. */
  dial: SentNodeKey,
  /** They prove attempts of the other node to this one's gateway. */
  accept: z.array(SentNodeKey).max(16),
});
export type NetworkPeer = z.infer<typeof NetworkPeer>;

/** A network that tasks of the node are on. */
export const NamedNetwork = z.object({
  id,
  services: z.array(NamedService),
  peers: z.array(NetworkPeer),
});
export type NamedNetwork = z.infer<typeof NamedNetwork>;

/** All tasks of a node, complete each time: other tasks must not run. Indexes only rise within one socket. */
export const Assignment = z.object({
  type: z.literal("assignment"),
  index: z.number().int().nonnegative(),
  node: z.object({ id, name }),
  /** The registry's time when it sent this. */
  nowMs: epochMs,
  /** The gateway accepts attempts by any of them. */
  gatewayKeys: z.array(SentNodeKey).max(16),
  /** The agent keeps a tunnel open, by which routers reach its gateway. */
  tunnel: z.boolean(),
  /**
   * After a loss of its socket the agent redials at a random time within this, so that the agents of a large mesh
   * do not all come at once, milliseconds. Absent: within the agent's own backoff.
   */
  redialMs: z.number().int().positive().optional(),
  /** How long a stopping task still accepts requests after its release, milliseconds. */
  drainDelayMs: z.number().int().nonnegative(),
  tasks: z.array(AssignedTask),
  /** The networks that its tasks are on; it learns of no others. Absent: it has no such task. */
  networks: z.array(NamedNetwork).optional(),
});
export type Assignment = z.infer<typeof Assignment>;

/**
 * Routers report that these tasks do not respond: the agent probes them now. An older agent may ignore it.
 */
export const ProbeRequest = z.object({ type: z.literal("probe"), taskIds: z.array(id).max(2_000) });
export type ProbeRequest = z.infer<typeof ProbeRequest>;

export const RegistryMessage = z.discriminatedUnion("type", [Assignment, ProbeRequest]);
export type RegistryMessage = z.infer<typeof RegistryMessage>;
