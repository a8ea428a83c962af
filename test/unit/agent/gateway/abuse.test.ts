// What a gateway does with peers that are no routers, or that misbehave.

import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { afterEach, expect, test } from "vitest";
import type { GatewayOptions } from "../../../../src/agent/gateway/gateway.ts";
import { selfSignedCertificate } from "../../../support/certificate.ts";
import {
  type AttemptChanges,
  attempt,
  nodeKeyOf,
  openGateway,
  rawClient,
  requestBytes,
  type SignedAttempt,
  sendBytes,
  sign,
  taskAt,
  tcpTask,
} from "../../../support/gateway.ts";
import { until } from "../../../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/** A gateway with a task that responds to everything. */
async function open(changes: Partial<GatewayOptions> = {}) {
  const task = await tcpTask((socket) => socket.on("data", () => socket.write(ok)));
  const opened = await openGateway({ t1: taskAt(task.port), t2: taskAt(task.port) }, changes);
  stops.push(task.stop, () => opened.gateway.close(0));
  return { ...opened, task };
}

const purpose =
  "This is the gateway of a Waggle node: it forwards requests of the mesh's routers to the tasks of the node. This request is not forwarded: ";

test("[O20] a plain curl gets 403 and a sentence that says what this port is", async () => {
  const { gateway, task, log } = await open();
  const curl = spawn("curl", ["-s", "-w", "%{http_code}", `http://127.0.0.1:${gateway.port}/`]);
  let text = "";
  for await (const part of curl.stdout) text += part;
  expect(text).toBe(`${purpose}it carries no proof of a router.\n403`);
  expect(task.connections).toHaveLength(0);
  expect(log).toEqual(["gateway: refused a request: it carries no proof of a router"]);
});

/** The signed attempt with a part of a header line replaced. */
function forged(changes: AttemptChanges, from: string | RegExp, to: string): SignedAttempt {
  const signed = sign(changes);
  return { ...signed, lines: signed.lines.map((line) => line.replace(from, to)) };
}

const wrongProof =
  "its proof does not match: it was made for another node or by another mesh, or was changed";
const meshKey = Buffer.alloc(32, 7);

test.each([
  ["by a foreign key", sign({ key: Buffer.alloc(32, 1) }), wrongProof],
  ["for another node", sign({ key: nodeKeyOf(meshKey, "node-2") }), wrongProof],
  ["by the key of the mesh itself", sign({ key: meshKey }), wrongProof],
  ["whose task was changed", forged({}, " t1 ", " t2 "), wrongProof],
  ["whose port was changed", forged({}, " 80 ", " 81 "), wrongProof],
  ["whose id was changed", forged({ id: "abc" }, " abc ", " abd "), wrongProof],
  ["whose kind was changed", forged({ kind: "once" }, " once ", " repeat "), wrongProof],
  [
    "whose time was changed",
    forged({ issuedMs: 1_700_000_000_000 }, " 17000", ` ${String(Date.now()).slice(0, 5)}`),
    wrongProof,
  ],
  [
    "whose target was changed",
    forged({ target: "/a" }, "x-waggle-target: /a", "x-waggle-target: /b"),
    wrongProof,
  ],
  ["whose host was changed", forged({ host: "a" }, "x-waggle-host: a", "x-waggle-host: b"), wrongProof],
  ["whose method was changed", { ...sign({ method: "GET" }), method: "POST" }, wrongProof],
  ["with a method added", forged({}, /$/, "\r\nx-waggle-method: PUT"), "it has x-waggle-method twice"],
  ["by an unknown key", sign({ keyId: "k9" }), 'this node has no key "k9"'],
  [
    "that cannot be read",
    forged({}, "x-waggle-attempt: 1", "x-waggle-attempt: 2"),
    "its x-waggle-attempt cannot be read",
  ],
  ["that is there twice", forged({}, /^(x-waggle-attempt.*)$/, "$1\r\n$1"), "it has x-waggle-attempt twice"],
] as const)("[O20] an attempt %s is refused without a mark", async (_, signed, reason) => {
  const { gateway, task } = await open();
  const reply = await attempt(gateway, signed);
  expect(reply).toMatchObject({ status: 403, outcome: null });
  expect(reply.body).toContain(purpose + reason);
  expect(reply.headers).toContain("connection: close");
  expect(reply.text).not.toContain("x-waggle-gateway");
  expect(task.connections).toHaveLength(0);
});

test("[O20] a request without a host cannot be given the host that stands for none", async () => {
  const { gateway } = await open();
  const signed = sign({ host: null });
  const reply = await attempt(gateway, { ...signed, lines: [...signed.lines, "x-waggle-host: -"] });
  expect(reply).toMatchObject({ status: 400, outcome: null });
});

test("[O20] before it has keys, a gateway says so", async () => {
  const { gateway } = await open({ keys: () => [] });
  expect((await attempt(gateway)).body).toContain("this node has no keys yet");
});

test("[O20] during a rotation both keys count", async () => {
  const [oldKey, newKey] = [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const { gateway } = await open({
    keys: () => [
      { id: "old", key: oldKey },
      { id: "new", key: newKey },
    ],
  });
  expect((await attempt(gateway, { keyId: "old", key: oldKey })).outcome).toBe("task");
  expect((await attempt(gateway, { keyId: "new", key: newKey })).outcome).toBe("task");
  expect((await attempt(gateway, { keyId: "new", key: oldKey })).status).toBe(403);
});

test("[O20] hello is answered by the node's gateway alone", async () => {
  const { gateway } = await open();
  const hello = { kind: "hello", taskId: "", port: 0 } as const;
  expect(await attempt(gateway, hello)).toMatchObject({ status: 204, outcome: "ready" });
  expect((await attempt(gateway, { ...hello, key: nodeKeyOf(meshKey, "node-2") })).status).toBe(403);
});

test.each([
  ["31 s old", -31_000, /its time is 3[12] s behind this node's clock/],
  ["of in 31 s", 31_000, /its time is 3[01] s ahead of this node's clock/],
])("[O21] an attempt that is %s is refused with the difference", async (_, offsetMs, reason) => {
  let startedAgoMs = 3_600_000;
  const monotonicMs = () => performance.now() + startedAgoMs;
  const opened = await open({ clocks: { wallMs: Date.now, registryMs: () => null, monotonicMs } });
  startedAgoMs *= 2;
  const reply = await attempt(opened.gateway, { issuedMs: Date.now() + offsetMs });
  expect(reply).toMatchObject({ status: 403, outcome: null });
  expect(reply.body).toMatch(reason);
  expect((await attempt(opened.gateway, { issuedMs: Date.now() - 25_000 })).outcome).toBe("task");
});

test("[O21] the registry's time counts where the node's clock is wrong", async () => {
  const clocks = { wallMs: () => 0, registryMs: () => Date.now(), monotonicMs: () => performance.now() };
  const { gateway } = await open({ clocks });
  expect((await attempt(gateway)).outcome).toBe("task");
});

test("[O21] an attempt from before the gateway started is a duplicate", async () => {
  const { gateway } = await open();
  const reply = await attempt(gateway, { issuedMs: Date.now() - 15_000 });
  expect(reply).toMatchObject({ status: 409, outcome: "duplicate" });
});

test.each([
  ["a space", "/a b", 400],
  ["a byte above 127", "/\xe9", 400],
  ["a control character", "/a\x01b", 400],
  ["no leading slash", "a", 400],
  ["an absolute URL", "http://x/", 400],
  ["nothing", "", 400],
  ["** ", "**", 400],
])("[O22] a target with %s is refused", async (_, target, status) => {
  const { gateway, task } = await open();
  expect(await attempt(gateway, { target })).toMatchObject({ status, outcome: null });
  expect(task.connections).toHaveLength(0);
});

test.each([
  ["a method in small letters", { method: "get" }, []],
  ["CONNECT", { method: "CONNECT", wireMethod: "GET" }, []],
  ["HEAD in a GET", { method: "HEAD", wireMethod: "GET" }, []],
  ["GET in a HEAD", { method: "GET", wireMethod: "HEAD" }, []],
  ["a host with a space", { host: "a b" }, []],
  ["two codings", {}, ["Transfer-Encoding: gzip, chunked"]],
] as const)("[O22] %s is refused", async (_, changes, lines) => {
  const { gateway, task } = await open();
  const wire = { wireMethod: "POST", ...changes };
  expect(await attempt(gateway, wire, lines)).toMatchObject({ status: 400, outcome: null });
  expect(task.connections).toHaveLength(0);
});

test.each([
  ["garbage", "\x00\x01\x02 what\r\n\r\n", "HTTP/1.1 400 "],
  ["a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", "HTTP/1.1 400 "],
  ["an unknown method", "BREW / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 "],
  ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n", "HTTP/1.1 405 "],
  ["two lengths", "POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", "HTTP/1.1 400 "],
  ["a head of 129 KiB", `GET / HTTP/1.1\r\nX: ${"x".repeat(129 * 1024)}\r\n\r\n`, "HTTP/1.1 431 "],
])("[O22] %s gets a refusal, and the connection ends", async (_, bytes, status) => {
  const { gateway } = await open();
  const client = rawClient(gateway.port, bytes);
  await until("the end", client.isEnded);
  expect(client.text().slice(0, status.length)).toBe(status);
  expect(client.text()).toContain(purpose);
  client.socket.destroy();
  expect((await attempt(gateway)).outcome).toBe("task");
});

test("[O22] a head of 120 KiB passes", async () => {
  const { gateway } = await open();
  expect((await attempt(gateway, {}, [`X: ${"x".repeat(120 * 1024)}`])).outcome).toBe("task");
});

test("[O22] bytes that are no request do not become a part of the response before them", async () => {
  const held = await tcpTask(() => undefined);
  const opened = await openGateway({ t1: taskAt(held.port) });
  stops.push(held.stop, () => opened.gateway.close(0));
  const client = rawClient(opened.gateway.port, `${requestBytes(sign())}garbage\r\n\r\n`);
  await client.closed;
  expect(client.text()).toBe("");
});

test("[O22] a refused upload is read for a second, so that the refusal arrives", async () => {
  const { gateway } = await open();
  const client = rawClient(gateway.port, "POST / HTTP/1.1\r\nContent-Length: 100000000\r\n\r\n");
  const upload = setInterval(() => client.socket.write("x".repeat(1_000)), 10);
  await client.closed;
  clearInterval(upload);
  expect(client.text()).toMatch(/^HTTP\/1\.1 403 /);
});

test("[O23] idle connections make room for requests, unproven ones first, and the oldest of them", async () => {
  const { gateway } = await open({ maxDescriptors: 50 });
  const router = rawClient(gateway.port, requestBytes(sign()));
  await until("the response", () => router.text().endsWith("ok"));
  const ended: number[] = [];
  const idle: ReturnType<typeof rawClient>[] = [];
  for (let at = 0; at < 100; at += 1) {
    const client = rawClient(gateway.port);
    idle.push(client);
    void client.ended.then(() => ended.push(at));
    await until("the connection", () => !client.socket.connecting);
  }
  expect((await attempt(gateway, { kind: "once" })).outcome).toBe("task");
  await until("the ends", () => ended.length >= 50);
  expect(Math.max(...ended)).toBeLessThan(60);
  router.socket.write(requestBytes(sign()));
  await until("the second response", () => router.text().match(/200 OK/g)?.length === 2);
  for (const { socket } of [router, ...idle]) socket.destroy();
});

test("[O27] the kernel asks whether a silent peer is there, router or task", async () => {
  const task = await tcpTask(() => undefined);
  const opened = await openGateway({ t1: taskAt(task.port) });
  stops.push(task.stop, () => opened.gateway.close(0));
  const client = rawClient(opened.gateway.port, requestBytes(sign({ kind: "once" })));
  await until("the connection", () => task.connections.length === 1);
  // proc(5), tcp: the timer "02" is that of keep-alive.
  const timerOf = (local: number, remote: number): string | undefined => {
    const hex = (port: number) => `0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const rows = readFileSync("/proc/net/tcp", "utf8").split("\n");
    return rows
      .find((row) => row.includes(` ${hex(local)} ${hex(remote)} 01 `))
      ?.trim()
      .split(/\s+/)[5]
      ?.slice(0, 2);
  };
  await until("keep-alive of the router's connection", () => {
    return timerOf(opened.gateway.port, client.socket.localPort ?? 0) === "02";
  });
  await until("keep-alive of the task's connection", () => {
    return timerOf(task.connections[0]?.remotePort ?? 0, task.port) === "02";
  });
  client.socket.destroy();
});

test("[O28] with a certificate, the gateway speaks TLS and nothing else", async () => {
  const { key, cert } = selfSignedCertificate();
  const { gateway } = await open({ tls: { key, cert }, maxDescriptors: 20 });
  const overTls = async (bytes: string): Promise<string> => {
    const socket = connectTls({ port: gateway.port, host: "127.0.0.1", ca: cert, servername: "localhost" });
    socket.write(bytes, "latin1");
    let text = "";
    socket.on("data", (part) => {
      text += part;
    });
    await until("the response", () => text.endsWith("ok"));
    socket.destroy();
    return text;
  };
  const idle = Array.from({ length: 40 }, () => rawClient(gateway.port));
  await until(
    "the ends of silent connections",
    () => idle.filter(({ socket }) => socket.destroyed || socket.readableEnded).length >= 20,
  );
  const signed = sign({ kind: "once" });
  expect(await overTls(requestBytes(signed))).toContain(`x-waggle-gateway: task ${signed.mark}\r\n`);
  for (const { socket } of idle) socket.destroy();
  const plain = await sendBytes(gateway.port, requestBytes(sign()));
  expect(plain.status).not.toBe(200);
});
