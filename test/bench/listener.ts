// The listener benchmark: a request through a listener of a mesh on one machine, through a process that only
// copies bytes, and straight to the runtime's socket.

import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { type MeasuredProxy, type ProxyStarters, startWaggle } from "./proxies.ts";
import { compare, type TrafficOptions } from "./traffic.ts";

/** What the child process opens in front of the runtime. */
export type ListenerOrder = {
  readonly kind: "copy" | "listener";
  readonly upstreamPort: number;
  readonly entryKey: string;
};

const starters: ProxyStarters = {
  "runtime's socket": (origin) => startWaggle(origin, true),
  "bytes copied": (origin) => startBehind("copy", origin),
  listener: (origin) => startBehind("listener", origin),
};

/** Compares throughput and latency. The CPU time is that of the process in front of the runtime. */
export async function benchListener(options: TrafficOptions): Promise<void> {
  await compare("Listener", starters, options);
}

async function startBehind(kind: ListenerOrder["kind"], origin: string): Promise<MeasuredProxy> {
  const runtime = await startWaggle(origin, true);
  const child = fork(fileURLToPath(new URL("./listener-child.ts", import.meta.url)));
  const upstreamPort = kind === "copy" ? runtime.port : runtime.entryPort;
  child.send({ kind, upstreamPort, entryKey: runtime.entryKey } satisfies ListenerOrder);
  const [port] = (await once(child, "message")) as [number];
  return {
    port,
    authority: runtime.authority,
    pid: child.pid ?? 0,
    stop: async () => {
      await stopChild(child);
      await runtime.stop();
    },
  };
}

async function stopChild(child: ChildProcess): Promise<void> {
  child.kill();
  await once(child, "exit");
}
