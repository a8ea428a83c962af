import type { AddressInfo } from "node:net";
import { createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { TargetDialer } from "../../../src/local/dial-target.ts";
import type { Target } from "../../../src/proxy/routing/target-pool.ts";

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

/** A program at the address of a gateway. @param answer to each request head; null: silence */
async function startFake(answer: string | null) {
  let received = "";
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      received += bytes;
      if (answer !== null) socket.write(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return { base, received: () => received };
}

function targetAt(base: string, transport: "direct" | "vpc" | "tunnel" = "direct"): Target {
  const share = { weight: 1 };
  return {
    taskId: "t1",
    slot: 1,
    nodeId: "n1",
    server: null,
    port: 80,
    origin: null,
    gateway: { transport, base },
    share,
  };
}

const key = { id: "k1", secret: "a-secret-of-this-mesh" };
const dialer = (keys = [key]) =>
  new TargetDialer("router", { keys: () => keys, signingKey: () => key.id }, () => 1_000, null);
const never = new AbortController().signal;

const switching = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: waggle-tcp\r\n";

test.each([
  ["a 101 without a mark", `${switching}\r\n`],
  ["a 101 with another mark", `${switching}x-waggle-gateway: task AAAAAAAAAAAAAAAAAAAAAA\r\n\r\n`],
  ["a refusal without a mark", "HTTP/1.1 503 No\r\nx-waggle-gateway: refused x\r\nContent-Length: 0\r\n\r\n"],
  ["another protocol", "SSH-2.0-OpenSSH_9.2\r\n"],
])("[O183] %s is not the gateway's: it counts as unreached", async (_, answer) => {
  const fake = await startFake(answer);
  expect(await dialer().dial(targetAt(fake.base), 5_000, never)).toBe("unreached");
  expect(fake.received().split("\r\n\r\n")).toEqual([expect.stringMatching(/^GET \/ HTTP\/1\.1\r\n/), ""]);
});

test("[O183] a gateway that does not answer in time, or for a client that has left, counts as unreached", async () => {
  const fake = await startFake(null);
  expect(await dialer().dial(targetAt(fake.base), 50, never)).toBe("unreached");
  const client = new AbortController();
  const dialed = dialer().dial(targetAt(fake.base), 60_000, client.signal);
  client.abort();
  expect(await dialed).toBe("unreached");
});

test("[O183] without a key, and to a node with another transport, nothing is sent", async () => {
  const fake = await startFake(`${switching}\r\n`);
  expect(await dialer([]).dial(targetAt(fake.base), 60, never)).toBe("unreached");
  for (const transport of ["vpc", "tunnel"] as const) {
    expect(await dialer().dial(targetAt(fake.base, transport), 5_000, never)).toBe("unreached");
  }
  expect(fake.received()).toBe("");
});

test("[O183] a connection that comes before the first key waits for it", async () => {
  const fake = await startFake(`${switching}\r\n`);
  const keys: (typeof key)[] = [];
  const dialed = dialer(keys).dial(targetAt(fake.base), 5_000, never);
  keys.push(key);
  expect(await dialed).toBe("unreached");
  expect(fake.received()).toContain("x-waggle-attempt: 1 k1 t1 80 ");
});
