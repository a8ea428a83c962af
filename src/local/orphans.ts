// Ends the processes that an earlier mesh of this state folder left running: children that are still
// stopping, a workerd whose parent was killed, and tasks whose agent was killed.

import { join } from "node:path";
import { z } from "zod";
import { TaskRecords } from "../agent/task-records.ts";
import { wait } from "../agent/wait.ts";
import { readJsonFile } from "../os/files.ts";
import {
  findByEnvironment,
  identify,
  isRunning,
  ProcessIdentity,
  signalGroup,
} from "../os/process-identity.ts";
import { StateFile } from "./state-file.ts";
import { namesIn, nodesFolder } from "./state-folder.ts";

/** How long children of an earlier mesh may take to exit by themselves; their stop takes up to 15 s. */
const childExitTimeoutMs = 20_000;
const taskExitTimeoutMs = 2_000;
/** SIGKILL takes effect once the process leaves the kernel. */
const killTimeoutMs = 5_000;
const exitPollMs = 50;

/** A process of a mesh, with the child that started it; null for a child itself. */
const SavedProcess = ProcessIdentity.extend({ parent: z.number().int().nullable().default(null) });
type SavedProcess = Readonly<z.infer<typeof SavedProcess>>;

/** The identities of this mesh's processes, saved for the next start. */
export class ChildrenFile {
  readonly #file: StateFile;
  #processes: readonly SavedProcess[] = [];

  constructor(stateDir: string, log: (line: string) => void) {
    this.#file = new StateFile(childrenFile(stateDir), log);
  }

  /** Adds a process that has just started, and drops those that have ended. */
  add(pid: number, parent: number | null): void {
    const identity = identify(pid);
    if (identity === null) return;
    this.#processes = [...this.#processes.filter(isRunning), { ...identity, parent }];
    this.#file.write(this.#processes);
  }

  close(): void {
    this.#file.close();
  }
}

function childrenFile(stateDir: string): string {
  return join(stateDir, "children.json");
}

/**
 * Waits for children of an earlier mesh, which exit without their parent; kills them after a timeout. Then
 * kills what a killed child has left, so that no workerd has the database open.
 */
export async function awaitEarlierChildren(stateDir: string): Promise<void> {
  const saved = readJsonFile(childrenFile(stateDir), z.array(SavedProcess)) ?? [];
  // On Linux also children of a mesh that was killed before it could save them.
  const find = () => findByEnvironment((variable) => variable.startsWith(`WAGGLE_CHILD=${stateDir}:`));
  const leaders = find().flatMap(({ identity, isLeader }) => (isLeader ? [identity] : []));
  await endProcesses([...saved.filter(({ parent }) => parent === null), ...leaders], childExitTimeoutMs);
  const left = [...saved, ...find().map(({ identity }) => identity)].filter(isRunning);
  for (const { pid } of left) killProcess(pid);
  await waitUntilEnded(left, killTimeoutMs);
}

/**
 * Stops tasks without an agent on all nodes. @param except nodes whose agents will take over their tasks
 *
 * @see docs/decisions/0007-tasks-outlive-their-agent.md
 */
export async function stopOrphanedTasks(stateDir: string, except: readonly string[] = []): Promise<void> {
  const nodesDir = nodesFolder(stateDir);
  const names = namesIn(nodesDir).filter((name) => !except.includes(name));
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
  await waitUntilEnded(processes, timeoutMs);
  const left = processes.filter(isRunning);
  for (const { pid } of left) signalGroup(pid, "SIGKILL");
  await waitUntilEnded(left, killTimeoutMs);
}

async function waitUntilEnded(processes: readonly ProcessIdentity[], timeoutMs: number): Promise<void> {
  const deadlineMs = Date.now() + timeoutMs;
  while (processes.some(isRunning) && Date.now() < deadlineMs) await wait(exitPollMs);
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
