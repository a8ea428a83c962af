// The fields of the Engine API's ServiceSpec that the mesh reads. Others are stored and returned unread.
//
// Go writes empty values as null, so every field may be absent or null.

import { z } from "zod";

/** Without NUL, which no operating system accepts in an argument or a variable. */
const text = z.string().refine((value) => !value.includes("\0"), { message: "expected text without a NUL" });
const texts = z.array(text);
const whole = z.int();
const nanos = z.int();

const Port = z.object({
  Name: z.string().nullish(),
  Protocol: z.string().nullish(),
  TargetPort: whole.nullish(),
  PublishedPort: whole.nullish(),
  PublishMode: z.string().nullish(),
});
export type EngineSpecPort = z.infer<typeof Port>;

const ContainerSpec = z.object({
  Image: text.nullish(),
  Command: texts.nullish(),
  Args: texts.nullish(),
  Env: texts.nullish(),
  Dir: text.nullish(),
  StopSignal: text.nullish(),
  StopGracePeriod: nanos.nullish(),
});
export type EngineContainer = z.infer<typeof ContainerSpec>;

const RestartPolicy = z.object({
  Condition: z.string().nullish(),
  Delay: nanos.nullish(),
  MaxAttempts: whole.nullish(),
  Window: nanos.nullish(),
});
export type EngineRestart = z.infer<typeof RestartPolicy>;

const TaskTemplate = z.object({
  Runtime: z.string().nullish(),
  ContainerSpec: ContainerSpec.nullish(),
  Resources: z
    .object({ Reservations: z.object({ NanoCPUs: whole.nullish(), MemoryBytes: whole.nullish() }).nullish() })
    .nullish(),
  RestartPolicy: RestartPolicy.nullish(),
  Placement: z.object({ Constraints: texts.nullish(), MaxReplicas: whole.nullish() }).nullish(),
  ForceUpdate: whole.nullish(),
});

const anything = z.object({}).nullish();
const Mode = z.object({
  Replicated: z.object({ Replicas: whole.nullish() }).nullish(),
  Global: anything,
  ReplicatedJob: anything,
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
  TaskTemplate: TaskTemplate.nullish(),
  Mode: Mode.nullish(),
  UpdateConfig: UpdateConfig.nullish(),
  RollbackConfig: UpdateConfig.nullish(),
  EndpointSpec: z.object({ Mode: z.string().nullish(), Ports: z.array(Port).nullish() }).nullish(),
});
export type EngineServiceSpec = z.infer<typeof EngineServiceSpec>;
