// A service spec at the door: the Engine API's JSON as the mesh's ServiceSpec. The values themselves are checked by
// src/domain/validate/service.ts; here only what has no place in a ServiceSpec is refused.

import { probeOf } from "../../domain/labels/labels.ts";
import type { RestartPolicy, RunSpec, ServiceSpec, UpdatePolicy } from "../../domain/model/service.ts";
import { invalidBody, quoteValue, readAs } from "./read.ts";
import { readPorts } from "./read-ports.ts";
import {
  type EngineContainer,
  type EngineMode,
  type EngineRestart,
  EngineServiceSpec,
  type EngineUpdate,
} from "./service-schema.ts";
import { nanosToMs } from "./units.ts";

/** SwarmKit's default stop grace period, milliseconds. */
const defaultStopGraceMs = 10_000;

/** A spec as the mesh decides by it, and as it was sent. */
export type ParsedServiceSpec = { readonly spec: ServiceSpec; readonly document: unknown };

/**
 * Reads a service spec.
 *
 * @param json a parsed body
 * @returns `document`: the same JSON, unread fields included, but with its count of replicas always said, because the
 *   Docker CLI cannot read back a replicated service without it
 * @throws MeshError body/invalid, label/invalid
 */
export function readServiceSpec(json: unknown): ParsedServiceSpec {
  const read = readAs(EngineServiceSpec, json, "the service spec");
  const template = read.TaskTemplate ?? {};
  if (template.Runtime && template.Runtime !== "container") {
    throw invalidBody(
      `TaskTemplate.Runtime is ${quoteValue(template.Runtime)}: the mesh runs containers only`,
    );
  }
  const labels = read.Labels ?? {};
  const mode = readMode(read.Mode ?? {});
  const ports = readPorts(read.EndpointSpec?.Ports ?? [], read.EndpointSpec?.Mode ?? "");
  const targets = [...new Set(ports.map(({ target }) => target))].sort((a, b) => a - b);
  const reserved = template.Resources?.Reservations;
  const spec: ServiceSpec = {
    name: read.Name ?? "",
    labels,
    run: readRun(template.ContainerSpec ?? {}, probeOf(labels), targets),
    mode,
    ports,
    constraints: template.Placement?.Constraints ?? [],
    maxPerNode: template.Placement?.MaxReplicas ?? 0,
    reservations: { nanoCpus: reserved?.NanoCPUs ?? 0, memoryBytes: reserved?.MemoryBytes ?? 0 },
    restart: readRestart(template.RestartPolicy ?? {}),
    update: readUpdate("UpdateConfig", read.UpdateConfig ?? {}),
    ...(read.RollbackConfig && { rollback: readUpdate("RollbackConfig", read.RollbackConfig) }),
    forceUpdate: template.ForceUpdate ?? 0,
  };
  return { spec, document: mode.kind === "global" ? json : withReplicas(json, mode.replicas) };
}

function readMode(mode: EngineMode): ServiceSpec["mode"] {
  const job = mode.ReplicatedJob ? "ReplicatedJob" : mode.GlobalJob ? "GlobalJob" : null;
  if (job !== null) {
    throw invalidBody(
      `service mode ${job} is not supported: the mesh publishes what keeps running, Replicated or Global`,
    );
  }
  if (mode.Global && mode.Replicated) throw invalidBody("must specify only one service mode");
  if (mode.Global) return { kind: "global" };
  return { kind: "replicated", replicas: mode.Replicated?.Replicas ?? 1 };
}

function readRun(container: EngineContainer, probe: RunSpec["probe"], targets: readonly number[]): RunSpec {
  const grace = container.StopGracePeriod;
  return {
    image: container.Image ?? "",
    command: container.Command ?? [],
    args: container.Args ?? [],
    // Docker's `KEY` alone takes a variable of the image away; here there is none to take.
    env: (container.Env ?? []).filter((pair) => pair.includes("=")),
    dir: container.Dir ?? "",
    // Without one the image's own applies.
    stopSignal: container.StopSignal ?? "",
    stopGraceMs: typeof grace === "number" ? nanosToMs(grace) : defaultStopGraceMs,
    ...(probe && { probe }),
    targets,
  };
}

function readRestart({ Condition, Delay, MaxAttempts, Window }: EngineRestart): RestartPolicy {
  return {
    condition: oneOf("RestartPolicy.Condition", Condition || "any", ["any", "on-failure", "none"]),
    ...(typeof Delay === "number" && { delayMs: nanosToMs(Delay) }),
    maxAttempts: MaxAttempts ?? 0,
    windowMs: nanosToMs(Window ?? 0),
  };
}

/** How an update or a rollback moves. As in Go, a time of 0 is one not said. */
function readUpdate(part: "UpdateConfig" | "RollbackConfig", config: EngineUpdate): UpdatePolicy {
  const { Parallelism, Delay, FailureAction, Monitor, MaxFailureRatio, Order } = config;
  const actions = ["pause", "continue", "rollback"] as const;
  const known = part === "UpdateConfig" ? actions : actions.slice(0, 2);
  return {
    parallelism: Parallelism ?? 1,
    order: oneOf(`${part}.Order`, Order || "start-first", ["start-first", "stop-first"]),
    ...(Delay && { delayMs: nanosToMs(Delay) }),
    ...(Monitor && { monitorMs: nanosToMs(Monitor) }),
    ...(MaxFailureRatio && { maxFailureRatio: MaxFailureRatio }),
    ...(FailureAction && { failureAction: oneOf(`${part}.FailureAction`, FailureAction, known) }),
  };
}

function oneOf<T extends string>(field: string, read: string, known: readonly T[]): T {
  const found = known.find((one) => one === read);
  if (found !== undefined) return found;
  throw invalidBody(`${field} is ${quoteValue(read)}: use ${known.join(", ")}`);
}

function withReplicas(json: unknown, replicas: number): unknown {
  const { Mode, ...rest } = json as { Mode?: { Replicated?: object | null } | null };
  return { ...rest, Mode: { ...Mode, Replicated: { ...Mode?.Replicated, Replicas: replicas } } };
}
