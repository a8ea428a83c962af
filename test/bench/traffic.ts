// The traffic benchmark: throughput, CPU time and latency of the mesh and of the minimal proxy Worker.

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

/** CPU times for each request, microseconds. */
type Round = LoadResult & { readonly cpuUs: number; readonly agentCpuUs: number | null };

export type TrafficOptions = {
  /**
   * Starts of each proxy. A process is up to a tenth faster or slower than another of its kind for its whole
   * life, because of its memory layout; many rounds of few processes would measure chance.
   */
  readonly starts: number;
  /** Rounds per start. */
  readonly rounds: number;
  readonly roundMs: number;
  /**
   * Duration of the warm-up. V8 optimizes functions for more than 20,000 requests, on threads whose CPU time
   * counts, and the more code there is, the longer.
   */
  readonly warmUpMs: number;
  readonly connections: number;
  /** Requests are attempts at a gateway; the key of its node, base64url. */
  readonly attemptKey?: string;
};

/** The headers of a browser, so that each proxy handles a usual number of them. */
export const browserHeaders = [
  "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:142.0) Gecko/20100101 Firefox/142.0",
  "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
  "Accept-Language: en-US,en;q=0.5",
  "Accept-Encoding: gzip, deflate, br, zstd",
  "Cookie: session=6f1c2b7a9d; theme=dark",
  "",
].join("\r\n");

const telemetryProxies: ProxyStarters = {
  "telemetry off": (origin) => startWaggle(origin, false),
  "telemetry on": (origin) => startWaggle(origin, true),
};

export async function benchTraffic(options: TrafficOptions): Promise<void> {
  await compare("Traffic", trafficProxies, options);
}

export async function benchCounting(options: TrafficOptions): Promise<void> {
  await compare("Counting", telemetryProxies, options);
}

/** The task and the load generator, each in a process of its own. */
export async function startTaskAndLoad() {
  const backend = spawn(process.execPath, [script("backend.ts")], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  if (backend.stdout === null) throw new Error("the backend has no output to read its port from");
  const [line] = await once(backend.stdout, "data");
  const origin = `http://127.0.0.1:${Number(String(line))}`;
  return { backend, origin, load: fork(script("load.ts")) };
}

/**
 * Measures the proxies in alternation and prints the results.
 *
 * @returns the rounds of each proxy with all connections
 */
export async function compare(
  title: string,
  starters: ProxyStarters,
  options: TrafficOptions,
): Promise<readonly (readonly Round[])[]> {
  const { backend, origin, load } = await startTaskAndLoad();
  const busy: Round[][] = Object.keys(starters).map(() => []);
  const single: Round[][] = Object.keys(starters).map(() => []);
  try {
    for (let start = 0; start < options.starts; start += 1) {
      const proxies = await startAll(starters, origin);
      try {
        await runRounds(load, proxies, options, busy);
        await runRounds(load, proxies, { ...options, connections: 1, warmUpMs: 500 }, single);
      } finally {
        await Promise.all(proxies.map((proxy) => proxy.stop()));
      }
    }
  } finally {
    load.kill();
    backend.kill();
  }
  const names = Object.keys(starters);
  printThroughput(title, names, busy, options);
  printLatency(names, single, options);
  return busy;
}

/** Warms up each proxy, then adds the rounds to its list of results. */
async function runRounds(
  load: ChildProcess,
  proxies: readonly MeasuredProxy[],
  options: TrafficOptions,
  results: readonly Round[][],
): Promise<void> {
  for (const proxy of proxies) await drive(load, proxy, options, options.warmUpMs);
  for (let round = 0; round < options.rounds; round += 1) {
    for (const [index, proxy] of proxies.entries()) {
      results[index]?.push(await drive(load, proxy, options, options.roundMs));
    }
  }
}

async function drive(
  load: ChildProcess,
  { port, authority, pid, agentPid }: MeasuredProxy,
  { connections, attemptKey }: TrafficOptions,
  durationMs: number,
): Promise<Round> {
  const beforeMs = cpuMs(pid);
  const agentBeforeMs = agentPid === undefined ? 0 : cpuMs(agentPid);
  const headers = browserHeaders;
  const order = { host: "127.0.0.1", port, authority, headers, attemptKey, connections, durationMs };
  const result = await runLoad(load, order);
  if (result.errors > 0) throw new Error(`${authority}: ${result.errors} failed requests`);
  const perRequest = (ms: number) => (ms * 1_000) / result.requests;
  return {
    ...result,
    cpuUs: perRequest(cpuMs(pid) - beforeMs),
    agentCpuUs: agentPid === undefined ? null : perRequest(cpuMs(agentPid) - agentBeforeMs),
  };
}

export async function runLoad(load: ChildProcess, order: LoadOrder): Promise<LoadResult> {
  load.send(order);
  const [result] = await once(load, "message");
  return result as LoadResult;
}

function printThroughput(
  part: string,
  names: readonly string[],
  busy: readonly Round[][],
  options: TrafficOptions,
): void {
  const rps = (round: Round) => (round.requests / round.elapsedMs) * 1_000;
  const agents = busy.map((rounds) =>
    rounds.flatMap(({ agentCpuUs }) => (agentCpuUs === null ? [] : agentCpuUs)),
  );
  const hasAgents = agents.some(({ length }) => length > 0);
  const rows = names.map((name, index) => {
    const rounds = busy[index] ?? [];
    return [
      name,
      formatSpread(spreadOf(rounds.map(rps))),
      formatSpread(ratios(rounds, busy[0] ?? [], rps), 2),
      formatSpread(spreadOf(rounds.map((round) => round.cpuUs))),
      formatSpread(
        ratios(rounds, busy[0] ?? [], (round) => 1 / round.cpuUs),
        2,
      ),
      ...(hasAgents ? [agents[index]?.length ? formatSpread(spreadOf(agents[index])) : "–"] : []),
    ];
  });
  const head = ["path", "requests/s", "ratio", "CPU µs/request", "requests per CPU, ratio"];
  if (hasAgents) head.push("agent CPU µs/request");
  const { connections, starts, rounds: count, roundMs } = options;
  const title = `${part}, ${connections} connections, ${starts} starts, ${count} rounds of ${roundMs} ms each in alternation: median (minimum–maximum)`;
  printRows(title, [head, ...rows]);
}

function printLatency(names: readonly string[], single: readonly Round[][], options: TrafficOptions): void {
  const [base] = single;
  const rows = names.map((name, index) => {
    const rounds = single[index] ?? [];
    const added = (pick: (round: Round) => number) =>
      spreadOf(rounds.map((round, at) => pick(round) - pick((base ?? rounds)[at] ?? round)));
    return [
      name,
      formatSpread(spreadOf(rounds.map((round) => round.p50Us))),
      formatSpread(spreadOf(rounds.map((round) => round.p99Us))),
      formatSpread(added((round) => round.p50Us)),
      formatSpread(added((round) => round.p99Us)),
    ];
  });
  const head = ["path", "p50 µs", "p99 µs", "added p50 µs", "added p99 µs"];
  printRows(
    `Latency, 1 connection, ${options.starts} starts, ${options.rounds} rounds of ${options.roundMs} ms each in alternation`,
    [head, ...rows],
  );
}

/**
 * The ratio of each round to the baseline's neighboring round, which the machine's other load slows equally.
 */
function ratios(rounds: readonly Round[], base: readonly Round[], value: (round: Round) => number): Spread {
  return spreadOf(rounds.map((round, index) => value(round) / value(base[index] ?? round)));
}

function script(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}
