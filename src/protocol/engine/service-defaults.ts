// The defaults of a service: those that dockerd states in every Spec, and those that `insertDefaults=true` shows.

import type { ServiceSpec, UpdatePolicy } from "../../domain/model/service.ts";
import { defaultRollback } from "../../domain/orchestrator/update-policy.ts";
import { encodedSpec } from "./encoded-spec.ts";

/** SwarmKit's default of `Monitor`, which is also the mesh's, milliseconds. */
const defaultMonitorMs = 5_000;

/** What dockerd states in every Spec, with the only values that a mesh accepts. */
type StatedParts = {
  readonly TaskTemplate?:
    | ({ readonly ContainerSpec?: StatedContainer | null } & { readonly Runtime?: string })
    | null;
  readonly EndpointSpec?: { readonly Mode?: string } | null;
};
type StatedContainer = { readonly Isolation?: string };

/** A Spec as dockerd shows it, with its fields in dockerd's order. */
export function withStatedFields(document: unknown): unknown {
  return encodedSpec(
    withAbsent(document, {
      TaskTemplate: { ContainerSpec: { Isolation: "default" }, Runtime: "container" },
      EndpointSpec: { Mode: "vip" },
    }),
  );
}

/**
 * A Spec without the values that `withStatedFields` adds: a client sends them back, and that must change neither
 * the service nor its tasks.
 */
export function withoutStatedFields(document: unknown): unknown {
  const { TaskTemplate, EndpointSpec, ...rest } = document as StatedParts;
  return {
    ...rest,
    ...(TaskTemplate !== undefined && { TaskTemplate: withoutStatedTemplate(TaskTemplate) }),
    ...(EndpointSpec !== undefined && { EndpointSpec: without(EndpointSpec, "Mode", "vip") }),
  };
}

function withoutStatedTemplate(template: StatedParts["TaskTemplate"]): unknown {
  const bare = without(template, "Runtime", "container");
  if (!bare?.ContainerSpec) return bare;
  return { ...bare, ContainerSpec: without(bare.ContainerSpec, "Isolation", "default") };
}

/** An object without one field, if that has this value. */
function without<T extends object>(value: T | null | undefined, field: keyof T, preset: string) {
  if (!value || value[field] !== preset) return value;
  const { [field]: _, ...rest } = value;
  return rest as T;
}

/**
 * A Spec with the values that apply to its service where it has none. They are read from the spec as the mesh
 * acts on it. A restart delay is absent: without one the mesh's own grows with each failure.
 *
 * @param document the Spec as it is stored
 */
export function withDefaults(document: unknown, spec: ServiceSpec): unknown {
  const { run, restart, update, rollback, forceUpdate } = spec;
  const defaults = {
    TaskTemplate: {
      ContainerSpec: { StopGracePeriod: run.stopGraceMs * 1e6, DNSConfig: {} },
      Resources: { Limits: {}, Reservations: {} },
      RestartPolicy: {
        Condition: restart.condition,
        ...(restart.delayMs !== undefined && { Delay: restart.delayMs * 1e6 }),
        MaxAttempts: restart.maxAttempts,
      },
      Placement: {},
      ForceUpdate: forceUpdate,
    },
    UpdateConfig: updateConfig(update),
    RollbackConfig: updateConfig(rollback ?? defaultRollback),
  };
  return encodedSpec(withAbsent(withStatedFields(document), defaults));
}

function updateConfig(policy: UpdatePolicy) {
  const { parallelism, order, delayMs, monitorMs, maxFailureRatio, failureAction } = policy;
  return {
    Parallelism: parallelism,
    ...(delayMs !== undefined && { Delay: delayMs * 1e6 }),
    FailureAction: failureAction ?? "pause",
    Monitor: (monitorMs ?? defaultMonitorMs) * 1e6,
    MaxFailureRatio: maxFailureRatio ?? 0,
    Order: order,
  };
}

/** Adds the fields of `defaults` that are absent or null, at every depth. */
function withAbsent(value: unknown, defaults: object): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value ?? defaults;
  const added = Object.entries(defaults).map(([key, preset]) => {
    const own = (value as Record<string, unknown>)[key];
    return [key, typeof preset === "object" ? withAbsent(own, preset) : (own ?? preset)];
  });
  return { ...value, ...Object.fromEntries(added) };
}
