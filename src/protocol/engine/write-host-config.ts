// Writes the HostConfig of a task's container from the task's template. A setting that the template does not have is
// as on an engine without it.

import type { EngineContainer } from "./container-schema.ts";
import { isEmptyValue, omitEmpty } from "./omit-empty.ts";
import type { EngineTaskTemplate } from "./service-schema.ts";

/** dockerd's default size of /dev/shm, bytes. */
const shmBytes = 67_108_864;

type PortBindings = Readonly<
  Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[]>
>;

export function writeHostConfig(template: EngineTaskTemplate, portBindings: PortBindings) {
  const container: EngineContainer = template.ContainerSpec ?? {};
  const limits = template.Resources?.Limits;
  return {
    Binds: null,
    ContainerIDFile: "",
    LogConfig: { Type: template.LogDriver?.Name || "none", Config: template.LogDriver?.Options ?? {} },
    NetworkMode: "default",
    PortBindings: portBindings,
    RestartPolicy: { Name: "", MaximumRetryCount: 0 },
    AutoRemove: false,
    VolumeDriver: "",
    VolumesFrom: null,
    ConsoleSize: [0, 0],
    CapAdd: listOrNull(container.CapabilityAdd),
    CapDrop: listOrNull(container.CapabilityDrop),
    CgroupnsMode: "",
    Dns: listOrNull(container.DNSConfig?.Nameservers),
    DnsOptions: listOrNull(container.DNSConfig?.Options),
    DnsSearch: listOrNull(container.DNSConfig?.Search),
    ExtraHosts: listOrNull(container.Hosts),
    GroupAdd: listOrNull(container.Groups),
    IpcMode: "private",
    Cgroup: "",
    Links: null,
    OomScoreAdj: container.OomScoreAdj ?? 0,
    PidMode: "",
    Privileged: false,
    PublishAllPorts: false,
    ReadonlyRootfs: container.ReadOnly ?? false,
    SecurityOpt: null,
    UTSMode: "",
    UsernsMode: "",
    ShmSize: shmBytes,
    ...omitEmpty({ Sysctls: container.Sysctls, Mounts: container.Mounts }),
    Isolation: container.Isolation || "default",
    CpuShares: 0,
    Memory: limits?.MemoryBytes ?? 0,
    NanoCpus: limits?.NanoCPUs ?? 0,
    CgroupParent: "",
    BlkioWeight: 0,
    BlkioWeightDevice: null,
    BlkioDeviceReadBps: null,
    BlkioDeviceWriteBps: null,
    BlkioDeviceReadIOps: null,
    BlkioDeviceWriteIOps: null,
    CpuPeriod: 0,
    CpuQuota: 0,
    CpuRealtimePeriod: 0,
    CpuRealtimeRuntime: 0,
    CpusetCpus: "",
    CpusetMems: "",
    Devices: null,
    DeviceCgroupRules: null,
    DeviceRequests: null,
    MemoryReservation: template.Resources?.Reservations?.MemoryBytes ?? 0,
    MemorySwap: 0,
    MemorySwappiness: null,
    OomKillDisable: null,
    PidsLimit: limits?.Pids || null,
    Ulimits: container.Ulimits ?? [],
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
    MaskedPaths: null,
    ReadonlyPaths: null,
    ...(typeof container.Init === "boolean" && { Init: container.Init }),
  };
}

function listOrNull<T>(values: readonly T[] | null | undefined): readonly T[] | null {
  return isEmptyValue(values) ? null : (values ?? null);
}
