// Records: what an agent writes down of its tasks, so that the next agent of the same state folder knows them.
//
//   tasks/<id>/task.json    a task that the registry may still ask about
//   tasks/<id>/ended.json   one that is over and known to be; kept with its log for a while
//   tasks/<id>/log          its output; `log.1` what came before when that grew too long

import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { AssignedTask, TaskReport } from "../protocol/agent.ts";
import { readJsonFile, writeFileAtomically } from "./files.ts";

/** Logs kept of the ended tasks of one slot, newest first. */
const endedPerSlot = 3;
/** A log longer than this is moved to `log.1`: what is on disk of one task stays below twice as much. */
const maxLogBytes = 8 * 1024 * 1024;

export const TaskRecord = z.object({
  /** The node it was assigned to; a machine that joined again speaks for the tasks of its new node only. */
  nodeId: z.string(),
  task: AssignedTask,
  report: TaskReport,
  /** It was told to stop. */
  stopping: z.boolean(),
  probe: z.union([
    z.object({ kind: z.literal("tcp") }),
    z.object({ kind: z.literal("http"), path: z.string() }),
  ]),
  stopSignal: z.string(),
  /** By which the runtime finds it; null until it was started. */
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

/** The records of one state folder. */
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

  /** All records of tasks not yet over, or not yet known to be. A file that cannot be read is passed to `complain`. */
  all(complain: (file: string) => void): readonly TaskRecord[] {
    const records: TaskRecord[] = [];
    for (const id of this.#ids()) {
      const file = join(this.dirOf(id), "task.json");
      const record = readJsonFile(file, TaskRecord);
      if (record !== null && record.task.id === id) records.push(record);
      else if (existsSync(file)) complain(file);
    }
    return records;
  }

  /** Puts away the record of an ended task: its log stays, its configuration and environment do not. */
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

  /** Moves logs that grew too long. Their writers append, so they go on at the new start. */
  rotateLogs(): void {
    for (const id of this.#ids()) {
      const log = join(this.dirOf(id), "log");
      if ((statSync(log, { throwIfNoEntry: false })?.size ?? 0) <= maxLogBytes) continue;
      copyFileSync(log, `${log}.1`);
      truncateSync(log);
    }
  }

  #prune(service: string, slot: number): void {
    const ended = this.#ids().flatMap((id) => {
      const dir = this.dirOf(id);
      const facts = existsSync(join(dir, "task.json"))
        ? null
        : readJsonFile(join(dir, "ended.json"), EndedTask);
      return facts?.service === service && facts.slot === slot ? [{ dir, endedAtMs: facts.endedAtMs }] : [];
    });
    ended.sort((a, b) => b.endedAtMs - a.endedAtMs);
    for (const { dir } of ended.slice(endedPerSlot)) rmSync(dir, { recursive: true, force: true });
  }

  #ids(): readonly string[] {
    return existsSync(this.#dir) ? readdirSync(this.#dir) : [];
  }
}
