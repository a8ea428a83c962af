// The transports benchmark: a Worker that reaches a task through the gateway of its node by each transport,
// and the shortest Worker that fetches the task itself.

import { type ChildProcess, fork } from "node:child_process";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { Miniflare } from "miniflare";
import { nodeKeyText } from "../../src/gateway/attempt.ts";
import { bundleWorker } from "../../src/local/bundle.ts";
import { exchange } from "../support/raw-exchange.ts";
import { until } from "../support/until.ts";
import type { GatewayOrder, TunnelOrder } from "./gateway-child.ts";
import { baseProxies, type MeasuredProxy, newWorkerd, type ProxyStarters, workerds } from "./proxies.ts";
import { formatSpread, spreadOf } from "./report.ts";
import { compare, type TrafficOptions } from "./traffic.ts";

type Transport = "direct" | "vpc" | "tunnel";

const nodeId = "n".repeat(25);
const secret = "bench-mesh-key";

const starters: ProxyStarters = {
  "Worker → task": baseProxies["three-line proxy"] as ProxyStarters[string],
  direct: (origin) => startTransport("direct", origin),
  "vpc (stand-in)": (origin) => startTransport("vpc", origin),
  tunnel: (origin) => startTransport("tunnel", origin),
};

/**
 * Compares throughput, latency, and CPU time of workerd and of the agent. The Durable Object of a tunnel runs
 * in the Worker's process; its CPU time is what workerd takes more than for direct.
 */
export async function benchTransports(options: TrafficOptions): Promise<void> {
  const busy = await compare("Transports", starters, options);
  const names = Object.keys(starters);
  const cpuOf = (name: string) => (busy[names.indexOf(name)] ?? []).map(({ cpuUs }) => cpuUs);
  const direct = cpuOf("direct");
  const object = cpuOf("tunnel").map((cpuUs, round) => cpuUs - (direct[round] ?? Number.NaN));
  console.log(
    `\n  workerd for tunnel without workerd for direct: ${formatSpread(spreadOf(object))} µs/request`,
  );
}

async function startTransport(transport: Transport, origin: string): Promise<MeasuredProxy> {
  const agent = await startAgent(origin);
  const before = workerds();
  const miniflare = await startWorker(transport, `http://127.0.0.1:${agent.gatewayPort}`);
  const { port, host } = await miniflare.unsafeGetDirectURL("transport", "default");
  if (transport === "tunnel") agent.child.send({ tunnelUrl: `http://${host}` } satisfies TunnelOrder);
  await until(`a response by ${transport}`, async () => {
    const { text } = await exchange(Number(port), [get], { isDone: (received) => received !== "" });
    return text.startsWith("HTTP/1.1 200");
  });
  return {
    port: Number(port),
    authority: host,
    pid: newWorkerd(before),
    agentPid: agent.child.pid ?? 0,
    stop: async () => {
      const exited = once(agent.child, "exit");
      agent.child.kill();
      await exited;
      await miniflare.dispose();
    },
  };
}

const get = "GET / HTTP/1.1\r\nHost: bench\r\n\r\n";

/** The gateway of an agent, and its end of the tunnel. */
async function startAgent(origin: string): Promise<{ child: ChildProcess; gatewayPort: number }> {
  const { hostname, port } = new URL(origin);
  const child = fork(fileURLToPath(new URL("./gateway-child.ts", import.meta.url)));
  const key = createHmac("sha256", secret).update(nodeKeyText(nodeId)).digest("base64url");
  child.send({ key, host: hostname, port: Number(port) } satisfies GatewayOrder);
  const [gatewayPort] = (await once(child, "message")) as [number];
  return { child, gatewayPort };
}

async function startWorker(transport: Transport, gateway: string): Promise<Miniflare> {
  const { source, compatibilityDate } = await bundleWorker("test/workers/transports/transport-worker.ts");
  const text = (value: string) => ({ type: "json" as const, value });
  const miniflare = new Miniflare({
    cf: false,
    logRequests: false,
    host: "127.0.0.1",
    port: 0,
    workers: [
      {
        config: {
          name: "transport",
          compatibilityDate,
          compatibilityFlags: ["enable_request_signal"],
          manifest: {
            mainModule: "worker.mjs",
            modulesRoot: "/",
            modules: { "worker.mjs": { type: "esm", contents: source } },
          },
          env: {
            TRANSPORT: text(transport),
            GATEWAY: text(gateway),
            NODE_ID: text(nodeId),
            SECRET: text(secret),
            TUNNEL: { type: "durable-object", worker: "transport", exportName: "MeshTunnel" },
          },
          exports: { MeshTunnel: { type: "durable-object", storage: "sqlite" } },
        },
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0, entrypoint: "default" }] },
      },
    ],
  });
  await miniflare.ready;
  return miniflare;
}
