// The template of a task as a runtime reads it, with its placeholders expanded.

import { expandPlaceholders, type PlaceholderValues } from "../../domain/model/placeholders.ts";
import type { AssignedTask } from "../../protocol/agent.ts";
import type { EngineMount } from "../../protocol/engine/container-schema.ts";
import { readAs } from "../../protocol/engine/read.ts";
import { EngineTaskTemplate } from "../../protocol/engine/service-schema.ts";

/** The node that a task runs on, for placeholders and labels. */
export type TaskNode = {
  readonly id: string;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
};

/**
 * Reads a task's template and expands the placeholders in its environment, host name and mounts, volume labels and
 * driver options included. A registry of
 * protocol 2 sends none; then it is made of the task's `run`.
 *
 * @throws MeshError body/invalid, service/invalid
 */
export function readTemplate(task: AssignedTask, node: TaskNode): EngineTaskTemplate {
  const template = readAs(EngineTaskTemplate, task.template ?? templateOfRun(task), "the task template");
  const container = template.ContainerSpec ?? {};
  const values = placeholderValues(task, node);
  const expand = (text: string) => expandPlaceholders(text, values);
  return {
    ...template,
    ContainerSpec: {
      ...container,
      Env: (container.Env ?? []).map(expand),
      Hostname: expand(container.Hostname ?? ""),
      Mounts: (container.Mounts ?? []).map((mount) => ({
        ...mount,
        Source: expand(mount.Source ?? ""),
        Target: expand(mount.Target ?? ""),
        ...(mount.VolumeOptions && { VolumeOptions: expandVolume(mount.VolumeOptions, expand) }),
      })),
    },
  };
}

function expandVolume(
  options: NonNullable<EngineMount["VolumeOptions"]>,
  expand: (text: string) => string,
): EngineMount["VolumeOptions"] {
  const expandAll = (texts: Readonly<Record<string, string>> | null | undefined) =>
    Object.fromEntries(Object.entries(texts ?? {}).map(([key, text]) => [key, expand(text)]));
  const { Labels, DriverConfig } = options;
  return {
    ...options,
    ...(Labels && { Labels: expandAll(Labels) }),
    ...(DriverConfig && { DriverConfig: { ...DriverConfig, Options: expandAll(DriverConfig.Options) } }),
  };
}

/** `my-web.1.<task id>`, as Swarm names tasks and their containers. */
export function fullTaskName({ id, slot, service }: AssignedTask, nodeId: string): string {
  return `${service.name}.${slot > 0 ? slot : nodeId}.${id}`;
}

function placeholderValues(task: AssignedTask, node: TaskNode): PlaceholderValues {
  const { id, name, labels = {} } = task.service;
  const slot = task.slot > 0 ? String(task.slot) : node.id;
  return {
    service: { id, name, labels },
    node,
    task: { id: task.id, name: fullTaskName(task, node.id), slot },
  };
}

function templateOfRun({ run }: AssignedTask): EngineTaskTemplate {
  const { image, command, args, env, dir, stopSignal, stopGraceMs } = run;
  return {
    ContainerSpec: {
      Image: image,
      Command: command,
      Args: args,
      Env: env,
      Dir: dir,
      StopSignal: stopSignal,
      StopGracePeriod: stopGraceMs * 1_000_000,
    },
  };
}
