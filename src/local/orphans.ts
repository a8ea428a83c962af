// What an earlier mesh of this state folder left running: its children while they still stop, and tasks whose agent
// was killed. Nothing of a mesh outlives its stop.

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJsonFile, writeFileAtomically } from "../agent/files.ts";
import { identify, isRunning, ProcessIdentity, signalGroup } from "../agent/process-identity.ts";
import { TaskRecords } from "../agent/task-records.ts";
import { wait } from "../agent/wait.ts";

/** How long children of an earlier mesh get to end by themselves, milliseconds: their own stop takes up to 15 s. */
const childExitTimeoutMs = 20_000;
const taskExitTimeoutMs = 2_000;
const exitPollMs = 50;

/** Writes down the children of this mesh, for the next one. */
export function writeChildren(stateDir: string, pids: readonly number[]): void {
  const children = pids.flatMap((pid) => identify(pid) ?? []);
  writeFileAtomically(childrenFile(stateDir), JSON.stringify(children));
}

function childrenFile(stateDir: string): string {
  return join(stateDir, "children.json");
}

/** Waits for the children of an earlier mesh, which end when they find it gone; ends those that do not. */
export async function awaitEarlierChildren(stateDir: string): Promise<void> {
  const children = readJsonFile(childrenFile(stateDir), z.array(ProcessIdentity)) ?? [];
  await endProcesses(children, childExitTimeoutMs);
}

/** Stops tasks that no agent looks after, of all nodes but those in `except`: their agents find them again. */
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
      const known = ProcessIdentity.safeParse(handle);
      return known.success && isRunning(known.data) ? [known.data] : [];
    });
}

/** Waits until all have ended; kills those that have not by then. */
async function endProcesses(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (processes.some(isRunning) && Date.now() < deadlineMs) await wait(exitPollMs);
  for (const running of processes.filter(isRunning)) signalGroup(running.pid, "SIGKILL");
}
