import {
  appendFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type TaskRecord, TaskRecords } from "../../../src/agent/task-records.ts";
import { assignedTask } from "../../support/fake-registry.ts";

let stateDir: string;
let records: TaskRecords;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), "waggle-records-"));
  records = new TaskRecords(stateDir);
});
afterEach(() => rmSync(stateDir, { recursive: true }));

test("[N34] a record reads back as written, and only its owner can read the file", () => {
  const record = recordOf("a");
  records.save(record);
  const file = join(records.dirOf(record.task.id), "task.json");
  expect(records.all(() => {})).toEqual([record]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("[N37] an unreadable record is named and left unchanged; the others are read", () => {
  records.save(recordOf("a"));
  records.save(recordOf("b"));
  const file = join(records.dirOf(recordOf("a").task.id), "task.json");
  writeFileSync(file, '{"task":');
  const unreadable: string[] = [];
  expect(records.all((name) => unreadable.push(name))).toEqual([recordOf("b")]);
  expect(unreadable).toEqual([file]);
  expect(readFileSync(file, "utf8")).toBe('{"task":');
});

test("[N32] the summary of an ended task has nothing of its environment", () => {
  const record = recordOf("a");
  records.save(record);
  const dir = records.dirOf(record.task.id);
  appendFileSync(join(dir, "log"), "the end\n");
  appendFileSync(join(dir, "log.err.times"), "");
  appendFileSync(join(dir, "logo.svg"), "");
  records.retire({ ...record.report, state: "failed", err: "task: non-zero exit (1)" }, record.task, null);
  expect(records.all(() => {})).toEqual([]);
  expect(readFileSync(join(dir, "ended.json"), "utf8")).not.toContain("SECRET");
  expect(readdirSync(dir).sort()).toEqual(["ended.json", "log", "log.err.times"]);
});

test("[N64] the folder of a removed task goes after its grace, also for the next agent of the state folder", () => {
  const record = recordOf("a");
  records.save(record);
  records.retire(record.report, record.task, 1_000_000);
  const nextAgent = new TaskRecords(stateDir);
  nextAgent.removeExpired(null, 1_029_999);
  expect(readdirSync(join(stateDir, "tasks"))).toEqual([record.task.id]);
  nextAgent.removeExpired(null, 1_030_000);
  expect(readdirSync(join(stateDir, "tasks"))).toEqual([]);
});

test("[N64] the folder of a task that has not ended, or whose record cannot be read, is not removed", () => {
  records.save(recordOf("a"));
  const unreadable = records.dirOf(recordOf("b").task.id);
  mkdirSync(unreadable);
  writeFileSync(join(unreadable, "task.json"), '{"task":');
  records.removeExpired(new Set(), Number.MAX_SAFE_INTEGER);
  expect(readdirSync(join(stateDir, "tasks"))).toHaveLength(2);
});

function recordOf(name: string): TaskRecord {
  const task = assignedTask(name, { env: ["SECRET=1"] });
  const unset = { endpoints: [], health: null, pid: null, exitCode: null };
  const report = { id: task.id, state: "running", message: "started", err: "", atMs: 1, ...unset } as const;
  return {
    nodeId: "node",
    task,
    report: { ...report, endpoints: [] },
    stopping: false,
    probe: { kind: "tcp" },
    stopSignal: "SIGTERM",
    handle: { pid: 1 },
  };
}
