// The fields of the Engine API's ServiceSpec that the mesh reads. Others are stored and returned unread.
//
// Go writes empty values as null, so every field may be absent or null.

import { z } from "zod";
import { ContainerSpec, LogDriver, nanos, Resources, text, texts, whole } from "./container-schema.ts";

const Port = z.object({
  Name: z.string().nullish(),
  Protocol: z.string().nullish(),
  TargetPort: whole.nullish(),
  PublishedPort: whole.nullish(),
  PublishMode: z.string().nullish(),
});
export type EngineSpecPort = z.infer<typeof Port>;

const RestartPolicy = z.object({
  Condition: z.string().nullish(),
  Delay: nanos.nullish(),
  MaxAttempts: whole.nullish(),
  Window: nanos.nullish(),
});
export type EngineRestart = z.infer<typeof RestartPolicy>;

export const EnginePlacement = z.object({
  Constraints: texts.nullish(),
  Preferences: z.array(z.object({ Spread: z.object({ SpreadDescriptor: text }).nullish() })).nullish(),
  MaxReplicas: whole.nullish(),
  Platforms: z.array(z.object({ OS: text.nullish(), Architecture: text.nullish() })).nullish(),
});

const NetworkUse = z.object({ Target: z.string().nullish(), Aliases: texts.nullish() });
export type EngineNetworkUse = z.infer<typeof NetworkUse>;

export const EngineTaskTemplate = z.object({
  Runtime: z.string().nullish(),
  ContainerSpec: ContainerSpec.nullish(),
  Resources: Resources.nullish(),
  RestartPolicy: RestartPolicy.nullish(),
  Placement: EnginePlacement.nullish(),
  ForceUpdate: whole.nullish(),
  LogDriver: LogDriver.nullish(),
  Networks: z.array(NetworkUse).nullish(),
});
export type EngineTaskTemplate = z.infer<typeof EngineTaskTemplate>;

const anything = z.object({}).nullish();
const Mode = z.object({
  Replicated: z.object({ Replicas: whole.nullish() }).nullish(),
  Global: anything,
  ReplicatedJob: z.object({ MaxConcurrent: whole.nullish(), TotalCompletions: whole.nullish() }).nullish(),
  GlobalJob: anything,
});
export type EngineMode = z.infer<typeof Mode>;

const UpdateConfig = z.object({
  Parallelism: whole.nullish(),
  Delay: nanos.nullish(),
  FailureAction: z.string().nullish(),
  Monitor: nanos.nullish(),
  MaxFailureRatio: z.number().nullish(),
  Order: z.string().nullish(),
});
export type EngineUpdate = z.infer<typeof UpdateConfig>;

export const EngineServiceSpec = z.object({
  Name: z.string().nullish(),
  Labels: z.record(z.string(), z.string()).nullish(),
  TaskTemplate: EngineTaskTemplate.nullish(),
  Mode: Mode.nullish(),
  UpdateConfig: UpdateConfig.nullish(),
  RollbackConfig: UpdateConfig.nullish(),
  EndpointSpec: z.object({ Mode: z.string().nullish(), Ports: z.array(Port).nullish() }).nullish(),
  /** Of older clients; those of the TaskTemplate win. */
  Networks: z.array(NetworkUse).nullish(),
});
export type EngineServiceSpec = z.infer<typeof EngineServiceSpec>;
