// The mesh as `docker info` and `docker version` show an engine.

import type { MeshNode } from "../../domain/model/node.ts";
import { timeText } from "./units.ts";
import { apiVersion, minApiVersion, waggleVersion } from "./version.ts";
import { writeCluster } from "./write-swarm.ts";

/** What the answer tells of. */
export type InfoInput = {
  readonly id: string;
  readonly name: string;
  readonly createdAtMs: number;
  readonly running: number;
  readonly nodes: readonly MeshNode[];
  /** Host and port under which the control API is reached. */
  readonly addr: string;
  readonly nowMs: number;
};

/**
 * The Engine API's SystemInfo. `OSType` is left out: with it the Docker CLI prints lines about things that are not
 * there. So it does about Raft with `Swarm.Cluster`, but without that it does not print how many nodes there are.
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
    // What tasks run on, as far as clients ask; the mesh's own machine is nobody's concern.
    Os: "linux",
    Arch: "workerd",
  };
  // A component's details are texts, though the same name may stand for a boolean elsewhere.
  const details = { ...versions, Experimental: "false" };
  return {
    Platform: { Name: "Waggle" },
    Version: waggleVersion,
    ...versions,
    Components: [{ Name: "Engine", Version: waggleVersion, Details: details }],
  };
}
