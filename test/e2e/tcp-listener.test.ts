// A listener of mode tcp under load, and beside a real HAProxy.

import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { HaproxyProcess } from "../support/haproxy.ts";
import { freePort } from "../support/mesh-process.ts";
import { missingPrograms } from "../support/program.ts";
import { startedParts } from "../support/started-parts.ts";
import { received, startEcho, TcpMesh, type TcpMeshOptions, TcpTask } from "../support/tcp-parts.ts";
import { until } from "../support/until.ts";

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

test("[O171] 64 MiB arrive whole in both directions at once", async () => {
  const bytes = randomBytes(64 * 1024 * 1024);
  const mesh = await startMesh([await started(startEcho())]);
  const client = mesh.connect();
  const hash = createHash("sha256");
  client.on("data", (part) => hash.update(part));
  const ended = once(client, "end");
  client.end(bytes);
  await ended;
  expect(hash.digest("hex")).toBe(createHash("sha256").update(bytes).digest("hex"));
}, 30_000);

test("[O171] a client that does not read stops the task, and one that the task does not read is stopped", async () => {
  let sent = 0;
  const source = await started(
    TcpTask.start((socket) => {
      const part = Buffer.alloc(64 * 1024);
      const write = (): void => {
        do sent += part.length;
        while (socket.write(part));
      };
      socket.on("drain", write);
      write();
    }),
  );
  const mesh = await startMesh([source]);
  const client = mesh.connect();
  client.pause();
  await until("the task to start", () => sent > 0);
  // The buffers of three sockets and of the kernel.
  let before = -1;
  await until(
    "the task to stop",
    () => {
      const isStill = sent === before;
      before = sent;
      return isStill;
    },
    { everyMs: 300 },
  );
  expect(sent).toBeLessThan(48 * 1024 * 1024);
  client.destroy();
  const sink = await started(TcpTask.start((socket) => socket.pause()));
  const writer = (await startMesh([sink])).connect();
  writer.write(Buffer.alloc(64 * 1024 * 1024));
  await until("the task to have its connection", () => sink.connections.size === 1);
  let queued = -1;
  await until(
    "the client to stop",
    () => {
      const isStill = writer.bytesWritten === queued;
      queued = writer.bytesWritten;
      return isStill;
    },
    { everyMs: 300 },
  );
  expect(process.memoryUsage().arrayBuffers).toBeLessThan(512 * 1024 * 1024);
  writer.destroy();
});

test("[O173] a task killed under load loses its connections alone, and clients that come back are served", async () => {
  const tasks = [await startEcho(), await started(startEcho()), await started(startEcho())];
  const mesh = await startMesh(tasks);
  let isOver = false;
  let failed = 0;
  let served = 0;
  const clients = Array.from({ length: 12 }, async () => {
    while (!isOver) {
      const answer = await ask(mesh, "hello");
      if (answer === "hello") served += 1;
      else failed += 1;
    }
  });
  await until("some load", () => served > 100);
  await tasks[0]?.stop();
  const servedBefore = served;
  await until("more load", () => served > servedBefore + 300);
  isOver = true;
  await Promise.all(clients);
  // A connection of the killed task may be open at that moment.
  expect(failed).toBeLessThanOrEqual(12);
  expect(mesh.refusals).toEqual([]);
});

test("[O178] a thousand idle connections stay open, and each still passes bytes", async () => {
  const mesh = await startMesh([await started(startEcho())]);
  const clients: Socket[] = [];
  for (let count = 0; count < 1_000; count += 1) {
    const client = mesh.connect();
    client.on("error", () => undefined);
    clients.push(client);
    if (count % 50 === 49) await exchange(client, "hello");
  }
  await until("all to be connected", () => mesh.openAt(0) === 1_000);
  expect(await exchange(clients[0] as Socket, "first")).toBe("first");
  expect(await exchange(clients[998] as Socket, "last")).toBe("last");
  for (const client of clients) client.destroy();
  await until("the gateway to count none", () => mesh.openAt(0) === 0);
}, 30_000);

const missing = missingPrograms(["haproxy"]);
const folder = mkdtempSync(join(tmpdir(), "waggle-tcp-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe(missing.length > 0 ? "skipped: no haproxy; apt-get install haproxy" : "beside HAProxy", () => {
  const beside = test.skipIf(missing.length > 0);

  /** Connects as `ask` does, to any port of this machine, and says how it ended. */
  async function askAt(port: number, text: string) {
    const client = connect({ host: "127.0.0.1", port, allowHalfOpen: true });
    const answer = received(client);
    await once(client, "connect");
    const { localPort = 0 } = client;
    client.end(text);
    return { ...(await answer), localPort };
  }

  /** Ports of the mesh and of a HAProxy for the same servers. @param params of each `server` line */
  async function bothFor(tasks: readonly TcpTask[], params: string, options: TcpMeshOptions["options"] = {}) {
    const servers = tasks.map(({ port }, index) => {
      return { id: `s${index}`, name: `s${index}`, weight: 1, origin: `http://127.0.0.1:${port}` };
    });
    const mesh = await startMesh([], { servers, options });
    const port = await freePort();
    const lines = tasks.map((task, index) => `  server s${index} 127.0.0.1:${task.port} ${params}`);
    const timeouts = "  timeout connect 2s\n  timeout client 30s\n  timeout server 30s";
    const listen = `listen db\n  mode tcp\n  bind 127.0.0.1:${port}\n  option redispatch 1\n${timeouts}`;
    const haproxy = await HaproxyProcess.start(folder, `p${port}`, `${listen}\n${lines.join("\n")}\n`);
    if (haproxy === null) throw new Error("HAProxy refused the configuration");
    await started(Promise.resolve(haproxy));
    return { mesh: mesh.port, haproxy: port };
  }

  beside(
    "[O172] a refused server costs no connection, and without any the client gets a clean end",
    async () => {
      const dead = await startEcho();
      await dead.stop();
      const some = await bothFor([dead, await started(startEcho())], "");
      const none = await bothFor([dead, dead], "");
      for (const side of ["mesh", "haproxy"] as const) {
        for (let count = 0; count < 4; count += 1) {
          const { bytes, isReset } = await askAt(some[side], "early bytes");
          expect([side, String(bytes), isReset]).toEqual([side, "early bytes", false]);
        }
        const { bytes, isReset } = await askAt(none[side], "early bytes");
        expect([side, bytes.length, isReset]).toEqual([side, 0, false]);
      }
    },
  );

  beside("[O171] the end of the client's direction leaves the answer whole", async () => {
    const size = 1_000_000;
    const task = await started(
      TcpTask.start((socket) => socket.resume().once("end", () => socket.end(Buffer.alloc(size, 1)))),
    );
    const ports = await bothFor([task], "");
    for (const side of ["mesh", "haproxy"] as const) {
      const { bytes, isReset } = await askAt(ports[side], "question");
      expect([side, bytes.length, isReset]).toEqual([side, size, false]);
    }
  });

  beside.each([
    ["v1", "send-proxy"],
    ["v2", "send-proxy-v2"],
  ] as const)("[O162] the PROXY header %s is HAProxy's, byte for byte", async (sendProxy, params) => {
    const echo = await started(startEcho());
    const ports = await bothFor([echo], params, { sendProxy });
    const headers = [];
    for (const side of ["mesh", "haproxy"] as const) {
      // HAProxy may close a connection whose client ends without a byte before it connects.
      const { bytes, localPort } = await askAt(ports[side], "hi");
      // The ports differ from one connection to the next.
      const portBytes = Buffer.from([localPort >> 8, localPort & 255, ports[side] >> 8, ports[side] & 255]);
      headers.push(
        sendProxy === "v1"
          ? String(bytes).replace(` ${localPort} ${ports[side]}\r\n`, " PORTS\r\n")
          : bytes.toString("hex").replace(portBytes.toString("hex"), "PORTS"),
      );
    }
    expect(headers[0]).toBe(headers[1]);
    expect(headers[0]).toContain("PORTS");
  });
});
