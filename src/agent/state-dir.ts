// The state folder of an agent: its lock and the node's membership.
//
//   agent.lock      the agent that uses the folder
//   node.json       the node's id and credential, mode 0600
//   gateway.json    the gateway's port, and the keys that it accepts, mode 0600
//   tasks/<id>/     task.json (see task-records.ts), log, and files of the task's runtime

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { MeshError } from "../domain/model/error.ts";
import { readJsonFile, writeFileAtomically } from "../os/files.ts";
import { acquireLock } from "../os/lock-file.ts";
import { JoinReply, SentNodeKey } from "../protocol/agent.ts";

const GatewayState = z.object({ port: z.number().int(), keys: z.array(SentNodeKey) });
type GatewayState = z.infer<typeof GatewayState>;

/**
 * Creates the folder if it is missing, and locks it for this process. The lock of an ended agent is taken
 * over.
 *
 * @param note JSON data about this process, for readers of the lock
 * @returns releases the lock; safe to call twice
 * @throws MeshError state/conflict if a running agent holds the lock
 */
export function acquireStateDir(stateDir: string, note: object = {}): () => void {
  mkdirSync(join(stateDir, "tasks"), { recursive: true, mode: 0o700 });
  const lock = acquireLock(agentLockFile(stateDir), note);
  if (!lock.isAcquired) throw stateDirInUse(stateDir, lock.holderPid);
  return lock.release;
}

/** The lock of the agent, or of the outer process of one that is replaced without a gap. */
export function agentLockFile(stateDir: string): string {
  return join(stateDir, "agent.lock");
}

/** The node that this folder belongs to; null if it has not joined, or the file cannot be read. */
export function readMembership(stateDir: string): JoinReply | null {
  return readJsonFile(join(stateDir, "node.json"), JoinReply);
}

export function writeMembership(stateDir: string, membership: JoinReply): void {
  writeFileAtomically(join(stateDir, "node.json"), JSON.stringify(membership));
}

/** What the gateway knew when its agent ended; null if there is no such file, or it cannot be read. */
export function readGatewayState(stateDir: string): GatewayState | null {
  return readJsonFile(join(stateDir, "gateway.json"), GatewayState);
}

export function writeGatewayState(stateDir: string, state: GatewayState): void {
  writeFileAtomically(join(stateDir, "gateway.json"), JSON.stringify(state));
}

function stateDirInUse(stateDir: string, pid: number | null): MeshError {
  const holder = pid === null ? "another agent" : `another agent (process ${pid})`;
  return new MeshError(
    "state/conflict",
    `the state folder ${stateDir} is in use by ${holder}: stop it, or give this agent another folder with --state DIR`,
    { blame: "operator", retry: "safe" },
  );
}
