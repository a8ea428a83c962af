// Reads the Engine API's ServiceSpec as the mesh's ServiceSpec. It refuses only what a ServiceSpec cannot
// express; src/domain/validate/service.ts checks the values.

import { probeOf } from "../../domain/labels/labels.ts";
import { checkPlaceholders } from "../../domain/model/placeholders.ts";
import {
  isJob,
  type RestartPolicy,
  type RunSpec,
  type ServiceMode,
  type ServiceSpec,
  type TaskResources,
  type UpdatePolicy,
} from "../../domain/model/service.ts";
import { checkTemplate, invalidSpec } from "./check-template.ts";
import type { EngineContainer, EngineGenericResource } from "./container-schema.ts";
import { dependencyFiles } from "./dependency-files.ts";
import { encodedSpec } from "./encoded-spec.ts";
import { withFieldNames } from "./field-names.ts";
import { invalidBody, quoteValue, readAs } from "./read.ts";
import { readPorts } from "./read-ports.ts";
import { ServiceSpecFields } from "./service-fields.ts";
import {
  type EngineMode,
  type EngineNetworkUse,
  type EngineRestart,
  EngineServiceSpec,
  type EngineUpdate,
} from "./service-schema.ts";
import { nanosToMs } from "./units.ts";

/** SwarmKit's default stop grace period, milliseconds. */
const defaultStopGraceMs = 10_000;

/** A spec as the mesh reads it, and as dockerd would show it. */
type ParsedServiceSpec = { readonly spec: ServiceSpec; readonly document: unknown };

/**
 * @param body a parsed body
 * @param defaultName the name of a service without one
 * @returns `document`: the spec as dockerd would show it, with the fields that the mesh does not read, and with the
 *   counts of its mode always set, because the Docker CLI cannot read a service without them
 * @throws MeshError body/invalid, label/invalid
 * @see docs/decisions/0001-engine-api.md
 */
export function readServiceSpec(body: unknown, defaultName = ""): ParsedServiceSpec {
  const json = withName(withFieldNames(ServiceSpecFields, body), defaultName);
  const engineSpec = readAs(EngineServiceSpec, json, "the service spec");
  const template = engineSpec.TaskTemplate ?? {};
  if (template.Runtime && template.Runtime !== "container") {
    throw invalidBody(
      `TaskTemplate.Runtime is ${quoteValue(template.Runtime)}: the mesh runs containers only`,
    );
  }
  checkTemplate(template);
  const labels = engineSpec.Labels ?? {};
  const mode = readMode(engineSpec.Mode ?? {});
  if (isJob(mode) && engineSpec.UpdateConfig) {
    throw invalidSpec("Jobs may not have an update config");
  }
  const ports = readPorts(engineSpec.EndpointSpec?.Ports ?? [], engineSpec.EndpointSpec?.Mode ?? "");
  const targets = [...new Set(ports.map(({ target }) => target))].sort((a, b) => a - b);
  const { Limits, Reservations } = template.Resources ?? {};
  const limits = readResources(Limits ?? {});
  const generic = readGeneric(Reservations?.GenericResources ?? []);
  const spreadOver = (template.Placement?.Preferences ?? []).flatMap(
    ({ Spread }) => Spread?.SpreadDescriptor ?? [],
  );
  const platforms = (template.Placement?.Platforms ?? []).map(({ OS, Architecture }) => ({
    os: OS ?? "",
    arch: Architecture ?? "",
  }));
  const spec: ServiceSpec = {
    name: engineSpec.Name ?? "",
    labels,
    run: readRun(template.ContainerSpec ?? {}, probeOf(labels), targets),
    mode,
    ports,
    constraints: template.Placement?.Constraints ?? [],
    ...(platforms.length > 0 && { platforms }),
    ...(spreadOver.length > 0 && { spreadOver }),
    maxPerNode: template.Placement?.MaxReplicas ?? 0,
    ...((limits.nanoCpus !== 0 || limits.memoryBytes !== 0) && { limits }),
    reservations: { ...readResources(Reservations ?? {}), ...(generic && { generic }) },
    restart: readRestart(template.RestartPolicy ?? {}),
    update: readUpdate("UpdateConfig", engineSpec.UpdateConfig ?? {}),
    ...(engineSpec.RollbackConfig && { rollback: readUpdate("RollbackConfig", engineSpec.RollbackConfig) }),
    forceUpdate: template.ForceUpdate ?? 0,
    ...readNetworks(template.Networks, engineSpec.Networks),
    ...(engineSpec.EndpointSpec?.Mode === "dnsrr" && { endpointMode: "dnsrr" }),
  };
  return { spec, document: encodedSpec(withCounts(json, mode)) };
}

/** Adds a name to a spec without one, as dockerd does for `docker service create IMAGE`. */
function withName(json: unknown, defaultName: string): unknown {
  if (defaultName === "" || typeof json !== "object" || json === null || Array.isArray(json)) return json;
  return (json as { Name?: unknown }).Name ? json : { ...json, Name: defaultName };
}

function readResources({
  NanoCPUs,
  MemoryBytes,
}: {
  readonly NanoCPUs?: number | null | undefined;
  readonly MemoryBytes?: number | null | undefined;
}): TaskResources {
  return { nanoCpus: NanoCPUs ?? 0, memoryBytes: MemoryBytes ?? 0 };
}

/** The number of units by kind; null without any. A named unit counts as one of its kind. */
function readGeneric(resources: readonly EngineGenericResource[]): Readonly<Record<string, number>> | null {
  const counts = new Map<string, number>();
  for (const { DiscreteResourceSpec: discrete, NamedResourceSpec: named } of resources) {
    if (discrete) counts.set(discrete.Kind, (counts.get(discrete.Kind) ?? 0) + discrete.Value);
    if (named) counts.set(named.Kind, (counts.get(named.Kind) ?? 0) + 1);
  }
  return counts.size === 0 ? null : Object.fromEntries(counts);
}

type NetworkUses = readonly EngineNetworkUse[] | null | undefined;

function readNetworks(ofTemplate: NetworkUses, ofSpec: NetworkUses): Pick<ServiceSpec, "networks"> {
  const uses = ofTemplate?.length ? ofTemplate : (ofSpec ?? []);
  if (uses.length === 0) return {};
  return { networks: uses.map(({ Target, Aliases }) => ({ target: Target ?? "", aliases: Aliases ?? [] })) };
}

function readMode(mode: EngineMode): ServiceSpec["mode"] {
  const { Replicated, Global, ReplicatedJob, GlobalJob } = mode;
  if ([Replicated, Global, ReplicatedJob, GlobalJob].filter(Boolean).length > 1) {
    throw invalidBody("must specify only one service mode");
  }
  if (Global) return { kind: "global" };
  if (GlobalJob) return { kind: "global-job" };
  if (!ReplicatedJob) return { kind: "replicated", replicas: Replicated?.Replicas ?? 1 };
  const maxConcurrent = ReplicatedJob.MaxConcurrent ?? 1;
  return {
    kind: "replicated-job",
    completions: ReplicatedJob.TotalCompletions ?? maxConcurrent,
    maxConcurrent,
  };
}

function readRun(container: EngineContainer, probe: RunSpec["probe"], targets: readonly number[]): RunSpec {
  const mounts = (container.Mounts ?? []).flatMap(({ Source, Target, VolumeOptions }) => [
    Source ?? "",
    Target ?? "",
    ...Object.values(VolumeOptions?.Labels ?? {}),
    ...Object.values(VolumeOptions?.DriverConfig?.Options ?? {}),
  ]);
  for (const text of [container.Hostname ?? "", ...(container.Env ?? []), ...mounts]) checkPlaceholders(text);
  const grace = container.StopGracePeriod;
  const dependencies = dependencyFiles(container).map(({ kind, id, name }) => ({ kind, id, name }));
  return {
    image: container.Image ?? "",
    command: container.Command ?? [],
    args: container.Args ?? [],
    // In Docker, `KEY` without a value removes a variable of the image; here images have none.
    env: (container.Env ?? []).filter((pair) => pair.includes("=")),
    dir: container.Dir ?? "",
    // Empty: the image's own.
    stopSignal: container.StopSignal ?? "",
    stopGraceMs: typeof grace === "number" ? nanosToMs(grace) : defaultStopGraceMs,
    ...(probe && { probe }),
    targets,
    ...(dependencies.length > 0 && { dependencies }),
  };
}

function readRestart({ Condition, Delay, MaxAttempts, Window }: EngineRestart): RestartPolicy {
  return {
    condition: oneOf("invalid RestartCondition:", Condition || "any", ["any", "on-failure", "none"]),
    ...(typeof Delay === "number" && { delayMs: nanosToMs(Delay) }),
    maxAttempts: MaxAttempts ?? 0,
    windowMs: nanosToMs(Window ?? 0),
  };
}

/** The policy of an update or a rollback. As in Go, a duration of 0 is an absent one. */
function readUpdate(part: "UpdateConfig" | "RollbackConfig", config: EngineUpdate): UpdatePolicy {
  const { Parallelism, Delay, FailureAction, Monitor, MaxFailureRatio, Order } = config;
  const actions = ["pause", "continue", "rollback"] as const;
  const known = part === "UpdateConfig" ? actions : actions.slice(0, 2);
  return {
    parallelism: Parallelism ?? 1,
    order: oneOf("unrecognized update order", Order || "start-first", ["start-first", "stop-first"]),
    ...(Delay && { delayMs: nanosToMs(Delay) }),
    ...(Monitor && { monitorMs: nanosToMs(Monitor) }),
    ...(MaxFailureRatio && { maxFailureRatio: MaxFailureRatio }),
    ...(FailureAction && {
      failureAction: oneOf("unrecognized update failure action", FailureAction, known),
    }),
  };
}

/** @param refusal dockerd's words, which the value follows */
function oneOf<T extends string>(refusal: string, text: string, known: readonly T[]): T {
  const value = known.find((candidate) => candidate === text);
  if (value !== undefined) return value;
  throw invalidBody(`${refusal} ${quoteValue(text)}: use ${known.join(", ")}`);
}

/** The document with the counts of its mode, without which the Docker CLI cannot read it. */
function withCounts(json: unknown, mode: ServiceMode): unknown {
  const { Mode, ...rest } = json as { Mode?: { Replicated?: object | null } | null };
  if (mode.kind === "replicated") {
    return { ...rest, Mode: { ...Mode, Replicated: { ...Mode?.Replicated, Replicas: mode.replicas } } };
  }
  if (mode.kind !== "replicated-job") return json;
  const counts = { MaxConcurrent: mode.maxConcurrent, TotalCompletions: mode.completions };
  return { ...rest, Mode: { ReplicatedJob: counts } };
}
