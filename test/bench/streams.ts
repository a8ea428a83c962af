// Long bodies, up and down, against the shortest proxy Worker there is: how many bytes a second, and whether the memory
// of workerd stays what it was.

import { type ChildProcess, fork, spawn } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { BulkOrder, BulkResult } from "./bulk-load.ts";
import { baseProxies, type MeasuredProxy, memoryBytes, startAll } from "./proxies.ts";
import { formatSpread, printRows, spreadOf } from "./report.ts";

export type StreamOptions = { readonly bytes: number; readonly rounds: number };

const mebibyte = 1024 ** 2;
/** What a first body makes a process take for good is not counted against the next. */
const warmBytes = 64 * mebibyte;
const watchEveryMs = 20;

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

/** Runs the rounds by turns and prints them. */
export async function benchStreams(options: StreamOptions): Promise<void> {
  const backend = await startBulkBackend();
  const started = await startAll(baseProxies, backend.origin);
  const load = fork(script("bulk-load.ts"));
  try {
    for (const direction of ["down", "up"] as const) {
      for (const way of started) await stream(load, way, direction, warmBytes);
      const all: [Stream[], Stream[]] = [[], []];
      for (let round = 0; round < options.rounds; round += 1) {
        for (const [index, way] of started.entries()) {
          all[index]?.push(await stream(load, way, direction, options.bytes));
        }
      }
      print(direction, all, options);
    }
  } finally {
    load.kill();
    await Promise.all(started.map((way) => way.stop()));
    backend.stop();
  }
}

async function stream(
  load: ChildProcess,
  way: MeasuredProxy,
  direction: BulkOrder["direction"],
  bytes: number,
): Promise<Stream> {
  const before = memoryBytes(way.pid);
  let most = before;
  const watch = setInterval(() => {
    most = Math.max(most, memoryBytes(way.pid));
  }, watchEveryMs);
  load.send({ port: way.port, authority: way.authority, direction, bytes } satisfies BulkOrder);
  const [result] = (await once(load, "message")) as [BulkResult];
  clearInterval(watch);
  if (result.bytes !== bytes) throw new Error(`${direction}: ${result.bytes} of ${bytes} bytes arrived`);
  return { rate: bytes / mebibyte / (result.elapsedMs / 1_000), grownMiB: (most - before) / mebibyte };
}

function print(
  direction: BulkOrder["direction"],
  all: readonly (readonly Stream[])[],
  { bytes, rounds }: StreamOptions,
): void {
  const rows = Object.keys(baseProxies).map((name, index) => {
    const own = all[index] ?? [];
    const ratio = own.map(({ rate }, round) => rate / (all[0]?.[round]?.rate ?? rate));
    const rates = spreadOf(own.map(({ rate }) => rate));
    return [
      name,
      formatSpread(rates),
      formatSpread(spreadOf(ratio), 2),
      formatSpread(spreadOf(own.map(({ grownMiB }) => grownMiB)), 1),
    ];
  });
  const head = ["way", "MiB/s", "ratio", "workerd grew by MiB at most"];
  printRows(`${bytes / mebibyte} MiB ${direction}, ${rounds} rounds by turns: median (least–most)`, [
    head,
    ...rows,
  ]);
}

function script(name: string): string {
  return fileURLToPath(new URL(`./${name}`, import.meta.url));
}
