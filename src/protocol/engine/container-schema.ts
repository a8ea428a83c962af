// The fields of the Engine API's ContainerSpec and Resources: how a task's container is made.
//
// Go writes empty values as null, so every field may be absent or null. Durations are in nanoseconds, sizes in
// bytes.

import { z } from "zod";

/** Without NUL, which no operating system accepts in an argument or a variable. */
export const text = z
  .string()
  .refine((value) => !value.includes("\0"), { message: "expected text without a NUL" });
export const texts = z.array(text);
export const whole = z.int();
export const nanos = z.int();
const flag = z.boolean();
const textMap = z.record(text, text);

const HealthConfig = z.object({
  /** `["CMD", …]`, `["CMD-SHELL", command]`, `["NONE"]`; empty: the image's own. */
  Test: texts.nullish(),
  Interval: nanos.nullish(),
  Timeout: nanos.nullish(),
  StartPeriod: nanos.nullish(),
  StartInterval: nanos.nullish(),
  Retries: whole.nullish(),
});

const Driver = z.object({ Name: text.nullish(), Options: textMap.nullish() });

/** The same shape in a service spec and in a container's HostConfig; dockerd checks the rest. */
export const EngineMount = z.object({
  Type: text.nullish(),
  Source: text.nullish(),
  Target: text.nullish(),
  ReadOnly: flag.nullish(),
  Consistency: text.nullish(),
  BindOptions: z
    .object({
      Propagation: text.nullish(),
      NonRecursive: flag.nullish(),
      CreateMountpoint: flag.nullish(),
      ReadOnlyNonRecursive: flag.nullish(),
      ReadOnlyForceRecursive: flag.nullish(),
    })
    .nullish(),
  VolumeOptions: z
    .object({
      NoCopy: flag.nullish(),
      Labels: textMap.nullish(),
      DriverConfig: Driver.nullish(),
      Subpath: text.nullish(),
    })
    .nullish(),
  ImageOptions: z.object({ Subpath: text.nullish() }).nullish(),
  TmpfsOptions: z
    .object({
      SizeBytes: whole.nullish(),
      Mode: whole.nullish(),
      Options: z.array(texts).nullish(),
    })
    .nullish(),
});
export type EngineMount = z.infer<typeof EngineMount>;

const Privileges = z.object({
  CredentialSpec: z
    .object({ Config: text.nullish(), File: text.nullish(), Registry: text.nullish() })
    .nullish(),
  SELinuxContext: z
    .object({
      Disable: flag.nullish(),
      User: text.nullish(),
      Role: text.nullish(),
      Type: text.nullish(),
      Level: text.nullish(),
    })
    .nullish(),
  Seccomp: z.object({ Mode: text.nullish(), Profile: text.nullish() }).nullish(),
  AppArmor: z.object({ Mode: text.nullish() }).nullish(),
  NoNewPrivileges: flag.nullish(),
});
export type EnginePrivileges = z.infer<typeof Privileges>;

/** A file in the container. Clients write user and group ids as texts. */
const FileTarget = z.object({
  Name: text.nullish(),
  UID: text.nullish(),
  GID: text.nullish(),
  Mode: z.int().min(0).max(0o7777).nullish(),
});
export type EngineFileTarget = z.infer<typeof FileTarget>;

const SecretReference = z.object({
  SecretID: text.nullish(),
  SecretName: text.nullish(),
  File: FileTarget.nullish(),
});

const ConfigReference = z.object({
  ConfigID: text.nullish(),
  ConfigName: text.nullish(),
  File: FileTarget.nullish(),
  /** For credential specs of Windows. */
  Runtime: z.object({}).nullish(),
});

export const ContainerSpec = z.object({
  Image: text.nullish(),
  Labels: textMap.nullish(),
  Command: texts.nullish(),
  Args: texts.nullish(),
  Hostname: text.nullish(),
  Env: texts.nullish(),
  Dir: text.nullish(),
  User: text.nullish(),
  Groups: texts.nullish(),
  Privileges: Privileges.nullish(),
  Init: flag.nullish(),
  StopSignal: text.nullish(),
  TTY: flag.nullish(),
  OpenStdin: flag.nullish(),
  ReadOnly: flag.nullish(),
  Mounts: z.array(EngineMount).nullish(),
  StopGracePeriod: nanos.nullish(),
  Healthcheck: HealthConfig.nullish(),
  /** Lines of /etc/hosts: `IP name [alias …]`. */
  Hosts: texts.nullish(),
  DNSConfig: z
    .object({ Nameservers: texts.nullish(), Search: texts.nullish(), Options: texts.nullish() })
    .nullish(),
  Isolation: text.nullish(),
  Sysctls: textMap.nullish(),
  CapabilityAdd: texts.nullish(),
  CapabilityDrop: texts.nullish(),
  Ulimits: z
    .array(z.object({ Name: text.nullish(), Soft: whole.nullish(), Hard: whole.nullish() }))
    .nullish(),
  OomScoreAdj: whole.nullish(),
  Secrets: z.array(SecretReference).nullish(),
  Configs: z.array(ConfigReference).nullish(),
});
export type EngineContainer = z.infer<typeof ContainerSpec>;

/** A number of units of a kind, or one unit by its name. */
const GenericResource = z.object({
  DiscreteResourceSpec: z.object({ Kind: text, Value: whole }).nullish(),
  NamedResourceSpec: z.object({ Kind: text, Value: text }).nullish(),
});
export type EngineGenericResource = z.infer<typeof GenericResource>;

export const Resources = z.object({
  Limits: z
    .object({ NanoCPUs: whole.nullish(), MemoryBytes: whole.nullish(), Pids: whole.nullish() })
    .nullish(),
  Reservations: z
    .object({
      NanoCPUs: whole.nullish(),
      MemoryBytes: whole.nullish(),
      GenericResources: z.array(GenericResource).nullish(),
    })
    .nullish(),
  SwapBytes: whole.nullish(),
  MemorySwappiness: whole.nullish(),
});

export const LogDriver = Driver;
