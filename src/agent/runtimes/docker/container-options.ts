// The options of a container, from the template of its task: pure, so that every field can be tested.

import type { ContainerCreateOptions, HostConfig, MountSettings } from "dockerode";
import type { AssignedTask } from "../../../protocol/agent.ts";
import type {
  EngineContainer,
  EngineMount,
  EnginePrivileges,
} from "../../../protocol/engine/container-schema.ts";
import type { EngineTaskTemplate } from "../../../protocol/engine/service-schema.ts";
import type { PlacedFile } from "../../dependency-files.ts";
import { fullTaskName } from "../task-template.ts";
import {
  agentLabel,
  nameServersLabel,
  serviceNameLabel,
  taskIdLabel,
  taskNameLabel,
} from "./container-labels.ts";
import type { ContainerNetwork } from "./container-networks.ts";

export type ContainerContext = {
  readonly nodeId: string;
  /** Value of the agent's label. */
  readonly agent: string;
  /** Address that host-mode ports are published at; empty: every address of the machine. */
  readonly hostIp: string;
  /** The network that it is made on; absent: the default bridge. */
  readonly network?: ContainerNetwork | undefined;
  /** The agent's name server, which knows the names on its networks; null: the daemon knows them. */
  readonly nameServer: string | null;
  /** Files of secrets and configs. */
  readonly files: readonly PlacedFile[];
};

/**
 * The body of the daemon's `POST /containers/create`, as dockerd makes it for a task of a Swarm.
 *
 * @param template with expanded placeholders
 */
export function containerOptions(
  task: AssignedTask,
  template: EngineTaskTemplate,
  context: ContainerContext,
): ContainerCreateOptions {
  const spec = template.ContainerSpec ?? {};
  const { Healthcheck, DNSConfig } = spec;
  const command = spec.Command ?? [];
  const args = spec.Args ?? [];
  const { network, nameServer } = context;
  return withoutAbsent({
    name: fullTaskName(task, context.nodeId),
    Image: spec.Image ?? "",
    // As in Docker, an entrypoint of the service also replaces the image's arguments.
    Entrypoint: command.length > 0 ? command : undefined,
    Cmd: args.length > 0 || command.length > 0 ? args : undefined,
    Env: spec.Env ?? [],
    WorkingDir: spec.Dir || undefined,
    User: spec.User || undefined,
    Hostname: spec.Hostname || undefined,
    Labels: labelsOf(task, spec, context),
    StopSignal: spec.StopSignal || undefined,
    // For a daemon that stops its containers because it stops itself. Seconds.
    StopTimeout: Math.ceil(task.run.stopGraceMs / 1_000),
    Tty: spec.TTY ?? undefined,
    OpenStdin: spec.OpenStdin ?? undefined,
    Healthcheck: Healthcheck ? withoutNull(Healthcheck) : undefined,
    ExposedPorts: Object.fromEntries(task.run.targets.map((target) => [`${target}/tcp`, {}])),
    NetworkingConfig: network && {
      EndpointsConfig: { [network.id]: { Aliases: [...network.aliases] } },
    },
    HostConfig: withoutAbsent({
      NetworkMode: network?.id,
      ...resourcesOf(template),
      GroupAdd: listOf(spec.Groups),
      Mounts: listOf([...(spec.Mounts ?? []).map(mountOf), ...context.files.map(fileMount)]),
      ReadonlyRootfs: spec.ReadOnly ?? undefined,
      Init: spec.Init ?? undefined,
      Isolation: spec.Isolation || undefined,
      Sysctls: spec.Sysctls ?? undefined,
      CapAdd: listOf(spec.CapabilityAdd),
      CapDrop: listOf(spec.CapabilityDrop),
      Ulimits: listOf(spec.Ulimits)?.map(({ Name, Soft, Hard }) => ({
        Name: Name ?? "",
        Soft: Soft ?? 0,
        Hard: Hard ?? 0,
      })),
      Dns: listOf([...(nameServer === null ? [] : [nameServer]), ...(DNSConfig?.Nameservers ?? [])]),
      DnsSearch: listOf(DNSConfig?.Search),
      DnsOptions: listOf(DNSConfig?.Options),
      ExtraHosts: listOf(spec.Hosts)?.flatMap(extraHosts),
      SecurityOpt: listOf(securityOptions(spec.Privileges ?? {})),
      OomScoreAdj: spec.OomScoreAdj || undefined,
      LogConfig: logConfigOf(template),
      PortBindings: portBindings(task.hostPorts ?? [], context.hostIp),
    }) as HostConfig,
  }) as ContainerCreateOptions;
}

/** Swarm's labels win over those of the spec, because programs find tasks by them. */
function labelsOf(
  task: AssignedTask,
  { Labels, DNSConfig }: EngineContainer,
  { nodeId, agent }: ContainerContext,
): Readonly<Record<string, string>> {
  return {
    ...Labels,
    "com.docker.swarm.task": "",
    [taskIdLabel]: task.id,
    [taskNameLabel]: fullTaskName(task, nodeId),
    "com.docker.swarm.node.id": nodeId,
    "com.docker.swarm.service.id": task.service.id,
    [serviceNameLabel]: task.service.name,
    [agentLabel]: agent,
    ...(DNSConfig?.Nameservers?.length && { [nameServersLabel]: "own" }),
  };
}

function resourcesOf({ Resources }: EngineTaskTemplate): Partial<HostConfig> {
  const { Limits, Reservations, SwapBytes, MemorySwappiness } = Resources ?? {};
  const memory = Limits?.MemoryBytes || undefined;
  const reserved = Reservations?.MemoryBytes || undefined;
  return {
    NanoCpus: Limits?.NanoCPUs || undefined,
    Memory: memory,
    PidsLimit: Limits?.Pids || undefined,
    // A daemon refuses a soft limit above the hard one, and Swarm sets none: such a task runs.
    MemoryReservation: (reserved ?? 0) > (memory ?? Number.POSITIVE_INFINITY) ? undefined : reserved,
    // Docker counts memory and swap together; -1 is unlimited swap.
    MemorySwap:
      SwapBytes == null
        ? undefined
        : SwapBytes < 0
          ? -1
          : memory === undefined
            ? undefined
            : memory + SwapBytes,
    MemorySwappiness: MemorySwappiness ?? undefined,
  };
}

function mountOf(mount: EngineMount): MountSettings {
  const { Source, ...rest } = withoutNull(mount);
  return { ...rest, ...(Source !== "" && { Source }) } as unknown as MountSettings;
}

/** The folders below which Docker makes a file with a relative target. */
const fileRoots = { secret: "/run/secrets", config: "" } as const;

/** Bound from the node's memory, because a copy into the container would be on its disk. */
function fileMount({ kind, target, path }: PlacedFile): MountSettings {
  const absolute = target.startsWith("/") ? target : `${fileRoots[kind]}/${target}`;
  return { Type: "bind", Source: path, Target: absolute, ReadOnly: true };
}

/** `10.0.0.1 db alias` as the daemon wants it: `db:10.0.0.1`, `alias:10.0.0.1`. */
function extraHosts(line: string): readonly string[] {
  const [ip = "", ...names] = line.trim().split(/\s+/);
  return names.map((name) => `${name}:${ip}`);
}

function securityOptions(privileges: EnginePrivileges): readonly string[] {
  const { CredentialSpec, SELinuxContext, Seccomp, AppArmor, NoNewPrivileges } = privileges;
  const credential = CredentialSpec?.Config
    ? `config://${CredentialSpec.Config}`
    : CredentialSpec?.File
      ? `file://${CredentialSpec.File}`
      : CredentialSpec?.Registry
        ? `registry://${CredentialSpec.Registry}`
        : "";
  const labels = SELinuxContext?.Disable
    ? ["disable"]
    : (["User", "Role", "Type", "Level"] as const)
        .filter((key) => SELinuxContext?.[key])
        .map((key) => `${key.toLowerCase()}:${SELinuxContext?.[key]}`);
  return [
    ...(credential === "" ? [] : [`credentialspec=${credential}`]),
    ...labels.map((label) => `label=${label}`),
    ...(Seccomp?.Mode === "unconfined" ? ["seccomp=unconfined"] : []),
    // The profile is bytes, which the Engine API sends as base64.
    ...(Seccomp?.Mode === "custom" ? [`seccomp=${Buffer.from(Seccomp.Profile ?? "", "base64")}`] : []),
    ...(AppArmor?.Mode === "disabled" ? ["apparmor=unconfined"] : []),
    ...(NoNewPrivileges ? ["no-new-privileges=true"] : []),
  ];
}

function logConfigOf({ LogDriver }: EngineTaskTemplate): HostConfig["LogConfig"] | undefined {
  if (!LogDriver?.Name && !LogDriver?.Options) return undefined;
  return { Type: LogDriver.Name ?? "", Config: LogDriver.Options ?? {} };
}

/** Only host-mode ports: all others are reached through the gateway, which dials the container's own address. */
function portBindings(
  hostPorts: NonNullable<AssignedTask["hostPorts"]>,
  hostIp: string,
): Record<string, { HostIp: string; HostPort: string }[]> | undefined {
  if (hostPorts.length === 0) return undefined;
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { target, published } of hostPorts) {
    const binding = { HostIp: hostIp, HostPort: published === undefined ? "" : String(published) };
    bindings[`${target}/tcp`] = [...(bindings[`${target}/tcp`] ?? []), binding];
  }
  return bindings;
}

/** An empty list counts as absent: for the daemon an empty one may replace the image's own. */
function listOf<T>(list: readonly T[] | null | undefined): T[] | undefined {
  return list && list.length > 0 ? [...list] : undefined;
}

function withoutAbsent(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined));
}

/** A copy without null, which Go writes for an absent field. */
function withoutNull<T extends object>(value: T): { [K in keyof T]: NonNullable<T[K]> } {
  const copy = (field: unknown): unknown => {
    if (Array.isArray(field)) return field.map(copy);
    return typeof field === "object" && field !== null ? withoutNull(field) : field;
  };
  const entries = Object.entries(value).filter(([, field]) => field !== null && field !== undefined);
  return Object.fromEntries(entries.map(([key, field]) => [key, copy(field)])) as {
    [K in keyof T]: NonNullable<T[K]>;
  };
}
