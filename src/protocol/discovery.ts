// Discovered services as an agent reports them, with the bounds of one report.

import { createHash } from "node:crypto";
import { z } from "zod";
import { isPrintable } from "../domain/model/printable.ts";

/** The most that one node reports. An agent leaves out the rest with a warning. */
export const maxDiscoveredServices = 200;
export const maxDiscoveredTasks = 1_000;
/** The longest list of warnings of one service, and the length of each, characters. */
export const maxWarnings = 20;
export const maxWarningLength = 300;
/** Largest report as JSON, bytes: it is a part of the node's row. */
const maxDiscoveryBytes = 524_288;

/** True if a report is not too large. */
export function isDiscoverySize(report: unknown): boolean {
  return new TextEncoder().encode(JSON.stringify(report)).length <= maxDiscoveryBytes;
}

const port = z.number().int().min(1).max(65_535);
const shown = (maxLength: number) => z.string().min(1).max(maxLength).refine(isPrintable);
const text = (maxLength: number) => z.string().max(maxLength).refine(isPrintable);

const Health = z.object({
  verdict: z.enum(["starting", "healthy", "unhealthy"]),
  streak: z.object({ ok: z.boolean(), length: z.number().int().nonnegative() }),
  sinceMs: z.number().int().nonnegative(),
  lastCheck: text(200),
  rise: z.number().int().positive(),
  fall: z.number().int().positive(),
});

const Service = z.object({
  name: shown(63),
  source: z.enum(["container", "compose", "swarm"]),
  image: shown(512),
  labels: z
    .record(shown(100), text(1_000))
    .refine((labels) => Object.keys(labels).length <= 64, "at most 64 labels are expected"),
  ports: z
    .array(z.object({ target: port, published: port.optional() }))
    .max(64)
    .readonly(),
  warnings: z.array(shown(maxWarningLength)).max(maxWarnings).readonly(),
  elsewhere: z
    .array(z.object({ swarmTask: shown(64), hostname: shown(253) }))
    .max(maxDiscoveredTasks)
    .readonly(),
});

const Task = z.object({
  key: shown(128),
  service: shown(63),
  containerId: z.string().regex(/^[0-9a-f]{64}$/),
  image: shown(512),
  address: shown(64),
  startedAtMs: z.number().int().nonnegative(),
  health: Health.nullable(),
  swarmTask: shown(64).optional(),
});

/** Everything that the node has discovered; it replaces the last report. */
export const DiscoveryReport = z
  .object({
    services: z.array(Service).max(maxDiscoveredServices).readonly(),
    tasks: z.array(Task).max(maxDiscoveredTasks).readonly(),
  })
  .refine(isDiscoverySize, "a smaller report is expected");
export type DiscoveryReport = z.infer<typeof DiscoveryReport>;

/**
 * The id of a discovered task, which the registry and the node's agent both derive. It names the node, so that
 * no report of another node can have it.
 */
export function discoveredTaskId(nodeId: string, key: string): string {
  return idOf(`task ${nodeId} ${key}`);
}

/** The id of a discovered service: the same whenever a service of this name is discovered. */
export function discoveredServiceId(name: string): string {
  return idOf(`service ${name}`);
}

/** 25 base-36 digits, as all ids. */
function idOf(text: string): string {
  const digest = createHash("sha256").update(`waggle discovered ${text}`).digest("hex");
  return BigInt(`0x${digest}`).toString(36).padStart(50, "0").slice(-25);
}
