// A ServiceSpec as dockerd encodes it: only the fields of the Engine API, in its order, without the empty values that
// Go leaves out, and with those that Go always writes.

import { isEmptyValue } from "./omit-empty.ts";

/**
 * How Go writes a field.
 * - `value` with `omitempty`: absent if it is empty
 * - `pointer` to a value with `omitempty`: absent if it is null
 * - `always`: its zero value stands for an absent one
 * - `word`: as `always`, in lower case
 * - `struct`: an object that is always there
 * - `optional`: an object that is absent if it is null
 * - `nullable`: an object that is null if it is absent
 * - `list` of objects with `omitempty`
 *
 * @see https://github.com/moby/moby/tree/master/api/types/swarm
 */
type Field =
  | { readonly kind: "value" | "pointer" }
  | { readonly kind: "always" | "word"; readonly zero: unknown }
  | { readonly kind: "struct" | "optional" | "nullable" | "list"; readonly fields: Fields };
type Fields = Readonly<Record<string, Field>>;

const value: Field = { kind: "value" };
const pointer: Field = { kind: "pointer" };
const always = (zero: unknown): Field => ({ kind: "always", zero });
const word = (zero: string): Field => ({ kind: "word", zero });
const optional = (fields: Fields): Field => ({ kind: "optional", fields });
const nullable = (fields: Fields): Field => ({ kind: "nullable", fields });
const list = (fields: Fields): Field => ({ kind: "list", fields });

const values = <Name extends string>(...names: readonly Name[]): Record<Name, Field> =>
  Object.fromEntries(names.map((name) => [name, value])) as Record<Name, Field>;

const driver = optional(values("Name", "Options"));

/** Without an owner and a mode a file is readable for all users, as the mesh gives it to a task. */
const file: Fields = { Name: always(""), UID: always("0"), GID: always("0"), Mode: always(0o444) };

const mount: Fields = {
  ...values("Type", "Source", "Target", "ReadOnly", "Consistency"),
  BindOptions: optional(
    values(
      "Propagation",
      "NonRecursive",
      "CreateMountpoint",
      "ReadOnlyNonRecursive",
      "ReadOnlyForceRecursive",
    ),
  ),
  VolumeOptions: optional({ ...values("NoCopy", "Labels", "Subpath"), DriverConfig: driver }),
  ImageOptions: optional(values("Subpath")),
  TmpfsOptions: optional(values("SizeBytes", "Mode", "Options")),
  ClusterOptions: optional({}),
};

const privileges: Fields = {
  CredentialSpec: nullable({ Config: always(""), File: always(""), Registry: always("") }),
  SELinuxContext: nullable({
    Disable: always(false),
    User: always(""),
    Role: always(""),
    Type: always(""),
    Level: always(""),
  }),
  Seccomp: optional(values("Mode", "Profile")),
  AppArmor: optional(values("Mode")),
  NoNewPrivileges: always(false),
};

const containerSpec: Fields = {
  ...values("Image", "Labels", "Command", "Args", "Hostname", "Env", "Dir", "User", "Groups"),
  Privileges: optional(privileges),
  Init: pointer,
  ...values("StopSignal", "TTY", "OpenStdin", "ReadOnly"),
  Mounts: list(mount),
  StopGracePeriod: pointer,
  Healthcheck: optional(values("Test", "Interval", "Timeout", "StartPeriod", "StartInterval", "Retries")),
  Hosts: value,
  DNSConfig: optional(values("Nameservers", "Search", "Options")),
  Secrets: list({ File: nullable(file), SecretID: always(""), SecretName: always("") }),
  Configs: list({
    File: optional(file),
    Runtime: optional({}),
    ConfigID: always(""),
    ConfigName: always(""),
  }),
  ...values("Isolation", "Sysctls", "CapabilityAdd", "CapabilityDrop"),
  Ulimits: list({ Name: always(""), Hard: always(0), Soft: always(0) }),
  OomScoreAdj: value,
};

const genericResources = list({
  NamedResourceSpec: optional(values("Kind", "Value")),
  DiscreteResourceSpec: optional(values("Kind", "Value")),
});

const networks = list(values("Target", "Aliases", "DriverOpts"));

const taskTemplate: Fields = {
  ContainerSpec: optional(containerSpec),
  Resources: optional({
    Limits: optional(values("NanoCPUs", "MemoryBytes", "Pids")),
    Reservations: optional({ ...values("NanoCPUs", "MemoryBytes"), GenericResources: genericResources }),
    SwapBytes: pointer,
    MemorySwappiness: pointer,
  }),
  RestartPolicy: optional({ Condition: value, Delay: pointer, MaxAttempts: pointer, Window: pointer }),
  Placement: optional({
    Constraints: value,
    Preferences: list({ Spread: nullable({ SpreadDescriptor: always("") }) }),
    MaxReplicas: value,
    Platforms: list(values("Architecture", "OS")),
  }),
  Networks: networks,
  LogDriver: driver,
  ForceUpdate: always(0),
  Runtime: value,
};

const mode: Fields = {
  Replicated: optional({ Replicas: pointer }),
  Global: optional({}),
  ReplicatedJob: optional({ MaxConcurrent: pointer, TotalCompletions: pointer }),
  GlobalJob: optional({}),
};

/** An absent count or order is written as the one that applies; see `readServiceSpec`. */
const updateConfig = optional({
  Parallelism: always(1),
  Delay: value,
  FailureAction: value,
  Monitor: value,
  MaxFailureRatio: always(0),
  Order: always("start-first"),
});

const serviceSpec: Fields = {
  Name: value,
  Labels: always({}),
  TaskTemplate: { kind: "struct", fields: taskTemplate },
  Mode: { kind: "struct", fields: mode },
  UpdateConfig: updateConfig,
  RollbackConfig: updateConfig,
  Networks: networks,
  EndpointSpec: optional({
    Mode: value,
    Ports: list({
      ...values("Name"),
      Protocol: word("tcp"),
      ...values("TargetPort", "PublishedPort"),
      PublishMode: always("ingress"),
    }),
  }),
};

/** @param document a spec whose read fields were checked, with the names of fields in Docker's case */
export function encodedSpec(document: unknown): unknown {
  return encodedObject(serviceSpec, document);
}

function encodedObject(fields: Fields, source: unknown): Readonly<Record<string, unknown>> {
  const from = (source ?? {}) as Readonly<Record<string, unknown>>;
  const entries = Object.entries(fields)
    .map(([name, field]) => [name, encodedField(field, from[name])] as const)
    .filter(([, encoded]) => encoded !== undefined);
  return Object.fromEntries(entries);
}

/** Undefined if Go leaves the field out. */
function encodedField(field: Field, source: unknown): unknown {
  switch (field.kind) {
    case "value":
      return isEmptyValue(source) ? undefined : source;
    case "pointer":
      return source ?? undefined;
    case "always":
      // An empty text is the absent value of a name that has a default.
      return source === "" ? field.zero : (source ?? field.zero);
    case "word":
      return typeof source === "string" && source !== "" ? source.toLowerCase() : field.zero;
    case "struct":
      return encodedObject(field.fields, source);
    case "optional":
      return source === null || source === undefined ? undefined : encodedObject(field.fields, source);
    case "nullable":
      return source === null || source === undefined ? null : encodedObject(field.fields, source);
    case "list":
      if (!Array.isArray(source)) return isEmptyValue(source) ? undefined : source;
      return source.length === 0 ? undefined : source.map((item) => encodedObject(field.fields, item));
  }
}
