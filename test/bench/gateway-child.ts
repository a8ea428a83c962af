// The gateway of the gateway benchmark, in its own process. Reports its port to the parent.

import { Gateway } from "../../src/agent/gateway/gateway.ts";

/** The key with which the load signs its attempts, and the task's address. */
export type GatewayOrder = { readonly key: string; readonly host: string; readonly port: number };

process.once("message", async ({ key, host, port }: GatewayOrder) => {
  const keys = [{ id: "k1", key: Buffer.from(key, "base64url") }];
  const task = { ports: new Map([[80, { host, port }]]), accepts: true };
  const gateway = await Gateway.open("127.0.0.1", 0, {
    keys: () => keys,
    task: (taskId) => (taskId === "t1" ? task : null),
    clocks: {
      wallMs: () => Date.now(),
      registryMs: () => null,
      monotonicMs: () => performance.now(),
    },
    log: (line) => process.stderr.write(`${line}\n`),
  });
  process.send?.(gateway.port);
});
process.on("disconnect", () => process.exit(0));
