import { once } from "node:events";
import type { Socket } from "node:net";
import { expect, test } from "vitest";
import { startedParts } from "../../support/started-parts.ts";
import {
  received,
  startEcho,
  startNamed,
  TcpMesh,
  type TcpMeshOptions,
  TcpTask,
} from "../../support/tcp-parts.ts";
import { until } from "../../support/until.ts";

const started = startedParts();
const startMesh = (tasks: readonly (TcpTask | null)[], options: TcpMeshOptions = {}) =>
  started(TcpMesh.start(tasks, options));

async function ask(mesh: TcpMesh, text = ""): Promise<string> {
  const client = mesh.connect();
  const answer = received(client);
  client.end(text);
  return String((await answer).bytes);
}

/** Sends bytes on an open connection, and reads as many. */
async function exchange(client: Socket, text: string): Promise<string> {
  client.write(text);
  const [bytes] = (await once(client, "data")) as [Buffer];
  return String(bytes);
}

test("[O170] bytes go both ways through the gateway of the task's node, in the tasks' turn", async () => {
  const mesh = await startMesh([await started(startNamed("a")), await started(startNamed("b"))]);
  const answers = [await ask(mesh), await ask(mesh), await ask(mesh), await ask(mesh)];
  expect(answers).toEqual(["a", "b", "a", "b"]);
  const echo = await startMesh([await started(startEcho())]);
  expect(await ask(echo, "PING\r\n")).toBe("PING\r\n");
});

test("[O170] a server that speaks first is connected at once, and a client may stay silent", async () => {
  const greeter = await started(
    TcpTask.start((socket) => {
      socket.resume().once("end", () => socket.end());
      socket.write("220 ready\r\n");
    }),
  );
  const mesh = await startMesh([greeter]);
  const client = mesh.connect();
  const [greeting] = (await once(client, "data")) as [Buffer];
  expect(String(greeting)).toBe("220 ready\r\n");
  client.destroy();
  await until("the task to see the end", () => greeter.connections.size === 0);
});

test("[O171] each side may end its direction alone", async () => {
  const counter = await started(
    TcpTask.start((socket) => {
      let count = 0;
      socket.on("data", ({ length }) => {
        count += length;
      });
      // The answer comes after the client's end, and the task's end before the client reads.
      socket.once("end", () => socket.end(`${count} bytes`));
    }),
  );
  expect(await ask(await startMesh([counter]), "x".repeat(100_000))).toBe("100000 bytes");
  const late: string[] = [];
  const first = await started(
    TcpTask.start((socket) => {
      socket.end("done");
      socket.on("data", (bytes) => late.push(String(bytes)));
    }),
  );
  const client = (await startMesh([first])).connect();
  const answer = received(client);
  expect(String((await answer).bytes)).toBe("done");
  client.end("after the task's end");
  await until("the task to read what follows its end", () => late.join("") === "after the task's end");
});

test("[O171] a task that resets its connection resets the client's, and the other way round", async () => {
  const resetting = await started(
    TcpTask.start((socket) => socket.once("data", () => socket.resetAndDestroy())),
  );
  const client = (await startMesh([resetting])).connect();
  const answer = received(client);
  client.write("x");
  expect((await answer).isReset).toBe(true);
  const errors: string[] = [];
  const task = await started(
    TcpTask.start((socket) => socket.on("error", ({ message }) => errors.push(message)).resume()),
  );
  const other = (await startMesh([task])).connect();
  other.on("error", () => undefined);
  await until("the task to have the connection", () => task.connections.size === 1);
  other.resetAndDestroy();
  await until("the task to see the reset", () => errors.join().includes("ECONNRESET"));
});

test("[O172] a connection that one task refuses goes to the next, with the bytes the client sent before", async () => {
  const [dead, alive] = [await startEcho(), await started(startEcho())];
  await dead.stop();
  const mesh = await startMesh([dead, null, alive]);
  for (let count = 0; count < 6; count += 1) expect(await ask(mesh, "SET a 1")).toBe("SET a 1");
  expect(mesh.refusals).toEqual([]);
});

test("[O172] the gateway of a dead node, or one without the key, makes the connection go to the next task", async () => {
  const [first, second] = [await started(startNamed("a")), await started(startNamed("b"))];
  const mesh = await startMesh([first, second]);
  await mesh.closeGateway(0);
  expect([await ask(mesh), await ask(mesh), await ask(mesh)]).toEqual(["b", "b", "b"]);
  const foreign = await startMesh([first], { keys: [{ id: "k1", secret: "of another mesh" }] });
  expect(await ask(foreign)).toBe("");
  await until("the refusal to be reported", () => foreign.refusals.length > 0);
  expect(foreign.refusals).toEqual(["no target of db accepted the connection: 1 unreached"]);
});

test("[O172] without a task that accepts it, the connection ends", async () => {
  const dead = await startEcho();
  await dead.stop();
  const mesh = await startMesh([dead, dead]);
  expect(await ask(mesh, "x")).toBe("");
  expect(mesh.refusals).toEqual(["no target of db accepted the connection: 2 refused"]);
});

test("[O173] a stopping task gets no new connections, and keeps those it has", async () => {
  const [old, young] = [await started(startEcho()), await started(startEcho())];
  const mesh = await startMesh([old, young], { policy: "leastconn" });
  const kept = mesh.connect();
  expect(await exchange(kept, "one")).toBe("one");
  const oldIndex = mesh.openAt(0) === 1 ? 0 : 1;
  mesh.stopTask(oldIndex);
  for (let count = 0; count < 4; count += 1) expect(await ask(mesh, "new")).toBe("new");
  expect(await exchange(kept, "two")).toBe("two");
  expect(mesh.openAt(oldIndex)).toBe(1);
  mesh.publish([oldIndex]);
  expect(await exchange(kept, "three")).toBe("three");
  kept.destroy();
  await until("the gateway to count no connection", () => mesh.openAt(oldIndex) === 0);
});

test("[O174] a connection without a byte in either direction ends after the idle timeout", async () => {
  const echo = await started(startEcho());
  const mesh = await startMesh([echo], { options: { idleTimeoutMs: 400 } });
  const client = mesh.connect();
  const beganMs = performance.now();
  const ended = once(client, "close");
  client.resume();
  await until("the task to have the connection", () => echo.connections.size === 1);
  const [sender] = echo.connections;
  // Bytes of the task count as well.
  let ticks = 0;
  const timer = setInterval(() => sender?.write("tick"), 100);
  client.on("data", ({ length }) => {
    ticks += length / 4;
  });
  await until("more ticks than fit into the timeout", () => ticks >= 9);
  expect(client.destroyed).toBe(false);
  clearInterval(timer);
  client.once("end", () => client.end());
  await ended;
  expect(performance.now() - beganMs).toBeGreaterThan(1_200);
  await until("the task to see the end", () => echo.connections.size === 0);
});

test.each(["v1", "v2"] as const)(
  "[O175] a task gets the client's address in the PROXY protocol %s",
  async (sendProxy) => {
    const mesh = await startMesh([await started(startEcho())], { options: { sendProxy } });
    const client = mesh.connect();
    await once(client, "connect");
    const answer = received(client);
    const { localPort = 0 } = client;
    client.end("payload");
    const { bytes } = await answer;
    if (sendProxy === "v1") {
      expect(String(bytes)).toBe(`PROXY TCP4 127.0.0.1 127.0.0.1 ${localPort} ${mesh.port}\r\npayload`);
    } else {
      expect(bytes.subarray(0, 16).toString("hex")).toBe("0d0a0d0a000d0a515549540a2111000c");
      expect([bytes.readUInt16BE(24), bytes.readUInt16BE(26)]).toEqual([localPort, mesh.port]);
      expect(String(bytes.subarray(28))).toBe("payload");
    }
  },
);

test("[O176] a static server is connected directly", async () => {
  const [up, down] = [await started(startNamed("server")), await startEcho()];
  await down.stop();
  const server = (id: string, port: number) => ({
    id,
    name: id,
    weight: 1,
    origin: `http://127.0.0.1:${port}`,
  });
  const mesh = await startMesh([], { servers: [server("s1", down.port), server("s2", up.port)] });
  expect([await ask(mesh), await ask(mesh), await ask(mesh)]).toEqual(["server", "server", "server"]);
});

test("[O177] a task has at most maxconn connections, and others wait for their turn", async () => {
  const echo = await started(startEcho());
  const mesh = await startMesh([echo], { options: { maxconn: 2 } });
  const [first, second] = [mesh.connect(), mesh.connect()];
  await exchange(first, "x");
  await exchange(second, "x");
  const third = mesh.connect();
  const answer = exchange(third, "third");
  expect(echo.accepted).toBe(2);
  first.destroy();
  expect(await answer).toBe("third");
  expect(echo.accepted).toBe(3);
  second.destroy();
  third.destroy();
});

test("[O178] connections of mode tcp take at most three quarters of the descriptors", async () => {
  const mesh = await startMesh([await started(startEcho())], { descriptors: 320 });
  const clients = Array.from({ length: 12 }, () => mesh.connect());
  for (const client of clients) client.on("error", () => undefined).resume();
  await until("the excess to be refused", () => mesh.refusals.length > 0);
  expect(mesh.refusals).toEqual(["too many connections are open on this machine"]);
  await until("seven to be open", () => mesh.openAt(0) === 7);
  for (const client of clients) client.destroy();
  await until("all to be closed", () => mesh.openAt(0) === 0);
  expect(await ask(mesh, "again")).toBe("again");
});
