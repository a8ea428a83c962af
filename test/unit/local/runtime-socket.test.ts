import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { RuntimeSocket } from "../../../src/local/runtime-socket.ts";
import { until } from "../../support/until.ts";

const server = createServer({ pauseOnConnect: true });
afterEach(() => void server.close());

test("[U88] a response is read also if a write fails first, because the peer has reset the connection", async () => {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const socket = new RuntimeSocket().setNoDelay();
  const accepted = once(server, "connection");
  socket.connect({ port: (server.address() as AddressInfo).port, host: "127.0.0.1" });
  const [peer] = (await accepted) as [Socket];
  socket.write("a body that the peer does not read");
  await until("the bytes to arrive", () => socket.writableLength === 0);
  peer.write("response");
  // Unread bytes turn the close into a reset.
  peer.destroySoon();
  await once(peer, "close");

  const failures: unknown[] = [];
  socket.on("error", ({ code }: NodeJS.ErrnoException) => failures.push(code));
  for (let count = 0; count < 3; count += 1) {
    await new Promise<void>((resolve, reject) => {
      socket.write("more", (error) => (error === null || error === undefined ? resolve() : reject(error)));
    });
  }
  let read = "";
  socket.on("data", (bytes) => {
    read += bytes;
  });
  await once(socket, "close");
  expect(read).toBe("response");
  expect(failures.filter((code) => code !== "ECONNRESET")).toEqual([]);
});
