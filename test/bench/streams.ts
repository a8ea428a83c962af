// The stream benchmark: throughput of long bodies up and down, and the memory of workerd meanwhile, compared
// with the minimal proxy Worker.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { BulkOrder, BulkResult } from "./bulk-load.ts";
import { baseProxies, type MeasuredProxy, memoryBytes, startAll } from "./proxies.ts";
import { formatSpread, printRows, spreadOf } from "./report.ts";

export type StreamOptions = { readonly bytes: number; readonly rounds: number };

const mebibyte = 1024 ** 2;
/** Length of a first body, so that one-time allocations of the process do not count. */
const warmBytes = 64 * mebibyte;
const memoryPollMs = 20;

type Stream = { readonly rate: number; readonly grownMiB: number };

/** Starts the task of long bodies and WebSockets. */
export async function startBulkBackend(): Promise<{ readonly origin: string; readonly stop: () => void }> {
  const child = spawn(process.execPath, [script("bulk-backend.ts")], {
    stdio: ["ignore", "pipe", "inherit", "ipc"],
  });
  if (child.stdout === null) throw new Error("the backend has no output to read its port from");
  const [line] = await once(child.stdout, "data");
  return { origin: `http://127.0.0.1:${Number(String(line))}`, stop: () => void child.kill() };
}

/** Measures the proxies in alternation and prints the results. */
export async function benchStreams(options: StreamOptions): Promise<void> {
  const backend = await startBulkBackend();
  const proxies = await startAll(baseProxies, backend.origin);
  const load = fork(script("bulk-load.ts"));
  try {
    for (const direction of ["down", "up"] as const) {
      for (const proxy of proxies) await stream(load, proxy, direction, warmBytes);
      const results: [Stream[], Stream[]] = [[], []];
      for (let round = 0; round < options.rounds; round += 1) {
        for (const [index, proxy] of proxies.entries()) {
          results[index]?.push(await stream(load, proxy, direction, options.bytes));
        }
      }
      print(direction, results, options);
    }
  } finally {
    load.kill();
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    backend.stop();
  }
}

async function stream(
  load: ChildProcess,
  proxy: MeasuredProxy,
  direction: BulkOrder["direction"],
  bytes: number,
): Promise<Stream> {
  const before = memoryBytes(proxy.pid);
  let peak = before;
  const watch = setInterval(() => {
    peak = Math.max(peak, memoryBytes(proxy.pid));
  }, memoryPollMs);
  load.send({ port: proxy.port, authority: proxy.authority, direction, bytes } satisfies BulkOrder);
  const [result] = (await once(load, "message")) as [BulkResult];
  clearInterval(watch);
  if (result.bytes !== bytes) throw new Error(`${direction}: ${result.bytes} of ${bytes} bytes arrived`);
  return { rate: bytes / mebibyte / (result.elapsedMs / 1_000), grownMiB: (peak - before) / mebibyte };
}

function print(
  direction: BulkOrder["direction"],
  results: readonly (readonly Stream[])[],
  { bytes, rounds }: StreamOptions,
): void {
  const rows = Object.keys(baseProxies).map((name, index) => {
    const streams = results[index] ?? [];
    const ratios = streams.map(({ rate }, round) => rate / (results[0]?.[round]?.rate ?? rate));
    return [
      name,
      formatSpread(spreadOf(streams.map(({ rate }) => rate))),
      formatSpread(spreadOf(ratios), 2),
      formatSpread(spreadOf(streams.map(({ grownMiB }) => grownMiB)), 1),
    ];
  });
  const head = ["path", "MiB/s", "ratio", "maximum growth of workerd, MiB"];
  const title = `${bytes / mebibyte} MiB ${direction}, ${rounds} rounds in alternation: median (minimum–maximum)`;
  printRows(title, [head, ...rows]);
}

function script(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}
