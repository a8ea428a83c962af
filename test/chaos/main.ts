// The chaos run: `npm run chaos`, or `npm run chaos -- --only node-frozen --rate 300 --seconds 12 --json`.
// Each scenario is done to Waggle and to HAProxy, one after the other, each in front of tasks of the same program.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Contender, Setup } from "./contender.ts";
import { startHaproxy } from "./haproxy.ts";
import { type LoadOrder, startLoad } from "./load.ts";
import { heading, print, type Row, skipped, summarize } from "./report.ts";
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
/** Load before the load that counts, seconds: both sides get to open connections and compile their code. */
const warmSeconds = 1;

type Start = (dir: string, setup: Setup) => Promise<Contender>;
const starts: Record<Contender["name"], Start> = { Waggle: startWaggle, HAProxy: startHaproxy };

/** What has to be stopped when the run ends early. */
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
  const names = scenarios.map((one) => one.name);
  const unknown = flags.only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`no scenario ${unknown}; there are ${names.join(", ")}`);
  const asked = scenarios.filter((one) => flags.only === undefined || flags.only.includes(one.name));
  if (!flags.json) console.log(`${preamble()}\n\n${heading}`);
  for (const scenario of asked) {
    for (const name of ["Waggle", "HAProxy"] as const) {
      const row = await runRow(scenario, name);
      console.log(flags.json ? JSON.stringify(row) : print(row));
      if (flags.json) continue;
      for (const [why, count] of Object.entries(row.why)) console.log(`${" ".repeat(18)}${count} x ${why}`);
    }
  }
}

function preamble(): string {
  const version = execFileSync("haproxy", ["-v"], { encoding: "utf8" }).split("\n")[0];
  return `Each row: ${flags.rate} requests/s for ${flags.seconds} s at a constant rate of arrival, ${postShare * 100} % of them POST, each sent
once, failed after ${timeoutMs / 1000} s or with any answer that is not the task's. Latencies are of all requests, failed ones too.
Waggle: the balancer of a mesh of three nodes on this machine (the Workers runtime), its tasks run by its agents.
HAProxy: ${version}, balance roundrobin, check, option redispatch, retries 3,
in front of as many processes of the same program at fixed ports of 127.0.0.2-4, restarted when they die. No Swarm is
between HAProxy and the tasks: a node is the address its processes listen on. Both check by connecting.`;
}

async function runRow(scenario: Scenario, name: Contender["name"]): Promise<Row> {
  const reason = scenario.skip(null);
  if (reason !== null) return skipped(scenario.name, name, reason);
  const dir = mkdtempSync(join(tmpdir(), "row-"));
  const takenDir = join(dir, "taken");
  mkdirSync(takenDir);
  const env = { ...scenario.setup.env, TAKEN_DIR: takenDir };
  const contender = await starts[name](dir, { ...scenario.setup, env });
  cleanups.add(contender.stop);
  try {
    const notHere = scenario.skip(contender);
    if (notHere !== null) return skipped(scenario.name, name, notHere);
    const samples = await loaded(contender, scenario);
    return summarize(scenario.name, name, samples, taken(takenDir));
  } finally {
    cleanups.delete(contender.stop);
    await contender.stop();
  }
}

async function loaded(contender: Contender, scenario: Scenario): ReturnType<typeof measure> {
  const order = { url: contender.url, rate: Number(flags.rate), postShare, timeoutMs };
  await measure({ ...order, seconds: warmSeconds, firstId: -1_000_000 }, async () => undefined);
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

/** Ids of the POSTs that tasks took, once for each time. */
function taken(dir: string): readonly string[] {
  return readdirSync(dir).flatMap((file) => readFileSync(join(dir, file), "utf8").trim().split("\n"));
}

async function cleanUp(): Promise<void> {
  for (const stop of [...cleanups]) {
    cleanups.delete(stop);
    await stop();
  }
}
