// The status of a mesh: the response of GET /mesh/status, which `waggle status` shows on one screen.

import { z } from "zod";
import { transports } from "../domain/model/node-gateway.ts";
import { HealthReport, Platform, Resources } from "./agent.ts";
import { ServerStatus } from "./server.ts";

const epochMs = z.number().int().nonnegative();
const port = z.number().int();

/** One problem. `what` names the object (`service my-web`), `why` the cause (`1 of 2 tasks run: …`). */
export const StatusProblem = z.object({
  what: z.string(),
  why: z.string(),
  /** What to do next, one sentence: a command, or where to look. */
  next: z.string(),
  /** Epoch milliseconds; null if unknown. */
  sinceMs: epochMs.nullable(),
  /** `bad`: clients get errors or no answer. `warn`: something is wrong all the same. Absent in earlier releases. */
  severity: z.enum(["bad", "warn"]).optional(),
  /** Of a bad one, in a few words: `my-web is down`. */
  headline: z.string().optional(),
  /** Name of the service whose page shows it. */
  service: z.string().optional(),
});
export type StatusProblem = z.infer<typeof StatusProblem>;

/** A difference between what services ask for and what the mesh does, which is no problem. */
export const StatusNote = z.object({ services: z.array(z.string()), why: z.string() });
export type StatusNote = z.infer<typeof StatusNote>;

export const StatusNode = z.object({
  id: z.string(),
  /** A balancer machine, which takes no tasks. Absent: a node. */
  kind: z.literal("balancer").optional(),
  name: z.string(),
  address: z.string(),
  role: z.enum(["worker", "manager"]),
  state: z.enum(["unknown", "down", "ready", "disconnected"]),
  /** The reason for the state; empty when ready. */
  message: z.string(),
  stateSinceMs: epochMs,
  availability: z.enum(["active", "pause", "drain"]),
  /** Its agent asked to leave. */
  leaving: z.boolean(),
  runtime: z.enum(["process", "docker"]),
  engineVersion: z.string(),
  platform: Platform,
  resources: Resources,
  /** How the mesh reaches its gateway; null before its agent was accepted. Absent in earlier releases. */
  gateway: z
    .object({
      transport: z.enum(transports),
      url: z.string(),
      /** Why the transport is not a better one, or why the gateway does not answer; else empty. */
      reason: z.string(),
    })
    .nullable()
    .optional(),
  /** Tasks observed running on it. */
  running: z.number().int().nonnegative(),
});
export type StatusNode = z.infer<typeof StatusNode>;

export const StatusTask = z.object({
  id: z.string(),
  /** `my-web.1`. */
  name: z.string(),
  slot: z.number().int().nonnegative(),
  /** Name of its node; null until it is placed. */
  node: z.string().nullable(),
  desired: z.enum(["running", "shutdown", "remove"]),
  state: z.string(),
  stateSinceMs: epochMs,
  message: z.string(),
  /** Why it is stuck or dead; empty if it is neither. */
  err: z.string(),
  health: HealthReport.nullable(),
  /** False: its node is down, and health is the last known one. */
  heard: z.boolean(),
  /** The health in HAProxy's words: `UP`, `UP 2/3`, `DOWN`, `no check`. */
  haproxy: z.string(),
  endpoints: z.array(z.object({ target: port, origin: z.string() })),
  pid: z.number().int().nullable(),
  exitCode: z.number().int().nullable(),
});
export type StatusTask = z.infer<typeof StatusTask>;

export const StatusService = z.object({
  id: z.string(),
  name: z.string(),
  /** The image of its spec. */
  image: z.string(),
  /** The images that its tasks run, the most frequent one first. Absent in earlier releases. */
  runningImages: z.array(z.object({ image: z.string(), tasks: z.number().int().positive() })).optional(),
  mode: z.enum(["replicated", "global", "replicated-job", "global-job"]),
  /** Where it lives, `compose on node1`. Absent: an operator created it. */
  discovered: z.string().optional(),
  running: z.number().int().nonnegative(),
  desired: z.number().int().nonnegative(),
  ports: z.array(z.object({ target: port, published: port, mode: z.enum(["ingress", "host"]) })),
  /** Host names of label `waggle.host`. */
  hosts: z.array(z.string()),
  /** Live tasks by slot, then ended ones, newest first. */
  tasks: z.array(StatusTask),
});
export type StatusService = z.infer<typeof StatusService>;

export const MeshStatus = z.object({
  mesh: z.object({
    id: z.string(),
    name: z.string(),
    createdAtMs: epochMs,
    tableVersion: z.number().int().nonnegative(),
  }),
  /** The mesh's clock, the reference for every `…Ms` here. */
  nowMs: epochMs,
  nodes: z.array(StatusNode),
  services: z.array(StatusService),
  /** Static servers, by service and name. */
  servers: z.array(ServerStatus).optional(),
  /** Worst first. Empty: nothing is wrong. */
  problems: z.array(StatusProblem),
  /** Absent in earlier releases. */
  notes: z.array(StatusNote).optional(),
  /** False: the telemetry object was unavailable, so failing requests are not among the problems. */
  trafficKnown: z.boolean().optional(),
});
export type MeshStatus = z.infer<typeof MeshStatus>;
