// How joined connections end, each a real one of TCP.

import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import { joinStreams, resetStream } from "../../../src/net/join-streams.ts";
import { received } from "../../support/tcp-parts.ts";

const servers = new Set<Server>();
const sockets = new Set<Socket>();

afterEach(() => {
  for (const socket of sockets) socket.destroy();
  for (const server of servers) server.close();
  sockets.clear();
  servers.clear();
});

/** Both ends of a connection. */
async function pair(pauseOnConnect = false): Promise<[peer: Socket, own: Socket]> {
  const server = createServer({ allowHalfOpen: true, pauseOnConnect });
  servers.add(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const peer = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  const [own] = (await once(server, "connection")) as [Socket];
  for (const socket of [peer, own]) sockets.add(socket.on("error", () => undefined));
  return [peer, own];
}

/** Two programs, and the ends of their connections that are joined. */
async function joined(halfOpenMs?: number) {
  const [[client, one], [task, other]] = [await pair(), await pair()];
  joinStreams(one, other, halfOpenMs);
  return { client, one, task, other };
}

test("[O400] the end of one side is passed on alone, and the other one may go on", async () => {
  const { client, one, task, other } = await joined();
  const [asked, answered] = [received(task), received(client)];
  client.end("question");
  expect(String((await asked).bytes)).toBe("question");
  const closed = Promise.all([once(one, "close"), once(other, "close")]);
  task.end("answer");
  expect(await answered).toEqual({ bytes: Buffer.from("answer"), isReset: false });
  await closed;
});

test("[O400] a side that is reset, or closed before its end, resets the other", async () => {
  for (const how of ["reset", "closed"]) {
    const { client, task, other } = await joined();
    const answered = received(client);
    client.write("question");
    await once(task, "data");
    if (how === "reset") task.resetAndDestroy();
    else other.destroy();
    expect((await answered).isReset).toBe(true);
  }
});

test("[O400] once a side is closed, the other one gets what is left for it and is closed as well", async () => {
  const { client, one, task, other } = await joined();
  const asked = received(task);
  other.cork();
  client.end("question");
  await once(one, "end");
  one.destroy();
  const closed = once(other, "close");
  other.uncork();
  expect(await asked).toEqual({ bytes: Buffer.from("question"), isReset: false });
  await closed;
});

test("[O401] with a limit, a side that goes on for longer after the other ended is closed, and not before", async () => {
  const { client, one, task, other } = await joined(200);
  task.resume();
  client.end();
  await once(task, "end");
  const endedMs = performance.now();
  await Promise.all([once(one, "close"), once(other, "close")]);
  expect(performance.now() - endedMs).toBeGreaterThan(150);
});

test("[O289] a connection that is reset while its last bytes are on their way is closed", async () => {
  const [socket] = await pair(true);
  const errors: Error[] = [];
  socket.on("error", (error) => errors.push(error));
  // More than the kernel takes, so that the shutdown waits.
  socket.end(Buffer.alloc(32 * 1024 * 1024));
  await new Promise((resolve) => setImmediate(resolve));
  expect(socket.writableFinished).toBe(false);
  const closed = once(socket, "close");
  resetStream(socket);
  await closed;
  expect(errors).toEqual([]);
});
