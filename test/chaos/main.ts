// The chaos run: `npm run chaos`, or `npm run chaos -- --only node-frozen --rate 300 --seconds 12 --json`.
// Runs each scenario with Waggle and then with HAProxy, in front of tasks of the same program. With `--transport
// direct` or `tunnel`, Waggle only: its nodes are machines of their own, which it reaches by that transport.
// With `--edge`, Waggle only: under the rules of Cloudflare's platform (docs/edge.md). `--shard 1/2` runs every second
// scenario, beside another run with 2/2. Exits with 1 if Waggle lost a request that it could have saved.

import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { Contender, LabTransport, Setup } from "./contender.ts";
import { startHaproxy } from "./haproxy.ts";
import { type LoadOrder, type Sample, startLoad } from "./load.ts";
import { formatRow, heading, isWithoutLoss, type Row, skipped, summarize } from "./report.ts";
import { isInside, isSandboxed, runInside } from "./sandbox.ts";
import { type Scenario, scenarios } from "./scenarios.ts";
import { startWaggle } from "./waggle.ts";
import { NoTransport, startWaggleOnMachines } from "./waggle-machines.ts";

const { values: flags } = parseArgs({
  options: {
    only: { type: "string", multiple: true },
    rate: { type: "string", default: "300" },
    seconds: { type: "string", default: "12" },
    json: { type: "boolean", default: false },
    transport: { type: "string" },
    edge: { type: "boolean", default: false },
    shard: { type: "string", default: "1/1" },
    "bulk-mib": { type: "string", default: "1024" },
  },
});
const postShare = 0.05;
const timeoutMs = 10_000;
/** Load before the measurement, so that both sides open connections and compile their code. */
const warmUpSeconds = 1;

const transport = transportOf(flags.transport);

type Start = (dir: string, setup: Setup) => Promise<Contender>;
const starts: Record<Contender["name"], Start> = {
  Waggle: (dir, setup) =>
    transport === null ? startWaggle(dir, setup, flags.edge) : startWaggleOnMachines(dir, setup, transport),
  HAProxy: startHaproxy,
};

/** Run if the program ends early. */
const cleanups = new Set<() => Promise<void> | void>();

if (!isInside) process.exit(await runInside());
for (const signal of ["SIGINT", "SIGTERM"] as const)
  process.once(signal, () => void cleanUp().then(() => process.exit(130)));
let isLost = false;
try {
  isLost = await main();
} finally {
  await cleanUp();
}
process.exit(isLost ? 1 : 0);

/** @returns true if Waggle lost a request that it could have saved */
async function main(): Promise<boolean> {
  if (transport !== null && flags.edge)
    throw new Error("--edge has nodes on this machine: leave --transport out");
  if (transport !== null && !isSandboxed) {
    throw new Error("--transport needs network namespaces of its own: unshare and ip, as root on Linux");
  }
  const names = scenarios.map(({ name }) => name);
  const unknown = flags.only?.find((name) => !names.includes(name));
  if (unknown !== undefined) throw new Error(`unknown scenario ${unknown}: use one of ${names.join(", ")}`);
  const shard = shardOf(flags.shard);
  const selected = scenarios
    .filter(({ name }) => flags.only === undefined || flags.only.includes(name))
    .filter((_, index) => index % shard.count === shard.number - 1);
  if (!flags.json) console.log(`${preamble()}\n\n${heading}`);
  const isAlone = transport !== null || flags.edge;
  const contenders = isAlone ? (["Waggle"] as const) : (["Waggle", "HAProxy"] as const);
  let hasLost = false;
  for (const scenario of selected) {
    for (const name of contenders) {
      const row = await runRow(scenario, name);
      console.log(flags.json ? JSON.stringify(row) : formatRow(row));
      if (name === "Waggle" && !isWithoutLoss(row, scenario.deaths)) hasLost = true;
      if (flags.json) continue;
      if (row.note !== undefined) console.log(`${" ".repeat(18)}${row.note}`);
      for (const [why, count] of Object.entries(row.why)) console.log(`${" ".repeat(18)}${count} x ${why}`);
    }
  }
  return hasLost;
}

/** A share of the scenarios, for runs side by side. @throws Error unless it is written as 1/2 */
function shardOf(text: string): { readonly number: number; readonly count: number } {
  const [, number = 0, count = 0] = (/^(\d+)\/(\d+)$/.exec(text) ?? []).map(Number);
  if (number < 1 || number > count) throw new Error(`cannot read --shard ${text}: write 1/2 or 2/2`);
  return { number, count };
}

/** @throws Error unless it is a transport, or absent */
function transportOf(text: string | undefined): LabTransport | null {
  if (text === undefined || text === "direct" || text === "tunnel") return text ?? null;
  throw new Error(`unknown transport ${text}: use direct or tunnel`);
}

function preamble(): string {
  return `Each row: ${flags.rate} requests/s for ${flags.seconds} s at a constant rate, ${postShare * 100} % of them POST, each sent once. A request
fails after ${timeoutMs / 1000} s, or with a response that is not the task's. Latencies include failed requests.
Unread: failed POSTs that no task had read.
${flags.edge ? edgeText() : transport === null ? contendersText() : machinesText(transport)}`;
}

function machinesText(by: LabTransport): string {
  const nat = by === "tunnel" ? ", node 2 behind NAT" : "";
  return `Waggle: the balancer of a mesh on a machine of its own, a network namespace. Three nodes on others${nat};
transport: ${by}.`;
}

function edgeText(): string {
  return `Waggle: the balancer of a mesh of three nodes on this machine under Cloudflare's rules: objects 50 ms away and
reset every 5 s, four isolates of which one is evicted every 3 s.`;
}

function contendersText(): string {
  const version = execFileSync("haproxy", ["-v"], { encoding: "utf8" }).split("\n")[0];
  return `Waggle: the balancer of a mesh of three nodes on this machine (in workerd), whose agents run the tasks.
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
  const contender = await starts[name](dir, { ...scenario.setup, env }).catch((error: unknown) => {
    if (error instanceof NoTransport) return error.message;
    throw error;
  });
  if (typeof contender === "string") return skipped(scenario.name, name, contender);
  cleanups.add(contender.stop);
  try {
    const reason = scenario.skip(contender);
    if (reason !== null) return skipped(scenario.name, name, reason);
    const { samples, note } = await measureScenario(contender, scenario);
    const row = summarize(scenario.name, name, samples, receivedPosts(postsDir));
    return note === undefined ? row : { ...row, note };
  } finally {
    cleanups.delete(contender.stop);
    await contender.stop();
  }
}

async function measureScenario(contender: Contender, scenario: Scenario): Promise<Measured> {
  const order = { url: contender.url, rate: Number(flags.rate), postShare, timeoutMs };
  await measure({ ...order, seconds: warmUpSeconds, firstId: -1_000_000 }, async () => undefined);
  const seconds = Math.max(Number(flags.seconds), scenario.seconds ?? 0);
  return measure({ ...order, seconds, firstId: 0 }, (at) =>
    scenario.act(contender, at, { bulkMib: Number(flags["bulk-mib"]) }),
  );
}

type Measured = { readonly samples: readonly Sample[]; readonly note: string | undefined };

async function measure(
  order: LoadOrder,
  act: (at: (ms: number) => Promise<void>) => Promise<string | undefined>,
): Promise<Measured> {
  const load = await startLoad(order);
  cleanups.add(load.stop);
  const startedMs = performance.now();
  const at = (ms: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, Math.max(0, startedMs + ms - performance.now())));
  try {
    const [samples, note] = await Promise.all([load.samples, act(at)]);
    return { samples, note };
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
