// Applies the flags of `waggle service update` to a service's spec. Everything else in the spec stays.

import type { EnginePortConfig, EngineSpec } from "../engine.ts";
import { usageError } from "../errors.ts";
import type { PublishSpec } from "../publish.ts";
import { pairKey } from "../values.ts";
import { type RunFlags, uniqueEnv, withChanges, withRunFlags, withTag } from "./spec.ts";

export type UpdateFlags = RunFlags & {
  readonly image?: string;
  readonly args?: readonly string[];
  readonly publishAdd?: readonly PublishSpec[];
  readonly publishRm?: readonly PublishSpec[];
  readonly envAdd?: readonly string[];
  readonly envRm?: readonly string[];
  readonly labelAdd?: readonly (readonly [string, string])[];
  readonly labelRm?: readonly string[];
  readonly constraintAdd?: readonly string[];
  readonly constraintRm?: readonly string[];
  readonly force?: boolean;
};

/** The edited spec. Removals come before additions, so that one command can move a port. */
export function changeSpec(before: EngineSpec, flags: UpdateFlags): EngineSpec {
  const template = before.TaskTemplate;
  const container = template.ContainerSpec;
  const edited = withChanges(before, {
    Labels: (flags.labelAdd || flags.labelRm) && editLabels(before.Labels ?? {}, flags),
    TaskTemplate: withChanges(template, {
      ContainerSpec: withChanges(container, {
        Image: flags.image === undefined ? undefined : withTag(flags.image),
        Args: flags.args,
        Env: (flags.envAdd || flags.envRm) && editEnv(container.Env ?? [], flags),
      }),
      Placement: withChanges(template.Placement, {
        Constraints:
          (flags.constraintAdd || flags.constraintRm) &&
          editConstraints(template.Placement?.Constraints ?? [], flags),
      }),
      ForceUpdate: flags.force ? (template.ForceUpdate ?? 0) + 1 : undefined,
    }),
    EndpointSpec: withChanges(before.EndpointSpec, {
      Ports: (flags.publishAdd || flags.publishRm) && editPorts(before.EndpointSpec?.Ports ?? [], flags),
    }),
  });
  return withRunFlags(withReplicas(edited, flags.replicas), flags);
}

/** The spec with another number of replicas. */
export function withReplicas(spec: EngineSpec, replicas: number | undefined): EngineSpec {
  if (replicas === undefined) return spec;
  if (!spec.Mode?.Replicated) throw usageError("replicas can only be used with replicated mode");
  return { ...spec, Mode: { ...spec.Mode, Replicated: { ...spec.Mode.Replicated, Replicas: replicas } } };
}

function editLabels(labels: Readonly<Record<string, string>>, flags: UpdateFlags): Record<string, string> {
  const kept = Object.entries(labels).filter(([key]) => !flags.labelRm?.includes(key));
  return Object.fromEntries([...kept, ...(flags.labelAdd ?? [])]);
}

function editEnv(env: readonly string[], flags: UpdateFlags): string[] {
  const removed = new Set((flags.envRm ?? []).map(pairKey));
  return uniqueEnv([...env.filter((pair) => !removed.has(pairKey(pair))), ...(flags.envAdd ?? [])]);
}

function editConstraints(constraints: readonly string[], flags: UpdateFlags): string[] {
  const kept = constraints.filter(
    (constraint) => !flags.constraintRm?.some((removed) => isSameConstraint(removed, constraint)),
  );
  const added = (flags.constraintAdd ?? []).filter(
    (constraint) => !kept.some((other) => isSameConstraint(other, constraint)),
  );
  return [...kept, ...added].sort();
}

function isSameConstraint(a: string, b: string): boolean {
  return a.replaceAll(" ", "") === b.replaceAll(" ", "");
}

/** As in Docker: removals ignore the published port, and adding an existing port changes nothing. */
function editPorts(ports: readonly EnginePortConfig[], flags: UpdateFlags): EnginePortConfig[] {
  const kept = ports.filter(
    (port) => !flags.publishRm?.some((removed) => targetKey(removed) === targetKey(port)),
  );
  const added = (flags.publishAdd ?? []).filter(
    (port) => !kept.some((other) => portKey(other) === portKey(port)),
  );
  return [...kept, ...added].sort((a, b) => (a.PublishedPort ?? 0) - (b.PublishedPort ?? 0));
}

function targetKey(port: EnginePortConfig): string {
  return `${port.TargetPort}/${port.Protocol ?? "tcp"}/${port.PublishMode ?? "ingress"}`;
}

function portKey(port: EnginePortConfig): string {
  return `${port.PublishedPort ?? 0}:${targetKey(port)}`;
}
