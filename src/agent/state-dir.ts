// The state folder of an agent: who holds it, and which node it is.
//
//   agent.lock      the agent that holds the folder
//   node.json       the node's id and credential, mode 0600
//   tasks/<id>/     task.json (see records.ts), log, and whatever the task's runtime keeps there

import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { MeshError } from "../domain/model/error.ts";
import { JoinReply } from "../protocol/agent.ts";
import { readJsonFile, writeFileAtomically } from "./files.ts";
import { acquireLock } from "./lock-file.ts";

/**
 * Takes the folder for this process, creating it when it is not there. A lock of an agent that is gone is taken over.
 *
 * @returns gives the folder back; safe to call twice
 * @throws MeshError state/conflict when a running agent holds it
 */
export function acquireStateDir(stateDir: string): () => void {
  mkdirSync(join(stateDir, "tasks"), { recursive: true, mode: 0o700 });
  const lock = acquireLock(join(stateDir, "agent.lock"));
  if (!lock.isAcquired) throw stateDirInUse(stateDir, lock.holderPid);
  return lock.release;
}

/** Which node this folder is; null when it has not joined, or the file cannot be read. */
export function readMembership(stateDir: string): JoinReply | null {
  return readJsonFile(join(stateDir, "node.json"), JoinReply);
}

export function writeMembership(stateDir: string, membership: JoinReply): void {
  writeFileAtomically(join(stateDir, "node.json"), JSON.stringify(membership));
}

function stateDirInUse(stateDir: string, pid: number | null): MeshError {
  const holder = pid === null ? "another agent" : `another agent (process ${pid})`;
  return new MeshError(
    "state/conflict",
    `the state folder ${stateDir} is in use by ${holder}: stop it, or give this agent a folder of its own with --state DIR`,
    { blame: "operator", retry: "safe" },
  );
}
