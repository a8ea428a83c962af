// The gateway of the benchmarks, in its own process. Reports its port to the parent.

import { Gateway } from "../../src/agent/gateway/gateway.ts";
import { TunnelClient } from "../../src/agent/tunnel/tunnel-client.ts";

/** The key with which the load signs its attempts, and the task's address. */
export type GatewayOrder = { readonly key: string; readonly host: string; readonly port: number };

/** Where the gateway opens a tunnel; sent after the first order. */
export type TunnelOrder = { readonly tunnelUrl: string };

const log = (line: string): unknown => process.stderr.write(`${line}\n`);

process.once("message", async (order: GatewayOrder) => {
  const gateway = await openGateway(order);
  process.once("message", ({ tunnelUrl }: TunnelOrder) => openTunnel(tunnelUrl, gateway));
  process.send?.(gateway.port);
});
process.on("disconnect", () => process.exit(0));

function openGateway({ key, host, port }: GatewayOrder): Promise<Gateway> {
  const keys = [{ id: "k1", key: Buffer.from(key, "base64url") }];
  const task = { ports: new Map([[80, { host, port }]]), accepts: true };
  return Gateway.open("127.0.0.1", 0, {
    keys: () => keys,
    task: (taskId) => (taskId === "t1" ? task : null),
    clocks: {
      wallMs: () => Date.now(),
      registryMs: () => null,
      monotonicMs: () => performance.now(),
    },
    log,
  });
}

function openTunnel(url: string, gateway: Gateway): void {
  const client = new TunnelClient({
    url,
    membership: { nodeId: "n".repeat(25), credential: "c".repeat(32) },
    handle: (received) => gateway.handle(received),
    log,
    nowMs: Date.now,
    random: Math.random,
  });
  void client.run(new AbortController().signal);
}
