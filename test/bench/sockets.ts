// Idle WebSockets, against the shortest proxy Worker there is: what each costs in memory, and whether all of them still
// answer after they have said nothing for a while.

import { once } from "node:events";
import { WebSocket } from "ws";
import { baseProxies, cpuMs, type MeasuredProxy, memoryBytes, startAll } from "./proxies.ts";
import { printRows } from "./report.ts";
import { startBulkBackend } from "./streams.ts";

export type SocketOptions = { readonly sockets: number; readonly idleMs: number };

/** Opened at a time: so many that it does not take long, so few that no queue of connections overflows. */
const atATime = 50;

type SocketsResult = {
  readonly openMs: number;
  readonly kib: number;
  readonly alive: number;
  readonly idleCpuMs: number;
};

/** Holds the sockets of each way, one after the other, and prints what came of them. */
export async function benchSockets(options: SocketOptions): Promise<void> {
  const backend = await startBulkBackend();
  const started = await startAll(baseProxies, backend.origin);
  try {
    const rows: string[][] = [["way", "opened in ms", "KiB of workerd each", "CPU ms while idle", "alive"]];
    for (const [index, way] of started.entries()) {
      const { openMs, kib, alive, idleCpuMs } = await holdOpen(way, options);
      const figures = [
        openMs.toFixed(0),
        kib.toFixed(1),
        idleCpuMs.toFixed(0),
        `${alive} of ${options.sockets}`,
      ];
      rows.push([Object.keys(baseProxies)[index] ?? "", ...figures]);
    }
    printRows(
      `${options.sockets} WebSockets, idle for ${options.idleMs / 1_000} s, then one echo each`,
      rows,
    );
  } finally {
    await Promise.all(started.map((way) => way.stop()));
    backend.stop();
  }
}

async function holdOpen(
  way: MeasuredProxy,
  { sockets: count, idleMs }: SocketOptions,
): Promise<SocketsResult> {
  // What the first ones make the process take for good is not counted against the others.
  for (const socket of await open(way, atATime)) socket.terminate();
  const before = memoryBytes(way.pid);
  const startedMs = performance.now();
  const sockets = await open(way, count);
  const openMs = performance.now() - startedMs;
  const cpuBeforeMs = cpuMs(way.pid);
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const idleCpuMs = cpuMs(way.pid) - cpuBeforeMs;
  const kib = (memoryBytes(way.pid) - before) / 1024 / count;
  const echoes = await Promise.all(sockets.map(echoed));
  for (const socket of sockets) socket.terminate();
  return { openMs, kib, idleCpuMs, alive: echoes.filter(Boolean).length };
}

async function open(way: MeasuredProxy, count: number): Promise<readonly WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(atATime, count - sockets.length) }, async () => {
      const headers = { host: way.authority };
      const socket = new WebSocket(`ws://127.0.0.1:${way.port}/`, { headers, perMessageDeflate: false });
      await once(socket, "open");
      return socket;
    });
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

/** True when the socket sends back what it is sent, within a few seconds. */
async function echoed(socket: WebSocket): Promise<boolean> {
  if (socket.readyState !== WebSocket.OPEN) return false;
  socket.send("still there?");
  const late = new Promise<boolean>((resolve) => setTimeout(resolve, 10_000, false).unref());
  const came = once(socket, "message").then(([data]) => String(data) === "still there?");
  return Promise.race([came, late]).catch(() => false);
}
