// The mesh as the Engine API shows a Swarm.

import { heartbeatMs } from "../agent.ts";
import { timeText } from "./units.ts";

/** The Engine API's Swarm. Its version never rises: all that can be changed of it are the tokens. */
export function writeSwarm(
  mesh: { readonly id: string; readonly createdAtMs: number },
  tokens: { readonly worker: string; readonly manager: string },
) {
  return {
    ...writeCluster(mesh),
    JoinTokens: { Worker: tokens.worker, Manager: tokens.manager },
  };
}

/** The part of it that is no secret: the Engine API's ClusterInfo. */
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
      Dispatcher: { HeartbeatPeriod: heartbeatMs * 1e6 },
    },
  };
}
