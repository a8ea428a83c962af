// Ends the processes that an earlier mesh of this state folder left running: children that are still
// stopping, and tasks whose agent was killed.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJsonFile, writeFileAtomically } from "../agent/files.ts";
import { identify, isRunning, ProcessIdentity, signalGroup } from "../agent/process-identity.ts";
import { TaskRecords } from "../agent/task-records.ts";
import { wait } from "../agent/wait.ts";

/** How long children of an earlier mesh may take to exit by themselves; their stop takes up to 15 s. */
const childExitTimeoutMs = 20_000;
const taskExitTimeoutMs = 2_000;
const exitPollMs = 50;

/** Saves the identities of this mesh's child processes for the next start. */
export function writeChildren(stateDir: string, pids: readonly number[]): void {
  const children = pids.flatMap((pid) => identify(pid) ?? []);
  writeFileAtomically(childrenFile(stateDir), JSON.stringify(children));
}

function childrenFile(stateDir: string): string {
  return join(stateDir, "children.json");
}

/** Waits for children of an earlier mesh, which exit without their parent; kills them after a timeout. */
export async function awaitEarlierChildren(stateDir: string): Promise<void> {
  const children = readJsonFile(childrenFile(stateDir), z.array(ProcessIdentity)) ?? [];
  await endProcesses(children, childExitTimeoutMs);
}

/**
 * Stops tasks without an agent on all nodes. @param except nodes whose agents will take over their tasks
 *
 * @see docs/decisions/0007-tasks-outlive-their-agent.md
 */
export async function stopOrphanedTasks(stateDir: string, except: readonly string[] = []): Promise<void> {
  const nodesDir = join(stateDir, "nodes");
  const names = existsSync(nodesDir) ? readdirSync(nodesDir).filter((name) => !except.includes(name)) : [];
  const tasks = names.flatMap((name) => runningTasks(join(nodesDir, name)));
  for (const { pid } of tasks) signalGroup(pid, "SIGTERM");
  await endProcesses(tasks, taskExitTimeoutMs);
}

function runningTasks(nodeDir: string): readonly ProcessIdentity[] {
  return new TaskRecords(nodeDir)
    .all(() => undefined)
    .flatMap(({ handle }) => {
      const identity = ProcessIdentity.safeParse(handle);
      return identity.success && isRunning(identity.data) ? [identity.data] : [];
    });
}

/** Waits until all have ended; kills those that still run after the timeout. */
async function endProcesses(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (processes.some(isRunning) && Date.now() < deadlineMs) await wait(exitPollMs);
  for (const running of processes.filter(isRunning)) signalGroup(running.pid, "SIGKILL");
}
