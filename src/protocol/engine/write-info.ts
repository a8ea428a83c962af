// Writes the mesh as the Engine API's SystemInfo and SystemVersion: `docker info` and `docker version`.

import type { MeshNode } from "../../domain/model/node.ts";
import { timeText } from "./units.ts";
import { apiVersion, minApiVersion, waggleVersion } from "./version.ts";
import { writeCluster } from "./write-swarm.ts";

type InfoInput = {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly running: number;
  readonly nodes: readonly MeshNode[];
  /** Host and port of the control API. */
  readonly addr: string;
  readonly nowMs: number;
};

/**
 * The Engine API's SystemInfo. `OSType` is absent: with it the Docker CLI prints lines about runtimes that
 * the mesh does not have. `Swarm.Cluster` is present, though the CLI prints lines about Raft for it: without
 * it the CLI does not print the number of nodes.
 */
export function writeInfo({ id, name, createdAtMs, running, nodes, addr, nowMs }: InfoInput) {
  const sum = (part: (node: MeshNode) => number) => nodes.reduce((total, node) => total + part(node), 0);
  return {
    ID: id,
    Name: name,
    ServerVersion: waggleVersion,
    OperatingSystem: "Waggle",
    Containers: running,
    ContainersRunning: running,
    ContainersPaused: 0,
    ContainersStopped: 0,
    Images: 0,
    Driver: "waggle",
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
      Nodes: nodes.length,
      Managers: 1,
      Cluster: writeCluster({ id, createdAtMs }),
    },
  };
}

/** The Engine API's SystemVersion. */
export function writeVersion() {
  const versions = {
    ApiVersion: apiVersion,
    MinAPIVersion: minApiVersion,
    Os: "linux",
    Arch: "workerd",
  };
  // The details of a component are strings, even of a boolean.
  const details = { ...versions, Experimental: "false" };
  return {
    Platform: { Name: "Waggle" },
    Version: waggleVersion,
    ...versions,
    Components: [{ Name: "Engine", Version: waggleVersion, Details: details }],
  };
}
