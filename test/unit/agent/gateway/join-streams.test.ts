// How a connection of the gateway ends when its exchange is over.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { expect, test } from "vitest";
import { resetStream } from "../../../../src/agent/gateway/join-streams.ts";

test("[O289] a connection that is reset while its last bytes are on their way is closed", async () => {
  const peers: Socket[] = [];
  const server = createServer({ pauseOnConnect: true }, (peer) => {
    peers.push(peer.on("error", () => undefined));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  const errors: Error[] = [];
  socket.on("error", (error) => errors.push(error));
  await once(socket, "connect");
  // More than the kernel takes, so that the shutdown waits.
  socket.end(Buffer.alloc(32 * 1024 * 1024));
  await new Promise((resolve) => setImmediate(resolve));
  expect(socket.writableFinished).toBe(false);
  const closed = once(socket, "close");
  resetStream(socket);
  await closed;
  expect(errors).toEqual([]);
  for (const peer of peers) peer.destroy();
  server.close();
});
