// What an earlier mesh of this state folder left running: its children while they still stop, and tasks whose agent
// was killed. Nothing of a mesh outlives its stop.

import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { identify, isRunning, type ProcessIdentity } from "../agent/process-identity.ts";
import { TaskRecords } from "../agent/task-records.ts";

const StoredIdentity = z.object({ pid: z.number().int().positive(), started: z.string() });
const StoredChildren = z.array(StoredIdentity);

/** How long children of an earlier mesh get to end by themselves, milliseconds: their own stop takes up to 15 s. */
const childExitTimeoutMs = 20_000;
const taskExitTimeoutMs = 2_000;
const exitPollMs = 50;

/** Writes down the children of this mesh, for the next one. */
export function writeChildren(stateDir: string, pids: readonly number[]): void {
  const children = pids.flatMap((pid) => identify(pid) ?? []);
  writeFileSync(join(stateDir, "children.json"), JSON.stringify(children), { mode: 0o600 });
}

/** Waits for the children of an earlier mesh, which end when they find it gone; ends those that do not. */
export async function awaitEarlierChildren(stateDir: string): Promise<void> {
  await endProcesses(readChildren(join(stateDir, "children.json")), childExitTimeoutMs);
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
      const known = StoredIdentity.safeParse(handle);
      return known.success && isRunning(known.data) ? [known.data] : [];
    });
}

function readChildren(path: string): readonly ProcessIdentity[] {
  try {
    return StoredChildren.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch {
    // No mesh was here, or it was killed while writing: there is nobody to wait for.
    return [];
  }
}

/** Waits until all have ended; kills those that have not by then. */
async function endProcesses(processes: readonly ProcessIdentity[], patienceMs: number): Promise<void> {
  const deadlineMs = Date.now() + patienceMs;
  while (processes.some(isRunning) && Date.now() < deadlineMs) {
    await new Promise((resolve) => setTimeout(resolve, exitPollMs));
  }
  for (const one of processes) if (isRunning(one)) signalGroup(one.pid, "SIGKILL");
}

/** Children and tasks lead process groups of their own. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {
    // It ended meanwhile.
  }
}
