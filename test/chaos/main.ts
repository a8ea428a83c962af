// The chaos run: `npm run chaos`, or `npm run chaos -- --only node-frozen --rate 300 --seconds 12 --json`.
// Runs each scenario with Waggle and then with HAProxy, in front of tasks of the same program.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Contender, Setup } from "./contender.ts";
import { startHaproxy } from "./haproxy.ts";
import { type LoadOrder, startLoad } from "./load.ts";
import { formatRow, heading, type Row, skipped, summarize } from "./report.ts";
import { isInside, runInside } from "./sandbox.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { startWaggle } from "./waggle.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    rate: { type: "string", default: "300" },
    seconds: { type: "string", default: "12" },
    json: { type: "boolean", default: false },
  },
});
const postShare = 0.05;
const timeoutMs = 10_000;
/** Load before the measurement, so that both sides open connections and compile their code. */
const warmUpSeconds = 1;

type Start = (dir: string, setup: Setup) => Promise<Contender>;
const starts: Record<Contender["name"], Start> = { Waggle: startWaggle, HAProxy: startHaproxy };

/** Run if the program ends early. */
const cleanups = new Set<() => Promise<void> | void>();

if (!isInside) process.exit(await runInside());
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void cleanUp().then(() => process.exit(130)));
try {
  await main();
} finally {
  await cleanUp();
}
process.exit(0);

async function main(): Promise<void> {
  const names = scenarios.map(({ name }) => name);
  const unknown = flags.only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`unknown scenario ${unknown}: use one of ${names.join(", ")}`);
  const selected = scenarios.filter(({ name }) => flags.only === undefined || flags.only.includes(name));
  if (!flags.json) console.log(`${preamble()}\n\n${heading}`);
  for (const scenario of selected) {
    for (const name of ["Waggle", "HAProxy"] as const) {
      const row = await runRow(scenario, name);
      console.log(flags.json ? JSON.stringify(row) : formatRow(row));
      if (flags.json) continue;
      for (const [why, count] of Object.entries(row.why)) console.log(`${" ".repeat(18)}${count} x ${why}`);
    }
  }
}

function preamble(): string {
  const version = execFileSync("haproxy", ["-v"], { encoding: "utf8" }).split("\n")[0];
  return `Each row: ${flags.rate} requests/s for ${flags.seconds} s at a constant rate, ${postShare * 100} % of them POST, each sent once. A request
fails after ${timeoutMs / 1000} s, or with a response that is not the task's. Latencies include failed requests.
Waggle: the balancer of a mesh of three nodes on this machine (in workerd), whose agents run the tasks.
HAProxy: ${version}, balance roundrobin, check, option redispatch, retries 3,
in front of the same number of processes of the same program at fixed ports of 127.0.0.2-4, restarted when they exit.
There is no Swarm behind HAProxy: a node is the address that its processes listen on. Both check by connecting.`;
}

async function runRow(scenario: Scenario, name: Contender["name"]): Promise<Row> {
  const missing = scenario.skip(null);
  if (missing !== null) return skipped(scenario.name, name, missing);
  const dir = mkdtempSync(join(tmpdir(), "row-"));
  const postsDir = join(dir, "posts");
  mkdirSync(postsDir);
  const env = { ...scenario.setup.env, POSTS_DIR: postsDir };
  const contender = await starts[name](dir, { ...scenario.setup, env });
  cleanups.add(contender.stop);
  try {
    const reason = scenario.skip(contender);
    if (reason !== null) return skipped(scenario.name, name, reason);
    const samples = await measureScenario(contender, scenario);
    return summarize(scenario.name, name, samples, receivedPosts(postsDir));
  } finally {
    cleanups.delete(contender.stop);
    await contender.stop();
  }
}

async function measureScenario(contender: Contender, scenario: Scenario): ReturnType<typeof measure> {
  const order = { url: contender.url, rate: Number(flags.rate), postShare, timeoutMs };
  await measure({ ...order, seconds: warmUpSeconds, firstId: -1_000_000 }, async () => undefined);
  const seconds = Math.max(Number(flags.seconds), scenario.seconds ?? 0);
  return measure({ ...order, seconds, firstId: 0 }, (at) => scenario.act(contender, at));
}

async function measure(order: LoadOrder, act: (at: (ms: number) => Promise<void>) => Promise<void>) {
  const load = await startLoad(order);
  cleanups.add(load.stop);
  const startedMs = performance.now();
  const at = (ms: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, startedMs + ms - performance.now())));
  try {
    const [samples] = await Promise.all([load.samples, act(at)]);
    return samples;
  } finally {
    cleanups.delete(load.stop);
    load.stop();
  }
}

/** Ids of the POSTs that tasks received, with duplicates. */
function receivedPosts(dir: string): readonly string[] {
  return readdirSync(dir).flatMap((file) => readFileSync(join(dir, file), "utf8").trim().split("\n"));
}

async function cleanUp(): Promise<void> {
  for (const stop of [...cleanups]) {
    cleanups.delete(stop);
    await stop();
  }
}
