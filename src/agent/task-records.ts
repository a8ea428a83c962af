// Task records on disk, from which the next agent of the same state folder restores its tasks.
//
//   tasks/<id>/task.json    a task whose end the registry has not confirmed
//   tasks/<id>/ended.json   a task whose end it has confirmed; kept for a while with its log
//   tasks/<id>/log          the task's output; `log.1` has the older part after a rotation

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { AssignedTask, TaskReport } from "../protocol/agent.ts";
import { readJsonFile, writeFileAtomically } from "./files.ts";
import { rotateLog } from "./log-file.ts";

/** Number of ended tasks per slot whose logs are kept: the newest ones. */
const endedPerSlot = 3;

export const TaskRecord = z.object({
  /** The node it was assigned to. A machine that has joined again reports only the tasks of its new node. */
  nodeId: z.string(),
  task: AssignedTask,
  report: TaskReport,
  /** A stop was requested. */
  stopping: z.boolean(),
  probe: z.union([
    z.object({ kind: z.literal("tcp") }),
    z.object({ kind: z.literal("http"), path: z.string() }),
  ]),
  stopSignal: z.string(),
  /** Data by which the runtime finds the task; null before the start. */
  handle: z.unknown(),
});
export type TaskRecord = z.infer<typeof TaskRecord>;

const EndedTask = z.object({
  service: z.string(),
  slot: z.number(),
  state: z.string(),
  err: z.string(),
  endedAtMs: z.number(),
});

/**
 * The records of one state folder.
 *
 * @see docs/decisions/0007-tasks-outlive-their-agent.md
 */
export class TaskRecords {
  readonly #dir: string;

  constructor(stateDir: string) {
    this.#dir = join(stateDir, "tasks");
  }

  /** The folder of a task. */
  dirOf(id: string): string {
    return join(this.#dir, id);
  }

  save(record: TaskRecord): void {
    const dir = this.dirOf(record.task.id);
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    writeFileAtomically(join(dir, "task.json"), JSON.stringify(record));
  }

  /** The records of all tasks whose end is not confirmed. `onUnreadable` is called for unreadable files. */
  all(onUnreadable: (file: string) => void): readonly TaskRecord[] {
    const records: TaskRecord[] = [];
    for (const id of this.#ids()) {
      const file = join(this.dirOf(id), "task.json");
      const record = readJsonFile(file, TaskRecord);
      if (record !== null && record.task.id === id) records.push(record);
      else if (existsSync(file)) onUnreadable(file);
    }
    return records;
  }

  /**
   * Replaces the record of an ended task by a summary without configuration and environment. The log stays.
   */
  retire({ id, state, err, atMs }: TaskReport, { service, slot }: AssignedTask): void {
    const dir = this.dirOf(id);
    if (!existsSync(dir)) return;
    const ended = { service: service.name, slot, state, err, endedAtMs: atMs };
    writeFileAtomically(join(dir, "ended.json"), JSON.stringify(ended));
    for (const name of readdirSync(dir)) {
      if (!["ended.json", "log", "log.1"].includes(name))
        rmSync(join(dir, name), { recursive: true, force: true });
    }
    this.#prune(service.name, slot);
  }

  /** Rotates long logs of all tasks. */
  rotateLogs(): void {
    for (const id of this.#ids()) rotateLog(join(this.dirOf(id), "log"));
  }

  #prune(service: string, slot: number): void {
    const ended = this.#ids().flatMap((id) => {
      const dir = this.dirOf(id);
      if (existsSync(join(dir, "task.json"))) return [];
      const task = readJsonFile(join(dir, "ended.json"), EndedTask);
      return task?.service === service && task.slot === slot ? [{ dir, endedAtMs: task.endedAtMs }] : [];
    });
    ended.sort((a, b) => b.endedAtMs - a.endedAtMs);
    for (const { dir } of ended.slice(endedPerSlot)) rmSync(dir, { recursive: true, force: true });
  }

  #ids(): readonly string[] {
    return existsSync(this.#dir) ? readdirSync(this.#dir) : [];
  }
}
