// Spec and PreviousSpec of a service: moby's api/types/swarm.ServiceSpec.

import { z } from "zod";
import { taskTemplate } from "./task-template.ts";
import { type ApiMinor, count, emptyObject, omitempty, pointer, textMap } from "./values.ts";

const mode = z.union([
  z.strictObject({ Replicated: z.strictObject({ Replicas: count }) }),
  z.strictObject({ Global: emptyObject }),
  z.strictObject({ ReplicatedJob: z.strictObject({ MaxConcurrent: count, TotalCompletions: count }) }),
  z.strictObject({ GlobalJob: emptyObject }),
]);

const updateConfig = z.strictObject({
  Parallelism: count,
  Delay: omitempty(count),
  FailureAction: omitempty(z.enum(["pause", "continue", "rollback"])),
  Monitor: omitempty(count),
  MaxFailureRatio: z.number(),
  Order: z.enum(["stop-first", "start-first"]),
});

export const port = z.strictObject({
  Name: omitempty(z.string()),
  Protocol: z.enum(["tcp", "udp", "sctp"]),
  TargetPort: omitempty(count),
  PublishedPort: omitempty(count),
  PublishMode: z.enum(["ingress", "host"]),
});

export const endpointSpec = z.strictObject({
  Mode: omitempty(z.enum(["vip", "dnsrr"])),
  Ports: omitempty(z.array(port)),
});

export function serviceSpec(minor: ApiMinor) {
  return z.strictObject({
    Name: omitempty(z.string()),
    Labels: textMap,
    TaskTemplate: taskTemplate(minor),
    Mode: mode,
    UpdateConfig: pointer(updateConfig),
    RollbackConfig: pointer(updateConfig),
    EndpointSpec: pointer(endpointSpec),
  });
}
