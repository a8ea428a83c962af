// Builds a service's spec, in the Engine API's shape, from the flags of `waggle service create`.

import type { EngineSpec } from "../engine.ts";
import { usageError } from "../errors.ts";
import type { PublishSpec } from "../publish.ts";

/** Flags of both create and update. Durations are in nanoseconds. */
export type RunFlags = {
  readonly replicas?: number;
  readonly replicasMaxPerNode?: number;
  readonly limitCpu?: number;
  readonly limitMemory?: number;
  readonly reserveCpu?: number;
  readonly reserveMemory?: number;
  readonly stopGracePeriod?: number;
  readonly stopSignal?: string;
  readonly restartCondition?: string;
  readonly restartDelay?: number;
  readonly restartMaxAttempts?: number;
  readonly restartWindow?: number;
  readonly updateParallelism?: number;
  readonly updateOrder?: string;
  readonly workdir?: string;
  readonly entrypoint?: readonly string[];
};

export type CreateFlags = RunFlags & {
  readonly name?: string;
  readonly mode?: string;
  readonly publish?: readonly PublishSpec[];
  readonly env?: readonly string[];
  readonly label?: readonly (readonly [string, string])[];
  readonly constraint?: readonly string[];
};

/**
 * The spec to create.
 *
 * @param args replace the arguments of the image, if not empty
 * @throws a usage error if flags contradict each other
 */
export function buildSpec(flags: CreateFlags, image: string, args: readonly string[]): EngineSpec {
  const isGlobal = flags.mode === "global";
  if (isGlobal && flags.replicas !== undefined) {
    throw usageError("replicas can only be used with replicated mode", "omit --replicas or --mode global");
  }
  const spec: EngineSpec = {
    Name: flags.name ?? "",
    Labels: Object.fromEntries(flags.label ?? []),
    TaskTemplate: {
      ContainerSpec: {
        Image: withTag(image),
        ...(args.length > 0 && { Args: [...args] }),
        ...(flags.env && { Env: uniqueEnv(flags.env) }),
      },
      Resources: { Limits: {}, Reservations: {} },
      Placement: flags.constraint ? { Constraints: [...flags.constraint] } : {},
      ForceUpdate: 0,
    },
    Mode: isGlobal ? { Global: {} } : { Replicated: { Replicas: flags.replicas ?? 1 } },
    EndpointSpec: { Mode: "vip", Ports: [...(flags.publish ?? [])] },
  };
  return withRunFlags(spec, flags);
}

/** The spec with the given flags applied; everything else stays. */
export function withRunFlags(spec: EngineSpec, flags: RunFlags): EngineSpec {
  const template = spec.TaskTemplate;
  const limits = { NanoCPUs: flags.limitCpu, MemoryBytes: flags.limitMemory };
  const reservations = { NanoCPUs: flags.reserveCpu, MemoryBytes: flags.reserveMemory };
  return withChanges(spec, {
    TaskTemplate: withChanges(template, {
      ContainerSpec: withChanges(template.ContainerSpec, {
        Command: flags.entrypoint,
        Dir: flags.workdir,
        StopSignal: flags.stopSignal,
        StopGracePeriod: flags.stopGracePeriod,
      }),
      Resources: withChanges(template.Resources, {
        Limits: withChanges(template.Resources?.Limits, limits),
        Reservations: withChanges(template.Resources?.Reservations, reservations),
      }),
      Placement: withChanges(template.Placement, { MaxReplicas: flags.replicasMaxPerNode }),
      RestartPolicy: withChanges(template.RestartPolicy, {
        Condition: flags.restartCondition,
        Delay: flags.restartDelay,
        MaxAttempts: flags.restartMaxAttempts,
        Window: flags.restartWindow,
      }),
    }),
    UpdateConfig: withChanges(spec.UpdateConfig, {
      Parallelism: flags.updateParallelism,
      Order: flags.updateOrder,
    }),
  });
}

/** `before` with the defined members of `changes`. Without any, an absent `before` stays absent. */
export function withChanges<T extends object | undefined>(
  before: T,
  changes: { [K in keyof NonNullable<T>]?: unknown },
): T {
  const defined = Object.entries(changes).filter(([, value]) => value !== undefined);
  return defined.length === 0 ? before : ({ ...before, ...Object.fromEntries(defined) } as T);
}

/** The image with its tag; `latest` if it has neither a tag nor a digest. */
export function withTag(image: string): string {
  return image.includes("@") || hasTag(image) ? image : `${image}:latest`;
}

/** True if an image without digest has a tag: a colon of a registry's port is before a slash. */
export function hasTag(image: string): boolean {
  return /:./.test(image.slice(image.lastIndexOf("/") + 1));
}

/** One entry per key; the last one wins. */
export function uniqueEnv(env: readonly string[]): string[] {
  return [...new Map(env.map((pair) => [pair.split("=", 1)[0], pair])).values()];
}
