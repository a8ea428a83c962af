// Writes the mesh as the Engine API's SystemInfo and SystemVersion: `docker info` and `docker version`.

import type { MeshNode } from "../../domain/model/node.ts";
import { timeText } from "./units.ts";
import { apiVersion, minApiVersion, waggleVersion } from "./version.ts";
import { writeCluster } from "./write-swarm.ts";

type InfoInput = {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly containers: { readonly all: number; readonly running: number };
  readonly nodes: readonly MeshNode[];
  /** Host and port of the control API. */
  readonly addr: string;
  readonly nowMs: number;
};

/**
 * The Engine API's SystemInfo. Fields about one engine have the values of an engine that has nothing of the kind;
 * a limit is `true` where the Docker CLI would warn that an engine lacks it.
 *
 * @param apiMinor of the request: clients of earlier versions get fields that later ones have not
 */
export function writeInfo(
  { id, name, createdAtMs, containers, nodes, addr, nowMs }: InfoInput,
  apiMinor: number,
) {
  const sum = (part: (node: MeshNode) => number) => nodes.reduce((total, node) => total + part(node), 0);
  return {
    ID: id,
    Name: name,
    ServerVersion: waggleVersion,
    OperatingSystem: "Waggle",
    OSType: "linux",
    OSVersion: "",
    Architecture: architecture(nodes),
    KernelVersion: "",
    Containers: containers.all,
    ContainersRunning: containers.running,
    ContainersPaused: 0,
    ContainersStopped: containers.all - containers.running,
    Images: 0,
    Driver: "waggle",
    DriverStatus: [],
    Plugins: { Volume: [], Network: [], Authorization: null, Log: [] },
    Labels: [],
    DefaultRuntime: "waggle",
    Runtimes: { waggle: { path: "" } },
    InitBinary: "",
    CgroupDriver: "none",
    Isolation: "",
    CgroupVersion: "2",
    LoggingDriver: "none",
    SecurityOptions: [],
    IndexServerAddress: "https://index.docker.io/v1/",
    RegistryConfig: {
      ...(apiMinor < 47 && {
        AllowNondistributableArtifactsCIDRs: [],
        AllowNondistributableArtifactsHostnames: [],
      }),
      InsecureRegistryCIDRs: [],
      IndexConfigs: {},
      Mirrors: [],
    },
    ...engineLimits,
    ...(apiMinor < 50 && { BridgeNfIptables: true, BridgeNfIp6tables: true }),
    ...(apiMinor >= 44 && { CDISpecDirs: [] }),
    ContainerdCommit: noCommit(apiMinor),
    RuncCommit: noCommit(apiMinor),
    InitCommit: noCommit(apiMinor),
    ExperimentalBuild: false,
    LiveRestoreEnabled: false,
    DockerRootDir: "",
    HttpProxy: "",
    HttpsProxy: "",
    NoProxy: "",
    Debug: false,
    NFd: 0,
    NGoroutines: 0,
    NEventsListener: 0,
    GenericResources: null,
    Warnings: null,
    NCPU: Math.floor(sum((node) => node.resources.nanoCpus) / 1e9),
    MemTotal: sum((node) => node.resources.memoryBytes),
    SystemTime: timeText(nowMs),
    Swarm: {
      NodeID: id,
      NodeAddr: addr,
      LocalNodeState: "active",
      ControlAvailable: true,
      Error: "",
      RemoteManagers: [{ NodeID: id, Addr: addr }],
      // The mesh itself is the leader.
      Nodes: nodes.length + 1,
      Managers: nodes.filter(({ role }) => role === "manager").length + 1,
      Cluster: writeCluster({ id, createdAtMs }),
    },
  };
}

/** Limits of an engine that nodes may have; a mesh reports none as missing. */
const engineLimits = {
  MemoryLimit: true,
  SwapLimit: true,
  CpuCfsPeriod: true,
  CpuCfsQuota: true,
  CPUShares: true,
  CPUSet: true,
  PidsLimit: true,
  OomKillDisable: false,
  IPv4Forwarding: true,
};

/** A component of an engine, which a mesh does not have. */
function noCommit(apiMinor: number) {
  return { ID: "", ...(apiMinor < 49 && { Expected: "" }) };
}

type Machine = Pick<MeshNode, "platform">;

/** The architecture of the first node, in the kernel's words: a mesh has no processor of its own. */
function architecture(nodes: readonly Machine[]): string {
  return nodes[0]?.platform.arch || "x86_64";
}

/** Go's words for the kernel's. */
const goArchitectures: Readonly<Record<string, string>> = {
  x86_64: "amd64",
  aarch64: "arm64",
  armv7l: "arm",
  i686: "386",
};

/** The Engine API's SystemVersion. */
export function writeVersion(nodes: readonly Machine[]) {
  const arch = architecture(nodes);
  const versions = {
    ApiVersion: apiVersion,
    MinAPIVersion: minApiVersion,
    GitCommit: "",
    GoVersion: "",
    Os: "linux",
    Arch: goArchitectures[arch] ?? arch,
  };
  // The details of a component are strings, even of a boolean.
  const details = { ...versions, KernelVersion: "", BuildTime: "", Experimental: "false" };
  return {
    Platform: { Name: "Waggle" },
    Version: waggleVersion,
    ...versions,
    Components: [{ Name: "Engine", Version: waggleVersion, Details: details }],
  };
}
