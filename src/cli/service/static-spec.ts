// The spec of a static service: published like other services, with servers instead of tasks.

import type { EngineSpec } from "../engine.ts";
import type { PublishSpec } from "../publish.ts";

/** The image of static services, which is never run. */
export const staticImage = "waggle/static:latest";

/** The port of a service without --publish. Host names need one, because they lead to a port of a service. */
const defaultPublish: PublishSpec = { Protocol: "tcp", TargetPort: 80, PublishMode: "ingress" };

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
