// How many rows a save of the telemetry writes, and how many a start reads, by the number of items: its own class, on
// SQLite in memory.

import { Meter } from "../../src/telemetry/meter.ts";
import { Telemetry } from "../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../test/support/sqlite.ts";
import type { Recording } from "./recording.ts";

/** Numbers of tasks whose counters change before a save. The last is above what the object keeps. */
const taskCounts = [1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 20_000] as const;
/** The mean of the last half is measured: earlier saves may write what only new items need. */
const saves = 8;
/** More than any interval between saves. */
const betweenSavesMs = 3_600_000;

export function measureTelemetryRows(): Recording["telemetryRows"] {
  return taskCounts.map((tasks) => {
    let nowMs = 1_800_000_000_000;
    const database = memoryDatabase();
    const telemetry = new Telemetry(database, () => nowMs);
    const meter = new Meter({ isolate: "isolate", ejectedMs: () => 0 });
    let written = 0;
    for (let save = 1; save <= saves; save += 1) {
      nowMs += betweenSavesMs;
      // Without it the count itself would save.
      telemetry.save();
      const before = writtenRows(database);
      countRequests(meter, tasks);
      const counted = telemetry.count(meter.take(nowMs));
      if (!counted.ok) throw new Error(counted.problem.message);
      if (telemetry.hasUnsaved) telemetry.save();
      if (save > saves / 2) written += writtenRows(database) - before;
    }
    // Each task is an item of its own, and one of its place.
    return { items: 2 * tasks, written: written / (saves / 2), stored: storedRows(database) };
  });
}

/** Counts a request of each task. */
function countRequests(meter: Meter, tasks: number): void {
  const service = { id: "service", name: "web" };
  for (let n = 0; n < tasks; n += 1) {
    const task = { taskId: `task${n}`, slot: n + 1, nodeId: `node${n % 1_000}`, server: null };
    meter.task(task, service).add(0);
  }
}

function writtenRows(database: ReturnType<typeof memoryDatabase>): number {
  const [row] = database.exec("SELECT total_changes() AS changes");
  return Number(row?.changes);
}

function storedRows(database: ReturnType<typeof memoryDatabase>): number {
  const tables = database.exec("SELECT name FROM sqlite_master WHERE type = 'table'");
  return tables.reduce((sum, { name }) => {
    const [row] = database.exec(`SELECT count(*) AS rows FROM "${name}"`);
    return sum + Number(row?.rows);
  }, 0);
}
