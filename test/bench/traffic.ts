// Traffic through edge, ingress and task, against the shortest proxy Worker there is, on the same build of workerd.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LoadOrder, LoadResult } from "./load.ts";
import {
  cpuMs,
  type MeasuredProxy,
  type ProxyStarters,
  startAll,
  startWaggle,
  trafficProxies,
} from "./proxies.ts";
import { formatSpread, printRows, type Spread, spreadOf } from "./report.ts";

type Round = LoadResult & { readonly cpuUs: number };

export type TrafficOptions = {
  /**
   * How often every way is started anew. A process is faster or slower than another of its kind by a tenth for as long
   * as it lives (where its memory came to lie), so that many rounds of few processes would measure luck.
   */
  readonly starts: number;
  /** Rounds of each start. */
  readonly rounds: number;
  readonly roundMs: number;
  /**
   * Load before what counts. After 20,000 requests V8 is still seen to optimize functions, on threads whose time is
   * counted with the rest, and the more of them the more code there is.
   */
  readonly warmUpMs: number;
  readonly connections: number;
};

/** Headers a browser sends, so that each way handles a usual number of them. */
const browserHeaders = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Cookie: session=6f1c2b7a9d; theme=dark",
  "",
].join("\r\n");

/** What counting costs. */
const counting: ProxyStarters = {
  "nothing counted": (origin) => startWaggle(origin, false),
  "all counted": (origin) => startWaggle(origin, true),
};

export function benchTraffic(options: TrafficOptions): Promise<void> {
  return compare("Traffic", trafficProxies, options);
}

export function benchCounting(options: TrafficOptions): Promise<void> {
  return compare("Counting", counting, options);
}

/** Runs the rounds by turns and prints them. */
async function compare(title: string, kinds: ProxyStarters, options: TrafficOptions): Promise<void> {
  const backend = spawn(process.execPath, [script("backend.ts")], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  if (backend.stdout === null) throw new Error("the backend has no output to read its port from");
  const [line] = await once(backend.stdout, "data");
  const origin = `http://127.0.0.1:${Number(String(line))}`;
  const load = fork(script("load.ts"));
  const busy: Round[][] = Object.keys(kinds).map(() => []);
  const single: Round[][] = Object.keys(kinds).map(() => []);
  try {
    for (let start = 0; start < options.starts; start += 1) {
      const ways = await startAll(kinds, origin);
      try {
        await rounds(load, ways, options, busy);
        await rounds(load, ways, { ...options, connections: 1, warmUpMs: 500 }, single);
      } finally {
        await Promise.all(ways.map((way) => way.stop()));
      }
    }
  } finally {
    load.kill();
    backend.kill();
  }
  const names = Object.keys(kinds);
  printThroughput(title, names, busy, options);
  printLatency(names, single, options);
}

/** Adds to one list of rounds per way, after each was warmed up. */
async function rounds(
  load: ChildProcess,
  ways: readonly MeasuredProxy[],
  options: TrafficOptions,
  results: readonly Round[][],
): Promise<void> {
  for (const way of ways) await drive(load, way, options, options.warmUpMs);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [index, way] of ways.entries()) {
      results[index]?.push(await drive(load, way, options, options.roundMs));
    }
  }
}

async function drive(
  load: ChildProcess,
  { port, authority, pid }: MeasuredProxy,
  { connections }: TrafficOptions,
  durationMs: number,
): Promise<Round> {
  const beforeMs = cpuMs(pid);
  const order = { host: "127.0.0.1", port, authority, headers: browserHeaders, connections, durationMs };
  const result = await run(load, order);
  if (result.errors > 0) throw new Error(`${authority}: ${result.errors} failed requests`);
  return { ...result, cpuUs: ((cpuMs(pid) - beforeMs) * 1_000) / result.requests };
}

async function run(load: ChildProcess, order: LoadOrder): Promise<LoadResult> {
  load.send(order);
  const [result] = await once(load, "message");
  return result as LoadResult;
}

function printThroughput(
  what: string,
  names: readonly string[],
  busy: readonly Round[][],
  options: TrafficOptions,
): void {
  const rps = (round: Round) => (round.requests / round.elapsedMs) * 1_000;
  const rows = names.map((name, index) => {
    const own = busy[index] ?? [];
    return [
      name,
      formatSpread(spreadOf(own.map(rps))),
      formatSpread(ratios(own, busy[0] ?? [], rps), 2),
      formatSpread(spreadOf(own.map((round) => round.cpuUs))),
      formatSpread(
        ratios(own, busy[0] ?? [], (round) => 1 / round.cpuUs),
        2,
      ),
    ];
  });
  const head = ["way", "requests/s", "ratio", "workerd CPU µs/request", "requests per CPU, ratio"];
  const title = `${what}, ${options.connections} connections, ${options.starts} starts, ${options.rounds} rounds of ${options.roundMs} ms each by turns: median (least–most)`;
  printRows(title, [head, ...rows]);
}

function printLatency(names: readonly string[], single: readonly Round[][], options: TrafficOptions): void {
  const [base] = single;
  const rows = names.map((name, index) => {
    const own = single[index] ?? [];
    const added = (pick: (round: Round) => number) =>
      spreadOf(own.map((round, at) => pick(round) - pick((base ?? own)[at] ?? round)));
    return [
      name,
      formatSpread(spreadOf(own.map((round) => round.p50Us))),
      formatSpread(spreadOf(own.map((round) => round.p99Us))),
      formatSpread(added((round) => round.p50Us)),
      formatSpread(added((round) => round.p99Us)),
    ];
  });
  const head = ["way", "p50 µs", "p99 µs", "added p50 µs", "added p99 µs"];
  printRows(
    `Latency, 1 connection, ${options.starts} starts, ${options.rounds} rounds of ${options.roundMs} ms each by turns`,
    [head, ...rows],
  );
}

/** Each round against the baseline's round next to it: what slows the machine down slows both. */
function ratios(own: readonly Round[], base: readonly Round[], value: (round: Round) => number): Spread {
  return spreadOf(own.map((round, index) => value(round) / value(base[index] ?? round)));
}

function script(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}
