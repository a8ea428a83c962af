// Task records on disk, from which the next agent of the same state folder restores its tasks.
//
//   tasks/<id>/task.json    a task whose end the registry has not confirmed
//   tasks/<id>/ended.json   a task whose end it has confirmed; kept for a while with its log
//   tasks/<id>/log…         the task's output, see logs/

import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { readJsonFile, writeFileAtomically } from "../os/files.ts";
import { AssignedTask, TaskReport } from "../protocol/agent.ts";
import { type EndedTask, expiredTasks } from "./ended-tasks.ts";

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

/** The content of ended.json: an `EndedTask`, and for people its service's name and how it ended. */
const EndedRecord = z.object({
  service: z.string(),
  /** Earlier releases identified the service by its name only. */
  serviceId: z.string().optional(),
  slot: z.number(),
  state: z.string(),
  err: z.string(),
  endedAtMs: z.number(),
  removedAtMs: z.number().nullable().default(null),
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
   *
   * @param removedAtMs when the task ended because its service or slot was removed, epoch milliseconds;
   *   otherwise null
   * @throws the system's error if the summary cannot be written; the folder is removed then, with its log
   */
  retire(
    { id, state, err, atMs }: TaskReport,
    { service, slot }: AssignedTask,
    removedAtMs: number | null,
  ): void {
    const dir = this.dirOf(id);
    if (!existsSync(dir)) return;
    const ended: z.infer<typeof EndedRecord> = {
      service: service.name,
      serviceId: service.id,
      slot,
      state,
      err,
      endedAtMs: atMs,
      removedAtMs,
    };
    // On a full disk this makes room for the summary.
    for (const name of readdirSync(dir)) {
      if (!["ended.json", "task.json"].includes(name) && !/^log(\.|$)/.test(name))
        rmSync(join(dir, name), { recursive: true, force: true });
    }
    try {
      writeFileAtomically(join(dir, "ended.json"), JSON.stringify(ended));
    } catch (error) {
      rmSync(dir, { recursive: true, force: true });
      throw error;
    }
    rmSync(join(dir, "task.json"), { force: true });
  }

  /** The ids of all tasks that have a folder. */
  ids(): ReadonlySet<string> {
    return new Set(this.#ids());
  }

  /**
   * Removes the folders of ended tasks that are not kept any longer.
   *
   * @returns their ids
   * @see expiredTasks
   */
  removeExpired(servicesHere: ReadonlySet<string> | null, nowMs: number): readonly string[] {
    const expired = expiredTasks(this.#ended(), servicesHere, nowMs).map(({ id }) => id);
    for (const id of expired) rmSync(this.dirOf(id), { recursive: true, force: true });
    return expired;
  }

  #ended(): readonly EndedTask[] {
    return this.#ids().flatMap((id) => {
      const dir = this.dirOf(id);
      if (existsSync(join(dir, "task.json"))) return [];
      const record = readJsonFile(join(dir, "ended.json"), EndedRecord);
      if (record === null) return [];
      const { service, serviceId = service, slot, endedAtMs, removedAtMs } = record;
      return [{ id, service: serviceId, slot, endedAtMs, removedAtMs }];
    });
  }

  #ids(): readonly string[] {
    return existsSync(this.#dir) ? readdirSync(this.#dir) : [];
  }
}
