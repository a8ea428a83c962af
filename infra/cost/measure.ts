// Measures a release: meshes under the platform's rules (`waggle up --edge`) with traffic, one after the other, and what
// the platform counted in each.

import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as wait } from "node:timers/promises";
import type { MeshPlatformReport } from "../../src/local/local-platform.ts";
import { seededRandom } from "../../src/local/platform/seeded-random.ts";
import { cpuMs } from "../../test/bench/proxies.ts";
import { freePort, MeshProcess } from "../../test/support/mesh-process.ts";
import { until } from "../../test/support/until.ts";
import { checkRun, replacementRun } from "./fit.ts";
import type { ObjectRecord, Recording, RunRecord } from "./recording.ts";
import { measureTelemetryRows } from "./telemetry-rows.ts";

type RunPlan = Pick<RunRecord, "name" | "transport" | "nodes" | "services" | "tasks" | "isolates"> & {
  readonly requestsPerSecond: number;
  /** Longer than the intervals between calls of an isolate, so that isolates do not call at the same time. */
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** True if it runs beside other such runs: the counts of few requests do not depend on how busy the machine is. */
  readonly isLong?: true;
};

const mesh = {
  transport: "direct",
  nodes: 3,
  services: 1,
  tasks: 6,
  warmUpSeconds: 60,
  seconds: 120,
} as const;

/** Until isolates with few requests rest, and have called at different times; and long enough to count their calls. */
const quietMesh = { ...mesh, warmUpSeconds: 720, seconds: 600, isLong: true } as const;

/** Isolates with many and few requests each; meshes of several sizes without any; and one that is different in all. */
const plans: readonly RunPlan[] = [
  { ...mesh, name: "idle, 3 nodes", isolates: 1, requestsPerSecond: 0 },
  { ...mesh, name: "idle, 12 nodes", nodes: 12, services: 3, tasks: 24, isolates: 1, requestsPerSecond: 0 },
  { ...mesh, name: "8 requests/s for each isolate", isolates: 2, requestsPerSecond: 16 },
  { ...mesh, name: "1 request/s for each isolate", isolates: 12, requestsPerSecond: 12 },
  { ...mesh, name: "0.5 requests/s for each isolate", isolates: 16, requestsPerSecond: 8 },
  { ...quietMesh, name: "0.2 requests/s for each isolate", isolates: 20, requestsPerSecond: 4 },
  { ...quietMesh, name: "0.06 requests/s for each isolate", isolates: 50, requestsPerSecond: 3 },
  { ...quietMesh, name: "0.02 requests/s for each isolate", isolates: 50, requestsPerSecond: 1 },
  { ...quietMesh, name: "0.006 requests/s for each isolate", isolates: 50, requestsPerSecond: 0.3 },
  { ...mesh, name: "tunnels", transport: "tunnel", isolates: 4, requestsPerSecond: 12 },
  { ...mesh, name: replacementRun, isolates: 4, requestsPerSecond: 4 },
  { ...quietMesh, name: checkRun, nodes: 6, services: 2, tasks: 12, isolates: 12, requestsPerSecond: 6 },
];

/** Round trip to the objects, as between cities of a continent. */
const rttMs = 50;

/** The parts of a recording that are not runs. */
const cpuPart = "cpu";
const rowsPart = "telemetry rows";
export const partNames: readonly string[] = [...plans.map(({ name }) => name), cpuPart, rowsPart];

/**
 * Measures all parts, about fifty minutes, or one of them again.
 *
 * @param say gets a line for each part
 * @param again the part, and the recording that has the others
 */
export async function measure(
  say: (line: string) => void,
  again?: { readonly part: string; readonly recording: Recording },
): Promise<Recording> {
  const isDue = (part: string): boolean => again === undefined || again.part === part;
  const known = new Map(again?.recording.runs.map((run) => [run.name, run]));
  const take = async (plan: RunPlan): Promise<RunRecord> => {
    const run = await takeRun(plan);
    say(`${plan.name}: ${run.requests} requests in ${run.seconds.toFixed(0)} s, ${run.failed} failed`);
    return run;
  };
  const due = plans.filter(({ name }) => isDue(name) || !known.has(name));
  for (const plan of due.filter(({ isLong }) => !isLong)) known.set(plan.name, await take(plan));
  const long = due.filter(({ isLong }) => isLong);
  for (const run of await Promise.all(long.map(take))) known.set(run.name, run);
  const runs = plans.flatMap(({ name }) => known.get(name) ?? []);
  const cpu = again !== undefined && !isDue(cpuPart) ? again.recording.cpu : await measureCpu();
  if (isDue(cpuPart))
    say(`${cpuPart}: ${(cpu.cpuMs / cpu.requests).toFixed(2)} ms for each of ${cpu.requests} requests`);
  const telemetryRows =
    again !== undefined && !isDue(rowsPart) ? again.recording.telemetryRows : measureTelemetryRows();
  if (isDue(rowsPart)) say(`${rowsPart}: up to ${telemetryRows.at(-1)?.items ?? 0} items`);
  return {
    recordedOn: new Date().toISOString().slice(0, 10),
    commit: execFileSync("git", ["rev-parse", "--short=10", "HEAD"], { encoding: "utf8" }).trim(),
    runs,
    cpu,
    telemetryRows,
  };
}

async function takeRun(plan: RunPlan): Promise<RunRecord> {
  const rules = ["--edge", "--rtt", String(rttMs), "--evict-every", "0", "--reset-every", "0", "--seed", "1"];
  const size = ["--nodes", String(plan.nodes), "--isolates", String(plan.isolates)];
  const own = await MeshProcess.start([...rules, ...size, "--empty"]);
  try {
    const urls = await createServices(own, plan);
    await pinTransport(own, plan);
    const load = startRequests(urls, plan.requestsPerSecond);
    await wait(plan.warmUpSeconds * 1_000);
    const first = await countsOf(own);
    const sent = load.counts();
    const replacements = await during(plan, () => replaceTasks(own, plan));
    const last = await countsOf(own);
    const ended = await load.stop();
    return {
      ...pick(plan),
      places: placesOf(plan.isolates),
      seconds: (last.atMs - first.atMs) / 1_000,
      replacements,
      requests: last.requests - first.requests,
      failed: ended.failed - sent.failed,
      calls: callsBetween(first, last),
      objects: objectsBetween(first, last),
    };
  } finally {
    await own.remove();
  }
}

function pick({ name, transport, nodes, services, tasks, isolates }: RunPlan) {
  return { name, transport, nodes, services, tasks, isolates };
}

/** The isolates of a mesh on this machine are in so many data centers; see src/local/platform/isolate-pool.ts. */
function placesOf(isolates: number): number {
  return Math.min(isolates, 12);
}

/** @returns the URLs of the services, once each responds */
async function createServices(
  own: MeshProcess,
  { services, tasks }: Pick<RunPlan, "services" | "tasks">,
): Promise<readonly string[]> {
  const urls: string[] = [];
  for (let n = 1; n <= services; n += 1) {
    const port = await freePort();
    const flags = ["--name", `web${n}`, "-p", `${port}:80`, "--replicas", String(tasks / services)];
    await command(own, "service", "create", ...flags, "waggle/whoami");
    const url = `http://127.0.0.1:${port}/`;
    await until(`${url} to respond`, async () => (await fetch(url)).ok, { withinMs: 60_000 });
    urls.push(url);
  }
  return urls;
}

/** A mesh chooses another transport when a gateway is slow to respond, as on a busy machine. */
async function pinTransport(own: MeshProcess, { transport, nodes }: RunPlan): Promise<void> {
  for (let n = 1; n <= nodes; n += 1)
    await command(own, "node", "update", "--transport", transport, `node${n}`);
  await until(
    `all nodes to be reached by ${transport}`,
    async () => {
      const lines = (await command(own, "node", "ls")).split("\n");
      return lines.filter((line) => line.endsWith(` ${transport}`)).length === nodes;
    },
    { withinMs: 60_000 },
  );
}

async function command(own: MeshProcess, ...args: string[]): Promise<string> {
  const { code, out, err } = await own.waggle(...args);
  if (code !== 0) throw new Error(`waggle ${args.join(" ")}: ${err}`);
  return out;
}

/** Works for the time of the plan. @returns how many tasks were replaced */
async function during({ name, seconds }: RunPlan, replace: () => Promise<number>): Promise<number> {
  const endMs = Date.now() + seconds * 1_000;
  let replaced = 0;
  while (name === replacementRun && Date.now() < endMs) replaced += await replace();
  await wait(Math.max(0, endMs - Date.now()));
  return replaced;
}

/** Starts as many tasks as there are, and stops as many. */
async function replaceTasks(own: MeshProcess, { tasks }: RunPlan): Promise<number> {
  for (const replicas of [2 * tasks, tasks]) await command(own, "service", "scale", `web1=${replicas}`);
  return tasks;
}

/** The next report of the mesh, which writes one every two seconds. */
function countsOf(own: MeshProcess): Promise<MeshPlatformReport> {
  const sinceMs = Date.now();
  return until(
    "a report of the platform",
    () => {
      const text = readFileSync(join(own.stateDir, "edge.json"), "utf8");
      const report = JSON.parse(text) as MeshPlatformReport;
      return report.atMs >= sinceMs ? report : null;
    },
    { withinMs: 30_000 },
  );
}

const cpuClients = 16;
/** Until workerd has compiled what requests run. */
const cpuWarmUpMs = 20_000;
const cpuMeasuredMs = 20_000;

/** Each client sends its next request after the response to the last. */
async function measureCpu(): Promise<Recording["cpu"]> {
  const own = await MeshProcess.start(["--nodes", "3", "--empty"]);
  try {
    const [url = ""] = await createServices(own, { services: 1, tasks: 6 });
    let requests = 0;
    let isRunning = true;
    const clients = Array.from({ length: cpuClients }, async () => {
      while (isRunning) {
        await (await fetch(url)).text();
        requests += 1;
      }
    });
    const usedMs = (): number => own.workerdPids().reduce((sum, pid) => sum + cpuMs(pid), 0);
    await wait(cpuWarmUpMs);
    const before = { requests, cpuMs: usedMs() };
    await wait(cpuMeasuredMs);
    const measured = { requests: requests - before.requests, cpuMs: usedMs() - before.cpuMs };
    isRunning = false;
    await Promise.all(clients);
    return measured;
  } finally {
    await own.remove();
  }
}

function callsBetween(first: MeshPlatformReport, last: MeshPlatformReport): RunRecord["calls"] {
  return Object.fromEntries(
    Object.entries(last.calls).map(([key, { count, replyBytes }]) => {
      const before = first.calls[key] ?? { count: 0, replyBytes: 0 };
      return [key, { count: count - before.count, replyBytes: replyBytes - before.replyBytes }];
    }),
  );
}

function objectsBetween(first: MeshPlatformReport, last: MeshPlatformReport): RunRecord["objects"] {
  return Object.fromEntries(
    Object.entries(last.objects).flatMap(([binding, after]) => {
      const before = first.objects[binding];
      return before === undefined ? [] : [[binding, recordBetween(before, after)]];
    }),
  );
}

function recordBetween(
  before: MeshPlatformReport["objects"][string],
  after: MeshPlatformReport["objects"][string],
): ObjectRecord {
  const events = Object.entries(after.events).map(([name, { count, ms }]) => {
    const known = before.events[name] ?? { count: 0, ms: 0 };
    return [name, { count: count - known.count, ms: ms - known.ms }] as const;
  });
  return {
    events: Object.fromEntries(events.filter(([, { count }]) => count > 0)),
    starts: {
      count: after.starts.count - before.starts.count,
      ms: after.starts.ms - before.starts.ms,
      rowsRead: after.starts.rowsRead - before.starts.rowsRead,
    },
    activeMs: after.activeMs - before.activeMs,
    rows: {
      read: after.rows.read - before.rows.read,
      written: after.rows.written - before.rows.written,
    },
    storedBytes: after.storedBytes,
  };
}

type RunningRequests = {
  readonly counts: () => { readonly failed: number };
  readonly stop: () => Promise<{ readonly failed: number }>;
};

/** Sends requests at random times, as many independent clients do. A slow response delays no other request. */
function startRequests(urls: readonly string[], perSecond: number): RunningRequests {
  const random = seededRandom(1);
  const open = new Set<Promise<void>>();
  let failed = 0;
  let sent = 0;
  let timer: NodeJS.Timeout | undefined;
  let dueMs = performance.now();
  const send = async (url: string): Promise<void> => {
    try {
      const response = await fetch(url, { signal: AbortSignal.timeout(15_000) });
      await response.text();
      if (!response.ok) failed += 1;
    } catch {
      failed += 1;
    }
  };
  const sendNext = (): void => {
    const request = send(urls[sent % urls.length] ?? "").finally(() => open.delete(request));
    open.add(request);
    sent += 1;
    schedule();
  };
  const schedule = (): void => {
    dueMs += (-Math.log(1 - random()) / perSecond) * 1_000;
    timer = setTimeout(sendNext, Math.max(0, dueMs - performance.now()));
  };
  if (perSecond > 0) schedule();
  return {
    counts: () => ({ failed }),
    stop: async () => {
      clearTimeout(timer);
      await Promise.all(open);
      return { failed };
    },
  };
}
