// GET /info: moby's api/types/system.Info.

import { z } from "zod";
import { clusterInfo } from "./cluster.ts";
import { genericResource } from "./task-template.ts";
import {
  type ApiMinor,
  before,
  count,
  omitempty,
  pointer,
  since,
  swarmId,
  textMap,
  texts,
  time,
} from "./values.ts";

const pairs = z.array(z.tuple([z.string(), z.string()]));
/** The names of plugins of one kind; null if the daemon has no such kind. */
const plugins = texts.nullable();

const peer = z.strictObject({ NodeID: z.string(), Addr: z.string() });

const swarmState = z.strictObject({
  NodeID: z.union([swarmId, z.literal("")]),
  NodeAddr: z.string(),
  LocalNodeState: z.enum(["inactive", "pending", "active", "error", "locked"]),
  ControlAvailable: z.boolean(),
  Error: z.string(),
  // Null outside of a Swarm.
  RemoteManagers: z.array(peer).min(1).nullable(),
  Nodes: omitempty(count),
  Managers: omitempty(count),
  Cluster: pointer(clusterInfo),
  Warnings: omitempty(texts),
});

const indexInfo = z.strictObject({
  Name: z.string(),
  Mirrors: texts,
  Secure: z.boolean(),
  Official: z.boolean(),
});

export function systemInfo(minor: ApiMinor) {
  const commit = z.strictObject({ ID: z.string(), Expected: before(49, minor, z.string()) });
  const runtime = z.strictObject({
    path: z.string().optional(),
    runtimeArgs: omitempty(texts),
    runtimeType: omitempty(z.string()),
    options: z.record(z.string(), z.unknown()).optional(),
    status: since(44, minor, omitempty(textMap)),
  });
  return z.strictObject({
    ID: z.string().min(1),
    Containers: count,
    ContainersRunning: count,
    ContainersPaused: count,
    ContainersStopped: count,
    Images: count,
    Driver: z.string(),
    DriverStatus: pairs,
    SystemStatus: omitempty(pairs),
    Plugins: z.strictObject({ Volume: plugins, Network: plugins, Authorization: plugins, Log: plugins }),
    MemoryLimit: z.boolean(),
    SwapLimit: z.boolean(),
    // Only daemons before 23.0 have kernel memory limits.
    KernelMemory: before(42, minor, z.boolean().optional()),
    KernelMemoryTCP: z.boolean().optional(),
    CpuCfsPeriod: z.boolean(),
    CpuCfsQuota: z.boolean(),
    CPUShares: z.boolean(),
    CPUSet: z.boolean(),
    PidsLimit: z.boolean(),
    IPv4Forwarding: z.boolean(),
    BridgeNfIptables: before(50, minor, z.boolean()),
    BridgeNfIp6tables: before(50, minor, z.boolean()),
    Debug: z.boolean(),
    NFd: count,
    OomKillDisable: z.boolean(),
    NGoroutines: count,
    SystemTime: time,
    LoggingDriver: z.string(),
    CgroupDriver: z.string(),
    CgroupVersion: omitempty(z.string()),
    NEventsListener: count,
    KernelVersion: z.string(),
    OperatingSystem: z.string(),
    OSVersion: z.string(),
    OSType: z.string(),
    Architecture: z.string(),
    IndexServerAddress: z.string(),
    RegistryConfig: z.strictObject({
      AllowNondistributableArtifactsCIDRs: before(47, minor, texts.nullable()),
      AllowNondistributableArtifactsHostnames: before(47, minor, texts.nullable()),
      InsecureRegistryCIDRs: texts,
      IndexConfigs: z.record(z.string(), indexInfo),
      Mirrors: texts,
    }),
    NCPU: count,
    MemTotal: count,
    GenericResources: z.array(genericResource).nullable(),
    DockerRootDir: z.string(),
    HttpProxy: z.string(),
    HttpsProxy: z.string(),
    NoProxy: z.string(),
    Name: z.string(),
    Labels: texts,
    ExperimentalBuild: z.boolean(),
    ServerVersion: z.string(),
    Runtimes: z.record(z.string(), runtime),
    DefaultRuntime: z.string(),
    Swarm: swarmState,
    LiveRestoreEnabled: z.boolean(),
    Isolation: z.string(),
    InitBinary: z.string(),
    ContainerdCommit: commit,
    RuncCommit: commit,
    InitCommit: commit,
    SecurityOptions: texts,
    ProductLicense: omitempty(z.string()),
    DefaultAddressPools: omitempty(z.array(z.strictObject({ Base: z.string(), Size: count }))),
    FirewallBackend: since(
      49,
      minor,
      pointer(z.strictObject({ Driver: z.string(), Info: pairs.optional() })),
    ),
    // A daemon of 1.44 and later sends it to clients of any version.
    CDISpecDirs: minor < 44 ? texts.optional() : texts,
    DiscoveredDevices: since(
      50,
      minor,
      omitempty(z.array(z.strictObject({ Source: z.string(), ID: z.string() }))),
    ),
    Containerd: since(
      46,
      minor,
      pointer(
        z.strictObject({
          Address: omitempty(z.string()),
          Namespaces: z.strictObject({ Containers: z.string(), Plugins: z.string() }),
        }),
      ),
    ),
    Warnings: texts.min(1).nullable(),
  });
}
