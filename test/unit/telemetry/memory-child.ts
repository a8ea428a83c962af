// Fills a telemetry object to all of its limits and prints its memory; a process of its own, to measure the heap.

import { Telemetry } from "../../../src/telemetry/telemetry.ts";
import { memoryDatabase } from "../../support/sqlite.ts";
import { delta, entryDelta, taskDelta } from "./deltas.ts";

/** Names as long as they may be. */
const hasLongNames = process.argv.includes("--long-names");
const suffix = hasLongNames ? "x".repeat(60) : "x".repeat(19);
const nameSuffix = hasLongNames ? "\u{fffd}".repeat(190) : "";
const counts = { requests: 10, attempts: 10, responses2xx: 9, responses5xx: 1, bytesIn: 1e6, bytesOut: 1e8 };
/** Latencies in all buckets. */
const latencies = Array.from({ length: 70 }, (_, at) => 2 ** (at / 4));
const gauges = { open: 1, openMax: 2, queue: 1, queueMax: 2 };

let nowMs = 1_700_000_000_000;
const memory = () => {
  globalThis.gc?.();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
};
const database = memoryDatabase();
let longestRow = 0;
const telemetry = new Telemetry(
  {
    transactionSync: (work) => database.transactionSync(work),
    exec: (sql, ...bindings) => {
      for (const value of bindings)
        if (typeof value === "string") longestRow = Math.max(longestRow, Buffer.byteLength(value));
      return database.exec(sql, ...bindings);
    },
  },
  () => nowMs,
);

const services = 3_000;
const service = (number: number) => ({ id: `s${number}${suffix}`, name: `s${number}${nameSuffix}` });
const node = (number: number) => ({ id: `n${number}${suffix}`, name: `n${number}${nameSuffix}` });
let sent = 0;
const before = memory();
for (let round = 0; round < 40; round += 1) {
  const parts = Array.from({ length: 300 }, (_, at) => (round * 300 + at) % services);
  const report = delta(round + 1, {
    isolate: `isolate${round % 20}${suffix}`,
    colo: `C${round % 20}`,
    times: { takenMs: nowMs, slicesMs: [5_000, 5_000] },
    entries: parts.map((n) =>
      entryDelta(counts, latencies, { ...gauges, service: service(n), node: node(n) }),
    ),
    tasks: parts.map((n) => {
      const of = { id: `t${round}.${n}${suffix}`, serviceId: service(n).id, serviceName: service(n).name };
      const where = { name: `t${n}${nameSuffix}`, nodeId: node(n).id, ejectedMs: 60_000 };
      return taskDelta(counts, latencies, { ...gauges, ...of, ...where });
    }),
  });
  sent += 300 * counts.requests;
  telemetry.countAll([JSON.stringify(report)], [0]);
  nowMs += 9_000;
}
const bytes = memory() - before;
const { services: read, nodes, leftOut } = telemetry.snapshot({});
const sum = (all: readonly { readonly counts: { readonly requests: number; readonly attempts: number } }[]) =>
  all.reduce((total, { counts: { requests } }) => total + requests, 0);
const attempts = read.flatMap(({ tasks }) => tasks).reduce((total, task) => total + task.counts.attempts, 0);
const entries = read.flatMap((of) => of.entries);
console.log(
  JSON.stringify({
    bytes,
    longestRow,
    sent,
    services: sum(read),
    nodes: sum(nodes),
    entries: sum(entries),
    attempts,
    leftOut,
  }),
);
