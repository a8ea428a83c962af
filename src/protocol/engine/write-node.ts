// Writes nodes as the Engine API's Node, and the mesh itself as the Node of a Swarm's manager.

import type { MeshNode } from "../../domain/model/node.ts";
import { nodeReach } from "../../domain/model/node-gateway.ts";
import { machineLabels } from "./machine-labels.ts";
import { omitEmpty } from "./omit-empty.ts";
import { timeText } from "./units.ts";
import { waggleVersion } from "./version.ts";

/** Agents have no plugins. The list is there even so, because every engine has one and clients read it unchecked. */
const noPlugins: readonly never[] = [];

/**
 * The Engine API's Node. A node of role manager is never the leader: that is the mesh itself.
 *
 * @param withGateway adds `Gateway`, which is Waggle's own: how the mesh reaches the node
 */
export function writeNode(node: MeshNode, withGateway = false) {
  const reach = withGateway ? nodeReach(node) : null;
  const labels = machineLabels(node);
  return {
    ID: node.id,
    Version: { Index: node.version },
    CreatedAt: timeText(node.createdAtMs),
    UpdatedAt: timeText(node.updatedAtMs),
    Spec: { Labels: node.labels, Role: node.role, Availability: node.availability },
    Description: {
      Hostname: node.hostname,
      Platform: omitEmpty({ Architecture: node.platform.arch, OS: node.platform.os }),
      Resources: omitEmpty({
        NanoCPUs: node.resources.nanoCpus,
        MemoryBytes: node.resources.memoryBytes,
      }),
      Engine: { ...omitEmpty({ EngineVersion: node.engineVersion, Labels: labels }), Plugins: noPlugins },
      TLSInfo: {},
    },
    Status: omitEmpty({ State: node.state, Message: node.message, Addr: node.address }),
    ...(node.role === "manager" && {
      ManagerStatus: {
        Reachability: node.state === "ready" ? "reachable" : "unreachable",
        Addr: node.address,
      },
    }),
    ...(reach !== null && { Gateway: { Transport: reach.transport, URL: reach.url, Reason: reach.reason } }),
  };
}

/**
 * The leader of the managers: the Docker CLI's `self`, whose address `join-token` prints. It is drained for ever,
 * since no task can be placed on it.
 *
 * @param addr host and port of the control API
 */
export function writeManager(mesh: { id: string; name: string; createdAtMs: number }, addr: string) {
  return {
    ID: mesh.id,
    Version: { Index: 1 },
    CreatedAt: timeText(mesh.createdAtMs),
    UpdatedAt: timeText(mesh.createdAtMs),
    Spec: { Labels: {}, Role: "manager", Availability: "drain" },
    Description: {
      Hostname: mesh.name,
      Platform: {},
      Resources: {},
      Engine: { EngineVersion: waggleVersion, Plugins: noPlugins },
      TLSInfo: {},
    },
    Status: { State: "ready", Addr: addr, Message: "the registry of this mesh, not a machine" },
    ManagerStatus: { Leader: true, Reachability: "reachable", Addr: addr },
  };
}
