// A service's spec out of the flags of `waggle service create`, in the Engine API's shape.

import type { EngineSpec } from "../engine.ts";
import { usageError } from "../errors.ts";
import type { PublishSpec } from "../publish.ts";

/** Flags that create and update share: each says one thing of how tasks run. Durations in nanoseconds. */
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
 * @param args the image's own arguments are replaced by these when there are any
 * @throws a usage error when flags contradict each other
 */
export function buildSpec(flags: CreateFlags, image: string, args: readonly string[]): EngineSpec {
  const global = flags.mode === "global";
  if (global && flags.replicas !== undefined) {
    throw usageError(
      "replicas can only be used with replicated mode",
      "leave out --replicas or --mode global",
    );
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
    Mode: global ? { Global: {} } : { Replicated: { Replicas: flags.replicas ?? 1 } },
    EndpointSpec: { Mode: "vip", Ports: [...(flags.publish ?? [])] },
  };
  return withRunFlags(spec, flags);
}

/** The spec with every flag that was given in its place; what was not given stays as it was. */
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

/** `before` with what `changes` gives; a part that nothing is said of stays absent. */
export function withChanges<T extends object | undefined>(
  before: T,
  changes: { [K in keyof NonNullable<T>]?: unknown },
): T {
  const given = Object.entries(changes).filter(([, value]) => value !== undefined);
  return given.length === 0 ? before : ({ ...before, ...Object.fromEntries(given) } as T);
}

/** An image without a tag means its `latest`, and the mesh gets it said. */
export function withTag(image: string): string {
  return image.includes("@") || /:[^/]+$/.test(image) ? image : `${image}:latest`;
}

/** One entry a key, the last one given. */
export function uniqueEnv(env: readonly string[]): string[] {
  return [...new Map(env.map((pair) => [pair.split("=", 1)[0], pair])).values()];
}
