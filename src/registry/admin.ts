// The admin state of a server, a task or a node: HAProxy's ready, drain and maint. It decides about new
// requests; Docker's availability of a node decides where tasks are placed.

import type { AdminState, StaticServer } from "../domain/model/server.ts";
import { enterMaintenance, leaveMaintenance } from "../domain/model/server-health.ts";
import type { AdminTarget } from "./api.ts";
import { type Draft, nodeSubject, serverSubject, taskSubject } from "./draft.ts";
import { findNode, findTask } from "./refs.ts";
import { findServer } from "./servers.ts";

/**
 * Sets the admin state of one server, task or node. The same state again changes nothing.
 *
 * `drain`: it gets only requests with its sticky cookie. `maint`: it gets none, and a server is not checked.
 *
 * @throws MeshError server/not-found, task/not-found, node/not-found
 * @see docs/decisions/0038-admin-state.md
 */
export function setAdmin(draft: Draft, { kind, ref }: AdminTarget, state: AdminState, actor: string): void {
  if (kind === "server") setServer(draft, findServer(draft.world, ref), state, actor);
  else if (kind === "task") setTask(draft, ref, state, actor);
  else setNode(draft, ref, state, actor);
}

function setServer(draft: Draft, server: StaticServer, state: AdminState, actor: string): void {
  if (server.admin === state) return;
  const { nowMs } = draft;
  const { health, spec } = server;
  const leavesMaintenance = server.admin === "maint";
  const entersMaintenance = state === "maint";
  const next = {
    ...server,
    admin: state,
    // Results of checks from before a maintenance do not count after it.
    epoch: server.epoch + (leavesMaintenance || entersMaintenance ? 1 : 0),
    health:
      health === null || spec.check === null
        ? health
        : entersMaintenance
          ? enterMaintenance(health, nowMs)
          : leavesMaintenance
            ? leaveMaintenance(health, spec.check, nowMs)
            : health,
    version: server.version + 1,
    updatedAtMs: nowMs,
  };
  draft.put("servers", next);
  draft.recordEvent(actor, "server.state", serverSubject(draft.world, next), `${server.admin} -> ${state}`);
}

function setTask(draft: Draft, ref: string, state: AdminState, actor: string): void {
  const task = findTask(draft.world, ref);
  const before = task.admin ?? "ready";
  if (before === state) return;
  draft.put("tasks", { ...task, admin: state, version: task.version + 1 });
  draft.recordEvent(actor, "task.state", taskSubject(draft.world, task), `${before} -> ${state}`);
}

function setNode(draft: Draft, ref: string, state: AdminState, actor: string): void {
  const node = findNode(draft.world, ref);
  const before = node.admin ?? "ready";
  if (before === state) return;
  draft.put("nodes", { ...node, admin: state, version: node.version + 1, updatedAtMs: draft.nowMs });
  draft.recordEvent(actor, "node.state", nodeSubject(node), `${before} -> ${state}`);
}
