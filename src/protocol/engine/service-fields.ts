// The names of all fields of the Engine API's ServiceSpec, also of those that the mesh does not read. They are
// the names of moby's api/types/swarm, up to API version 1.51.

import { z } from "zod";

/** Fields without named parts: text, numbers, lists of them, and maps whose keys are the operator's. */
function plain<Name extends string>(...names: readonly Name[]): Record<Name, z.ZodUnknown> {
  return Object.fromEntries(names.map((name) => [name, z.unknown()])) as Record<Name, z.ZodUnknown>;
}

const File = z.object(plain("Name", "UID", "GID", "Mode"));
const NamedResource = z.object(plain("Kind", "Value"));

const Mount = z.object({
  ...plain("Type", "Source", "Target", "ReadOnly", "Consistency", "ClusterOptions"),
  BindOptions: z.object(
    plain(
      "Propagation",
      "NonRecursive",
      "CreateMountpoint",
      "ReadOnlyNonRecursive",
      "ReadOnlyForceRecursive",
    ),
  ),
  VolumeOptions: z.object({
    ...plain("NoCopy", "Labels", "Subpath"),
    DriverConfig: z.object(plain("Name", "Options")),
  }),
  ImageOptions: z.object(plain("Subpath")),
  TmpfsOptions: z.object(plain("SizeBytes", "Mode", "Options")),
});

const Privileges = z.object({
  CredentialSpec: z.object(plain("Config", "File", "Registry")),
  SELinuxContext: z.object(plain("Disable", "User", "Role", "Type", "Level")),
  Seccomp: z.object(plain("Mode", "Profile")),
  AppArmor: z.object(plain("Mode")),
  ...plain("NoNewPrivileges"),
});

const ContainerSpec = z.object({
  ...plain("Image", "Labels", "Command", "Args", "Hostname", "Env", "Dir", "User", "Groups"),
  ...plain("TTY", "OpenStdin", "ReadOnly", "StopSignal", "StopGracePeriod", "Hosts", "Isolation"),
  ...plain("Init", "Sysctls", "CapabilityAdd", "CapabilityDrop", "OomScoreAdj"),
  Privileges,
  Mounts: z.array(Mount),
  Healthcheck: z.object(plain("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")),
  DNSConfig: z.object(plain("Nameservers", "Search", "Options")),
  Secrets: z.array(z.object({ ...plain("SecretID", "SecretName"), File })),
  Configs: z.array(z.object({ ...plain("ConfigID", "ConfigName", "Runtime"), File })),
  Ulimits: z.array(z.object(plain("Name", "Soft", "Hard"))),
});

const Networks = z.array(z.object(plain("Target", "Aliases", "DriverOpts")));

const TaskTemplate = z.object({
  ...plain("ForceUpdate", "Runtime"),
  ContainerSpec,
  PluginSpec: z.object(plain("Name", "Remote", "Disabled", "PluginPrivilege", "Env")),
  NetworkAttachmentSpec: z.object(plain("ContainerID")),
  Resources: z.object({
    Limits: z.object(plain("NanoCPUs", "MemoryBytes", "Pids")),
    Reservations: z.object({
      ...plain("NanoCPUs", "MemoryBytes"),
      GenericResources: z.array(
        z.object({ NamedResourceSpec: NamedResource, DiscreteResourceSpec: NamedResource }),
      ),
    }),
  }),
  RestartPolicy: z.object(plain("Condition", "Delay", "MaxAttempts", "Window")),
  Placement: z.object({
    ...plain("Constraints", "MaxReplicas"),
    Preferences: z.array(z.object({ Spread: z.object(plain("SpreadDescriptor")) })),
    Platforms: z.array(z.object(plain("Architecture", "OS"))),
  }),
  Networks,
  LogDriver: z.object(plain("Name", "Options")),
});

const UpdateConfig = z.object(
  plain("Parallelism", "Delay", "FailureAction", "Monitor", "MaxFailureRatio", "Order"),
);

/** For `withFieldNames` only: it checks no values. */
export const ServiceSpecFields = z.object({
  ...plain("Name", "Labels"),
  TaskTemplate,
  Mode: z.object({
    Replicated: z.object(plain("Replicas")),
    ReplicatedJob: z.object(plain("MaxConcurrent", "TotalCompletions")),
    ...plain("Global", "GlobalJob"),
  }),
  UpdateConfig,
  RollbackConfig: UpdateConfig,
  Networks,
  EndpointSpec: z.object({
    ...plain("Mode"),
    Ports: z.array(z.object(plain("Name", "Protocol", "TargetPort", "PublishedPort", "PublishMode"))),
  }),
});
