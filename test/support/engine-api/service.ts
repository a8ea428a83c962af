// GET /services and /services/ID, and the answers to a create and an update: moby's api/types/swarm.Service.

import { z } from "zod";
import { endpointSpec, port, serviceSpec } from "./service-spec.ts";
import { type ApiMinor, count, meta, omitempty, pointer, swarmId, texts, time } from "./values.ts";

const updateStatus = z.strictObject({
  State: z.enum([
    "updating",
    "paused",
    "completed",
    "rollback_started",
    "rollback_paused",
    "rollback_completed",
  ]),
  StartedAt: pointer(time),
  CompletedAt: pointer(time),
  Message: omitempty(z.string()),
});

export function service(minor: ApiMinor) {
  return z.strictObject({
    ID: swarmId,
    ...meta,
    Spec: serviceSpec(minor),
    PreviousSpec: pointer(serviceSpec(minor)),
    Endpoint: z.strictObject({
      Spec: endpointSpec,
      Ports: omitempty(z.array(port)),
      VirtualIPs: omitempty(
        z.array(z.strictObject({ NetworkID: omitempty(swarmId), Addr: omitempty(z.string()) })),
      ),
    }),
    UpdateStatus: pointer(updateStatus),
    ServiceStatus: pointer(
      z.strictObject({ RunningTasks: count, DesiredTasks: count, CompletedTasks: count }),
    ),
    JobStatus: pointer(z.strictObject({ JobIteration: meta.Version, LastExecution: time })),
  });
}

/** POST /services/create. */
export const serviceCreated = z.strictObject({ ID: swarmId, Warnings: omitempty(texts) });

/** POST /services/ID/update. */
export const serviceUpdated = z.strictObject({ Warnings: texts.min(1).nullable() });
