// GET /tasks and /tasks/ID: moby's api/types/swarm.Task.

import { z } from "zod";
import { port } from "./service-spec.ts";
import { networkAttachment } from "./swarm-network.ts";
import { genericResource, taskTemplate } from "./task-template.ts";
import {
  type ApiMinor,
  count,
  engineId,
  meta,
  omitempty,
  pointer,
  swarmId,
  textMap,
  time,
} from "./values.ts";

const taskState = z.enum([
  "new",
  "allocated",
  "pending",
  "assigned",
  "accepted",
  "preparing",
  "ready",
  "starting",
  "running",
  "complete",
  "shutdown",
  "failed",
  "rejected",
  "remove",
  "orphaned",
]);

const status = z.strictObject({
  Timestamp: time,
  State: taskState,
  Message: omitempty(z.string()),
  Err: omitempty(z.string()),
  ContainerStatus: pointer(
    // Without a container its id is empty.
    z.strictObject({ ContainerID: z.union([engineId, z.literal("")]), PID: count, ExitCode: z.int() }),
  ),
  PortStatus: z.strictObject({ Ports: omitempty(z.array(port)) }),
});

export function task(minor: ApiMinor) {
  return z.strictObject({
    ID: swarmId,
    ...meta,
    Name: omitempty(z.string()),
    Labels: textMap,
    Spec: taskTemplate(minor),
    ServiceID: swarmId,
    Slot: omitempty(count),
    NodeID: omitempty(swarmId),
    Status: status,
    DesiredState: taskState,
    NetworksAttachments: omitempty(z.array(networkAttachment)),
    GenericResources: omitempty(z.array(genericResource)),
    JobIteration: pointer(meta.Version),
    // Cluster volumes, of daemons of 1.42 and later.
    Volumes: z.array(z.unknown()).nullish(),
  });
}
