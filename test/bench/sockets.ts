// The WebSocket benchmark: memory of each idle WebSocket, and whether all still work afterwards, compared
// with the minimal proxy Worker.

import { once } from "node:events";
import { WebSocket } from "ws";
import { baseProxies, cpuMs, type MeasuredProxy, memoryBytes, startAll } from "./proxies.ts";
import { printRows } from "./report.ts";
import { startBulkBackend } from "./streams.ts";

export type SocketOptions = { readonly sockets: number; readonly idleMs: number };

/** Sockets opened at the same time; more would overflow the queue of connections. */
const maxOpening = 50;

type SocketsResult = {
  readonly openMs: number;
  readonly kib: number;
  readonly alive: number;
  readonly idleCpuMs: number;
};

/** Measures the proxies one after the other and prints the results. */
export async function benchSockets(options: SocketOptions): Promise<void> {
  const backend = await startBulkBackend();
  const proxies = await startAll(baseProxies, backend.origin);
  try {
    const rows: string[][] = [["path", "opened in ms", "KiB of workerd each", "CPU ms while idle", "alive"]];
    for (const [index, proxy] of proxies.entries()) {
      const { openMs, kib, alive, idleCpuMs } = await holdOpen(proxy, options);
      const cells = [
        openMs.toFixed(0),
        kib.toFixed(1),
        idleCpuMs.toFixed(0),
        `${alive} of ${options.sockets}`,
      ];
      rows.push([Object.keys(baseProxies)[index] ?? "", ...cells]);
    }
    printRows(
      `${options.sockets} WebSockets, idle for ${options.idleMs / 1_000} s, then one echo each`,
      rows,
    );
  } finally {
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    backend.stop();
  }
}

async function holdOpen(
  proxy: MeasuredProxy,
  { sockets: count, idleMs }: SocketOptions,
): Promise<SocketsResult> {
  // A first batch, so that one-time allocations of the process do not count.
  for (const socket of await open(proxy, maxOpening)) socket.terminate();
  const before = memoryBytes(proxy.pid);
  const startedMs = performance.now();
  const sockets = await open(proxy, count);
  const openMs = performance.now() - startedMs;
  const cpuBeforeMs = cpuMs(proxy.pid);
  await new Promise((resolve) => setTimeout(resolve, idleMs));
  const idleCpuMs = cpuMs(proxy.pid) - cpuBeforeMs;
  const kib = (memoryBytes(proxy.pid) - before) / 1024 / count;
  const echoes = await Promise.all(sockets.map(echoed));
  for (const socket of sockets) socket.terminate();
  return { openMs, kib, idleCpuMs, alive: echoes.filter(Boolean).length };
}

async function open(proxy: MeasuredProxy, count: number): Promise<readonly WebSocket[]> {
  const sockets: WebSocket[] = [];
  while (sockets.length < count) {
    const some = Array.from({ length: Math.min(maxOpening, count - sockets.length) }, async () => {
      const headers = { host: proxy.authority };
      const socket = new WebSocket(`ws://127.0.0.1:${proxy.port}/`, { headers, perMessageDeflate: false });
      await once(socket, "open");
      return socket;
    });
    sockets.push(...(await Promise.all(some)));
  }
  return sockets;
}

/** Whether the socket echoes a message within ten seconds. */
async function echoed(socket: WebSocket): Promise<boolean> {
  if (socket.readyState !== WebSocket.OPEN) return false;
  socket.send("still there?");
  const timeout = new Promise<boolean>((resolve) => setTimeout(resolve, 10_000, false).unref());
  const echo = once(socket, "message").then(([data]) => String(data) === "still there?");
  return Promise.race([echo, timeout]).catch(() => false);
}
