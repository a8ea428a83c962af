// A static service: published like any other, with servers instead of tasks.

import type { EngineSpec } from "../engine.ts";
import type { PublishSpec } from "../publish.ts";

/** What stands where other services have an image; nothing is run of it. */
export const staticImage = "waggle/static:latest";

/** What a service is published by that no port was asked for: it is by its ports that host names reach it. */
const defaultPublish: PublishSpec = { Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" };

/** The spec of a service that has servers only. */
export function staticSpec(
  name: string,
  publish: readonly PublishSpec[],
  labels: readonly (readonly [string, string])[],
): EngineSpec {
  return {
    Name: name,
    Labels: Object.fromEntries(labels),
    TaskTemplate: { ContainerSpec: { Image: staticImage }, ForceUpdate: 0 },
    Mode: { Replicated: { Replicas: 0 } },
    EndpointSpec: { Mode: "vip", Ports: publish.length === 0 ? [defaultPublish] : [...publish] },
  };
}
