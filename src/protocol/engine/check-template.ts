// Checks of a TaskTemplate that dockerd and SwarmKit make when a service is created, in their words: mounts and the
// health check. What only the daemon of a node knows rejects the task there.

import { invalidBody, quoteValue } from "./read.ts";
import type { EngineTaskTemplate } from "./service-schema.ts";

const mountTypes = ["bind", "volume", "tmpfs", "npipe", "cluster", "image"];
const healthDurations = ["Interval", "Timeout", "StartPeriod", "StartInterval"] as const;

/** @throws MeshError body/invalid */
export function checkTemplate({ ContainerSpec }: EngineTaskTemplate): void {
  const mounts = ContainerSpec?.Mounts ?? [];
  for (const { Type } of mounts) {
    if (Type && !mountTypes.includes(Type.toLowerCase()))
      throw invalidBody(`invalid MountType: ${quoteValue(Type)}: use ${mountTypes.join(", ")}`);
  }
  const targets = mounts.map(({ Target }) => Target ?? "");
  const repeated = targets.find((target, at) => targets.indexOf(target) < at);
  if (repeated !== undefined) throw invalidSpec(`ContainerSpec: duplicate mount point: ${repeated}`);
  const check = ContainerSpec?.Healthcheck ?? {};
  for (const name of healthDurations) {
    const nanos = check[name] ?? 0;
    if (nanos !== 0 && nanos < 1e6)
      throw invalidSpec(`ContainerSpec: ${name} in HealthConfig cannot be less than 1ms`);
  }
  if ((check.Retries ?? 0) < 0)
    throw invalidSpec("ContainerSpec: Retries in HealthConfig cannot be negative");
}

/** A refusal of SwarmKit's, as dockerd relays it. */
export function invalidSpec(message: string): Error {
  return invalidBody(`rpc error: code = InvalidArgument desc = ${message}`);
}
