// Quiet isolates beside busy ones, with the registry far away: `waggle up --edge`. What a request waits, what the
// isolates call, and what a quiet isolate loses while tasks move.

import { type Sample, startLoad } from "../chaos/load.ts";
import { platformReport, publishWeb } from "../support/edge-mesh.ts";
import { MeshProcess } from "../support/mesh-process.ts";
import { printRows } from "./report.ts";

export type QuietOptions = {
  readonly isolates: number;
  readonly rttMs: number;
  /** Requests per second of one isolate. */
  readonly quietRate: number;
  readonly busyRate: number;
  /** Length of each part. */
  readonly seconds: number;
};

/** How often the report of the mesh is written, milliseconds, with a margin. */
const reportMs = 3_000;

export async function benchQuiet(options: QuietOptions): Promise<void> {
  const { isolates, rttMs, quietRate, busyRate, seconds } = options;
  const quietFlags = ["--evict-every", "0", "--reset-every", "0", "--seed", "1", "--empty", "--nodes", "3"];
  const mesh = await MeshProcess.start([
    "--edge",
    "--rtt",
    String(rttMs),
    "--isolates",
    String(isolates),
    ...quietFlags,
  ]);
  try {
    const url = await publishWeb(mesh, 4);
    const rows: string[][] = [["part", "requests", "failed", "p50", "p95", "max, ms", "calls/s"]];
    const measure = async (
      name: string,
      rate: number,
      disturb: () => Promise<void> = async () => undefined,
    ) => {
      const before = platformReport(mesh).objectRequests;
      const load = await startLoad({ url, firstId: 0, rate, seconds, postShare: 0.25, timeoutMs: 30_000 });
      const [samples] = await Promise.all([load.samples, disturb()]);
      await new Promise((resolve) => setTimeout(resolve, reportMs));
      const calls = (platformReport(mesh).objectRequests - before) / (seconds + reportMs / 1_000);
      rows.push([name, ...summary(samples), calls.toFixed(2)]);
      for (const { method, dueMs, why } of samples.filter(isFailure).slice(0, 5))
        console.log(`  ${name}: a ${method} at ${Math.round(dueMs)} ms failed: ${why}`);
    };
    // Every isolate starts.
    await measure("start", isolates / 5);
    // Agents and the processes of the mesh call objects as well.
    const idleFrom = platformReport(mesh).objectRequests;
    await new Promise((resolve) => setTimeout(resolve, seconds * 1_000));
    const idleCalls = (platformReport(mesh).objectRequests - idleFrom) / seconds;
    rows.push(["no requests", "0", "0", "", "", "", idleCalls.toFixed(2)]);
    await measure(`quiet: ${quietRate} requests/s for each isolate`, isolates * quietRate);
    await measure(`busy: ${busyRate} requests/s for each isolate`, isolates * busyRate);
    await measure("quiet, tasks move", isolates * quietRate, () => moveTasks(mesh, seconds * 1_000));
    printRows(
      `${isolates} isolates, the registry ${rttMs} ms away, ${seconds} s each; a quarter are POSTs`,
      rows,
    );
  } finally {
    await mesh.remove();
  }
}

/** Scales, updates and drains, one after another, over some time. */
async function moveTasks(mesh: MeshProcess, forMs: number): Promise<void> {
  const endMs = Date.now() + forMs * 0.8;
  const steps = [
    ["service", "scale", "--detach", "web=2"],
    ["service", "update", "--detach", "--force", "web"],
    ["service", "scale", "--detach", "web=5"],
    ["node", "update", "--availability", "drain", "node2"],
    ["node", "update", "--availability", "active", "node2"],
    ["service", "update", "--detach", "--env-add", "STEP=1", "web"],
  ];
  for (const [index, step] of steps.entries()) {
    const { code, err } = await mesh.waggle(...step);
    if (code !== 0) throw new Error(`waggle ${step.join(" ")}: ${err}`);
    const leftMs = (endMs - Date.now()) / (steps.length - index);
    await new Promise((resolve) => setTimeout(resolve, Math.max(0, leftMs)));
  }
}

/** The load expects the application of the chaos run; any response of the task is one here. */
function isFailure({ outcome, why }: Sample): boolean {
  return outcome === "failed" && !why.startsWith("200 ");
}

function summary(samples: readonly Sample[]): string[] {
  const latencies = samples.map(({ latencyMs }) => latencyMs).toSorted((a, b) => a - b);
  const at = (share: number) =>
    (latencies[Math.floor(share * (latencies.length - 1))] ?? Number.NaN).toFixed(1);
  const failed = samples.filter(isFailure).length;
  return [String(samples.length), String(failed), at(0.5), at(0.95), at(1)];
}
