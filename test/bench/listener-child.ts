// The process in front of the runtime in the listener benchmark. Reports its port to the parent.

import { type AddressInfo, connect, createServer } from "node:net";
import { Listener } from "../../src/local/listener.ts";
import { listenerProfile } from "../../src/local/listener-profile.ts";
import { RuntimeAgent } from "../../src/local/runtime-agent.ts";
import type { ListenerOrder } from "./listener.ts";

process.once("message", async (order: ListenerOrder) => {
  process.send?.(order.kind === "copy" ? await openCopy(order) : await openListener(order));
});
process.on("disconnect", () => process.exit(0));

async function openListener({ upstreamPort, entryKey }: ListenerOrder): Promise<number> {
  const profile = listenerProfile({ role: "edge", nodeId: null, published: null }, entryKey);
  const listener = await Listener.open(
    "127.0.0.1",
    0,
    profile,
    new RuntimeAgent({ host: "127.0.0.1", port: upstreamPort }),
  );
  return listener.port;
}

/** The least that a process in front of the runtime does. */
function openCopy({ upstreamPort }: ListenerOrder): Promise<number> {
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ port: upstreamPort, host: "127.0.0.1", noDelay: true });
    client.pipe(upstream).pipe(client);
    client.on("error", () => upstream.destroy());
    upstream.on("error", () => client.destroy());
  });
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () => resolve((server.address() as AddressInfo).port));
  });
}
