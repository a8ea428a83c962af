// Writes the mesh as the Engine API's Swarm and ClusterInfo.

import { heartbeatMs } from "../agent.ts";
import { timeText } from "./units.ts";

/** The Engine API's Swarm. Its version never rises: only the tokens can change. */
export function writeSwarm(
  mesh: { readonly id: string; readonly createdAtMs: number },
  tokens: { readonly worker: string; readonly manager: string },
) {
  return {
    ...writeCluster(mesh),
    JoinTokens: { Worker: tokens.worker, Manager: tokens.manager },
  };
}

/** The Engine API's ClusterInfo: a Swarm without its secrets. */
export function writeCluster(mesh: { readonly id: string; readonly createdAtMs: number }) {
  return {
    ID: mesh.id,
    Version: { Index: 1 },
    CreatedAt: timeText(mesh.createdAtMs),
    UpdatedAt: timeText(mesh.createdAtMs),
    Spec: {
      Name: "default",
      Labels: {},
      Orchestration: { TaskHistoryRetentionLimit: 5 },
      Raft: { KeepOldSnapshots: 0, ElectionTick: 0, HeartbeatTick: 0 },
      Dispatcher: { HeartbeatPeriod: heartbeatMs * 1e6 },
      CAConfig: {},
      TaskDefaults: {},
      EncryptionConfig: { AutoLockManagers: false },
    },
    // A mesh has no certificate authority of its own: agents prove themselves by credentials.
    TLSInfo: {},
    RootRotationInProgress: false,
    // The default pool.
    DefaultAddrPool: null,
    SubnetSize: 0,
    DataPathPort: 0,
  };
}
