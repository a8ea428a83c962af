// The benchmark of the telemetry object in meshes of two sizes: its real classes, on SQLite in memory. All routers
// report once in an interval; counting, saving, reading and a start are measured in CPU time, with the rows of an hour.

import type { SqlDatabase } from "../../src/storage/sql-database.ts";
import { counterIndex } from "../../src/telemetry/counters.ts";
import { deltaText } from "../../src/telemetry/delta.ts";
import { recordLatency } from "../../src/telemetry/histogram.ts";
import { Meter } from "../../src/telemetry/meter.ts";
import { Telemetry } from "../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../support/sqlite.ts";
import { printRows } from "./report.ts";

type Size = {
  readonly nodes: number;
  readonly services: number;
  readonly tasks: number;
  readonly routers: number;
};

const sizes: readonly Size[] = [
  { nodes: 3, services: 1, tasks: 6, routers: 1 },
  { nodes: 100, services: 50, tasks: 500, routers: 300 },
];
/** While no reader looks: the registry forwards the counters of all routers in one call. */
const callMs = 10_000;
const calls = 12;
const requestsOfRouter = 40;

export function benchTelemetry(): Promise<void> {
  const columns = sizes.map((size) => ({ size, rows: measure(size) }));
  printRows(`Telemetry: ${calls} calls, one in ${callMs / 1_000} s with the counters of all routers`, [
    ["nodes / services / tasks / routers", ...columns.map(({ size }) => Object.values(size).join(" / "))],
    ...(columns[0]?.rows ?? []).map(([name], row) => [
      name,
      ...columns.map(({ rows }) => rows[row]?.[1] ?? ""),
    ]),
  ]);
  return Promise.resolve();
}

function measure(size: Size): readonly (readonly [string, string])[] {
  let nowMs = 1_700_000_000_000;
  let rows = 0;
  const database = memoryDatabase();
  const counting: SqlDatabase = {
    transactionSync: (work) => database.transactionSync(work),
    exec: (sql, ...bindings) => {
      if (sql.startsWith("INSERT")) rows += sql.split("(?").length - 1;
      return database.exec(sql, ...bindings);
    },
  };
  const telemetry = new Telemetry(counting, () => nowMs);
  const meters = Array.from({ length: size.routers }, (_, at) => {
    const meter = new Meter({ isolate: `router${at}`, ejectedMs: () => 0 });
    meter.colo = `C${at}`;
    return meter;
  });
  const timesMs: number[] = [];
  for (let call = 0; call < calls; call += 1) {
    const texts = meters.map((meter, router) => {
      for (let n = 0; n < requestsOfRouter; n += 1) request(meter, size, router * 31 + call * 7 + n, nowMs);
      const delta = meter.take(nowMs + callMs);
      return delta === null ? "" : deltaText(delta, nowMs + callMs);
    });
    nowMs += callMs;
    timesMs.push(cpuMs(() => telemetry.countAll(texts)));
  }
  const late = timesMs.slice(calls / 3);
  const readMs = cpuMs(() => telemetry.snapshot({ trend: true, saveFirst: true }));
  const startMs = cpuMs(() => new Telemetry(database, () => nowMs));
  return [
    ["a call with its save, mean, ms", (late.reduce((sum, ms) => sum + ms, 0) / late.length).toFixed(1)],
    ["the longest call, ms", Math.max(...late).toFixed(1)],
    ["rows in an hour", ((rows * 3_600_000) / (calls * callMs)).toFixed(0)],
    ["a snapshot with tasks, ms", readMs.toFixed(1)],
    ["start on stored rows, ms", startMs.toFixed(1)],
  ];
}

function request(meter: Meter, size: Size, number: number, nowMs: number): void {
  const serviceNumber = number % size.services;
  const service = { id: `service${serviceNumber}`, name: `service${serviceNumber}` };
  const node = `node${(number * 17) % size.nodes}`;
  const tasksOfService = Math.max(1, Math.floor(size.tasks / size.services));
  const slot = 1 + (Math.floor(number / size.services) % tasksOfService);
  const task = { taskId: `task${serviceNumber}.${slot}`, slot, nodeId: node, server: null };
  if (nowMs >= meter.sliceEndMs) meter.endSlice(nowMs);
  for (const metrics of [meter.entry(service, { id: node, name: node }), meter.task(task, service)]) {
    for (const counter of ["requests", "attempts", "responses2xx", "bytesOut"] as const)
      metrics.add(counterIndex[counter]);
    recordLatency(metrics.tally.buckets, (number * 37) % 400);
  }
}

/** CPU time of the process. */
function cpuMs(work: () => unknown): number {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}
