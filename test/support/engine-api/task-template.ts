// TaskTemplate of a service and Spec of a task: moby's api/types/swarm.TaskSpec and ContainerSpec.

import { z } from "zod";
import {
  type ApiMinor,
  base64,
  count,
  driver,
  emptyObject,
  omitempty,
  pointer,
  since,
  swarmId,
  textMap,
  texts,
} from "./values.ts";

export const genericResource = z.union([
  z.strictObject({ NamedResourceSpec: z.strictObject({ Kind: z.string(), Value: z.string() }) }),
  z.strictObject({ DiscreteResourceSpec: z.strictObject({ Kind: z.string(), Value: count }) }),
]);

/** A file of a secret or config in a container. */
const fileTarget = z.strictObject({ Name: z.string(), UID: z.string(), GID: z.string(), Mode: count });

const secretReference = z.strictObject({
  File: fileTarget.nullable(),
  SecretID: swarmId,
  SecretName: z.string(),
});

const configReference = z.strictObject({
  File: pointer(fileTarget),
  Runtime: pointer(emptyObject),
  ConfigID: swarmId,
  ConfigName: z.string(),
});

const mount = z.strictObject({
  Type: omitempty(z.enum(["bind", "volume", "tmpfs", "npipe", "cluster", "image"])),
  Source: omitempty(z.string()),
  Target: omitempty(z.string()),
  ReadOnly: omitempty(z.boolean()),
  Consistency: omitempty(z.string()),
  BindOptions: pointer(
    z.strictObject({
      Propagation: omitempty(z.string()),
      NonRecursive: omitempty(z.boolean()),
      CreateMountpoint: omitempty(z.boolean()),
      ReadOnlyNonRecursive: omitempty(z.boolean()),
      ReadOnlyForceRecursive: omitempty(z.boolean()),
    }),
  ),
  VolumeOptions: pointer(
    z.strictObject({
      NoCopy: omitempty(z.boolean()),
      Labels: omitempty(textMap),
      Subpath: omitempty(z.string()),
      DriverConfig: pointer(driver),
    }),
  ),
  ImageOptions: pointer(z.strictObject({ Subpath: omitempty(z.string()) })),
  TmpfsOptions: pointer(
    z.strictObject({
      SizeBytes: omitempty(count),
      Mode: omitempty(count),
      Options: omitempty(z.array(texts)),
    }),
  ),
  ClusterOptions: pointer(emptyObject),
});

const healthcheck = z.strictObject({
  Test: omitempty(texts),
  Interval: omitempty(count),
  Timeout: omitempty(count),
  StartPeriod: omitempty(count),
  StartInterval: omitempty(count),
  Retries: omitempty(count),
});

function privileges(minor: ApiMinor) {
  return z.strictObject({
    CredentialSpec: z.strictObject({ Config: z.string(), File: z.string(), Registry: z.string() }).nullable(),
    SELinuxContext: z
      .strictObject({
        Disable: z.boolean(),
        User: z.string(),
        Role: z.string(),
        Type: z.string(),
        Level: z.string(),
      })
      .nullable(),
    // Fields of 1.44. A later daemon sends NoNewPrivileges to clients of any version.
    Seccomp: since(
      44,
      minor,
      pointer(z.strictObject({ Mode: omitempty(z.string()), Profile: omitempty(base64) })),
    ),
    AppArmor: since(44, minor, pointer(z.strictObject({ Mode: omitempty(z.string()) }))),
    NoNewPrivileges: minor < 44 ? z.boolean().optional() : z.boolean(),
  });
}

function containerSpec(minor: ApiMinor) {
  return z.strictObject({
    Image: omitempty(z.string()),
    Labels: omitempty(textMap),
    Command: omitempty(texts),
    Args: omitempty(texts),
    Hostname: omitempty(z.string()),
    Env: omitempty(texts),
    Dir: omitempty(z.string()),
    User: omitempty(z.string()),
    Groups: omitempty(texts),
    Privileges: pointer(privileges(minor)),
    Init: pointer(z.boolean()),
    StopSignal: omitempty(z.string()),
    TTY: omitempty(z.boolean()),
    OpenStdin: omitempty(z.boolean()),
    ReadOnly: omitempty(z.boolean()),
    Mounts: omitempty(z.array(mount)),
    StopGracePeriod: pointer(count),
    Healthcheck: pointer(healthcheck),
    Hosts: omitempty(texts),
    DNSConfig: pointer(
      z.strictObject({
        Nameservers: omitempty(texts),
        Search: omitempty(texts),
        Options: omitempty(texts),
      }),
    ),
    Secrets: omitempty(z.array(secretReference)),
    Configs: omitempty(z.array(configReference)),
    Isolation: omitempty(z.enum(["default", "process", "hyperv"])),
    Sysctls: omitempty(textMap),
    CapabilityAdd: omitempty(texts),
    CapabilityDrop: omitempty(texts),
    Ulimits: omitempty(z.array(z.strictObject({ Name: z.string(), Hard: z.int(), Soft: z.int() }))),
    OomScoreAdj: since(46, minor, omitempty(z.int())),
  });
}

const networkAttachmentConfig = z.strictObject({
  Target: omitempty(z.string()),
  Aliases: omitempty(texts),
  DriverOpts: omitempty(textMap),
});

export function taskTemplate(minor: ApiMinor) {
  return z.strictObject({
    ContainerSpec: pointer(containerSpec(minor)),
    Resources: pointer(
      z.strictObject({
        Limits: pointer(
          z.strictObject({
            NanoCPUs: omitempty(count),
            MemoryBytes: omitempty(count),
            Pids: omitempty(count),
          }),
        ),
        Reservations: pointer(
          z.strictObject({
            NanoCPUs: omitempty(count),
            MemoryBytes: omitempty(count),
            GenericResources: omitempty(z.array(genericResource)),
          }),
        ),
        // Fields of 1.52; null was not sent before.
        SwapBytes: since(52, minor, pointer(count)),
        MemorySwappiness: since(52, minor, pointer(z.int())),
      }),
    ),
    RestartPolicy: pointer(
      z.strictObject({
        Condition: omitempty(z.enum(["none", "on-failure", "any"])),
        Delay: pointer(count),
        MaxAttempts: pointer(count),
        Window: pointer(count),
      }),
    ),
    Placement: pointer(
      z.strictObject({
        Constraints: omitempty(texts),
        Preferences: omitempty(
          z.array(z.strictObject({ Spread: z.strictObject({ SpreadDescriptor: z.string() }) })),
        ),
        MaxReplicas: omitempty(count),
        Platforms: omitempty(
          z.array(z.strictObject({ Architecture: omitempty(z.string()), OS: omitempty(z.string()) })),
        ),
      }),
    ),
    Networks: omitempty(z.array(networkAttachmentConfig)),
    LogDriver: pointer(driver),
    ForceUpdate: count,
    Runtime: omitempty(z.enum(["container", "plugin", "attachment"])),
  });
}
