// Static servers behind the exit of a machine: what reaches them, and what cannot be reached through it.

import { createHmac } from "node:crypto";
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import {
  attemptHeader,
  exitKeyId,
  exitNodeId,
  nodeKeyText,
  targetHeader,
} from "../../src/gateway/attempt.ts";
import { requestBytes, sign } from "../support/gateway.ts";
import { freePort, MeshProcess } from "../support/mesh-process.ts";
import { exchange } from "../support/raw-exchange.ts";
import { until } from "../support/until.ts";

let mesh: MeshProcess;
const closes: (() => void)[] = [];

beforeAll(async () => {
  mesh = await MeshProcess.start(["--nodes", "0"]);
});

afterEach(() => {
  for (const close of closes.splice(0)) close();
});

afterAll(() => mesh?.remove());

type Seen = { readonly head: string; readonly connection: number };

/** A server that records the heads of requests, and ends each connection at its second request. */
async function oneRequestServer(): Promise<{ readonly port: number; readonly seen: Seen[] }> {
  const seen: Seen[] = [];
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections += 1;
    const connection = connections;
    let received = "";
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      received += bytes.toString("latin1");
      const end = received.indexOf("\r\n\r\n");
      const length = Number(/\r\ncontent-length: (\d+)/i.exec(received)?.[1] ?? 0);
      if (end < 0 || received.length < end + 4 + length) return;
      if (seen.some((request) => request.connection === connection)) {
        socket.destroy();
        return;
      }
      seen.push({ head: received.slice(0, end), connection });
      received = "";
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    });
  });
  const port = await listen(server);
  closes.push(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { port, seen };
}

async function listen(server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

let services = 0;

/** A service with servers at some addresses. @returns its published port, which is open */
async function publish(addresses: readonly string[], ...flags: readonly string[]): Promise<number> {
  services += 1;
  const port = await freePort();
  for (const [index, address] of addresses.entries()) {
    const first = index === 0 ? ["-p", `${port}:80`, ...flags] : [];
    const added = await mesh.waggle("server", "add", `web${services}`, `s${index}`, address, ...first);
    expect([added.code, added.err]).toEqual([0, ""]);
  }
  await until(`port ${port} to be open`, async () => {
    const { text } = await exchange(port, [get("/ready", "Connection: close")]);
    return / 200 /.test(text.slice(0, 20));
  });
  return port;
}

function get(target: string, ...lines: readonly string[]): string {
  return `${[`GET ${target} HTTP/1.1`, "Host: a.test", ...lines].join("\r\n")}\r\n\r\n`;
}

const post = "POST /order HTTP/1.1\r\nHost: a.test\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";

async function statusOf(port: number, bytes: string): Promise<number> {
  const { text } = await exchange(port, [bytes]);
  return Number(/^HTTP\/1\.1 (\d{3})/.exec(text)?.[1]);
}

test("[O280] a static server gets targets byte for byte, by GET and by POST", async () => {
  const server = await oneRequestServer();
  const port = await publish([`127.0.0.1:${server.port}`]);
  const targets = ["/?q='x'", "/a{b}^", "/a/../b", "/%2e%2E/a", "/a/./?x=..'", "//b.test/a^", "/plain?x=%27"];
  for (const target of targets) {
    server.seen.length = 0;
    const close = "Connection: close";
    await statusOf(port, get(target, close));
    await statusOf(port, post.replace("/order", target));
    const lines = server.seen.map(({ head }) => head.split("\r\n")[0]);
    expect(lines).toEqual([`GET ${target} HTTP/1.1`, `POST ${target} HTTP/1.1`]);
    for (const { head } of server.seen)
      expect(head.toLowerCase()).toContain(`\r\nhost: 127.0.0.1:${server.port}`);
  }
});

test("[O282] no POST travels on a connection that carried another request", async () => {
  const server = await oneRequestServer();
  const port = await publish([`127.0.0.1:${server.port}`]);
  server.seen.length = 0;
  const statuses: number[] = [];
  for (let count = 0; count < 10; count += 1) {
    await statusOf(port, get("/", "Connection: close"));
    statuses.push(await statusOf(port, post));
  }
  expect(statuses).toEqual(Array(10).fill(200));
  const posts = server.seen.filter(({ head }) => head.startsWith("POST"));
  expect(new Set(posts.map(({ connection }) => connection)).size).toBe(10);
});

test("[O282] a POST that a server does not accept reaches the next one, each time", async () => {
  const server = await oneRequestServer();
  const closedPort = await freePort();
  const port = await publish([`127.0.0.1:${server.port}`, `127.0.0.1:${closedPort}`]);
  const statuses = [];
  for (let count = 0; count < 6; count += 1) statuses.push(await statusOf(port, post));
  expect(statuses).toEqual(Array(6).fill(200));
});

test("[O284] waggle.host-header sets the Host of a static server", async () => {
  const server = await oneRequestServer();
  const label = ["--label", "waggle.host-header=app.internal:8080"];
  const port = await publish([`127.0.0.1:${server.port}`], ...label);
  server.seen.length = 0;
  expect(await statusOf(port, get("/", "Connection: close"))).toBe(200);
  expect(server.seen[0]?.head).toMatch(/\r\nhost: app\.internal:8080(?:\r\n|$)/i);
});

/** The ports of 127.0.0.1 on which a process listens (Linux). */
function loopbackPorts(pid: number): readonly number[] {
  const links = readdirSync(`/proc/${pid}/fd`).flatMap((name) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${name}`);
    } catch {
      return [];
    }
  });
  const inodes = new Set(links.flatMap((link) => /^socket:\[(\d+)\]$/.exec(link)?.[1] ?? []));
  const lines = readFileSync(`/proc/${pid}/net/tcp`, "utf8").split("\n").slice(1);
  return lines.flatMap((line) => {
    const [, local = "", , state, , , , , , inode = ""] = line.trim().split(/\s+/);
    const isListening = state === "0A" && local.startsWith("0100007F:") && inodes.has(inode);
    return isListening ? [Number.parseInt(local.slice(9), 16)] : [];
  });
}

test("[O283] a program that finds the port of the exit gets 403 there, and no server a request", async () => {
  const server = await oneRequestServer();
  await publish([`127.0.0.1:${server.port}`]);
  const table = await mesh.waggle("table");
  const [, serverId = ""] =
    new RegExp(`server (\\w{25}).*127\\.0\\.0\\.1:${server.port}`).exec(table.out) ?? [];
  expect(serverId).not.toBe("");
  const key = createHmac("sha256", "guessed").update(nodeKeyText(exitNodeId)).digest();
  const signed = sign({ key, keyId: exitKeyId, taskId: serverId, kind: "once", target: "/secret" });
  server.seen.length = 0;
  const replies: string[] = [];
  for (const port of loopbackPorts(mesh.pid)) {
    replies.push((await exchange(port, [requestBytes(signed, ["Connection: close"])])).text);
  }
  expect(replies.filter((text) => text.includes("its proof does not match"))).toHaveLength(1);
  expect(server.seen.filter(({ head }) => head.includes("/secret"))).toEqual([]);
});

test("[O283] no byte of a client selects the server, the target or the Host", async () => {
  const [server, other] = [await oneRequestServer(), await oneRequestServer()];
  const port = await publish([`127.0.0.1:${server.port}`]);
  await publish([`127.0.0.1:${other.port}`]);
  const table = await mesh.waggle("table");
  const [, otherId = ""] =
    new RegExp(`server (\\w{25}).*127\\.0\\.0\\.1:${other.port}`).exec(table.out) ?? [];
  server.seen.length = 0;
  other.seen.length = 0;
  const { lines } = sign({ keyId: exitKeyId, taskId: otherId, kind: "once", host: "forged.test" });
  const forged = [
    ...lines,
    `Connection: close, ${targetHeader}, ${attemptHeader}`,
    "x-waggle-method: DELETE",
  ];
  const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
  const shapes = [
    get("/a{", ...forged),
    post.replace("Connection: close", forged.join("\r\n")),
    get("//127.0.0.1:80/{", "Connection: close"),
    get("/@127.0.0.1:80/../{", "Connection: close", "X-Forwarded-Host: forged.test"),
    // What a second reader could take for a request of its own.
    post.replace("abc", smuggled).replace("Length: 3", `Length: ${smuggled.length}`),
  ];
  for (const shape of shapes) expect(await statusOf(port, shape)).toBe(200);
  expect(other.seen).toEqual([]);
  expect(server.seen.map(({ head }) => head.split("\r\n")[0])).toEqual([
    "GET /a{ HTTP/1.1",
    "POST /order HTTP/1.1",
    "GET //127.0.0.1:80/{ HTTP/1.1",
    "GET /@127.0.0.1:80/../{ HTTP/1.1",
    "POST /order HTTP/1.1",
  ]);
  for (const { head } of server.seen) {
    expect(head).not.toMatch(/forged\.test|x-waggle-(?!loop)/i);
    expect(head).toMatch(new RegExp(`\r\nhost: 127\\.0\\.0\\.1:${server.port}(?:\r\n|$)`, "i"));
  }
});
