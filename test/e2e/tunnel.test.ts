// A tunnel with real processes: the object in workerd, the agent's end in a process of its own, and a real
// HTTP and WebSocket server as the task.

import { createHash, randomBytes } from "node:crypto";
import {
  createServer,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request,
  type Server,
} from "node:http";
import type { AddressInfo } from "node:net";
import { buffer, text } from "node:stream/consumers";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { type AttemptKind, printAttempt } from "../../src/gateway/attempt.ts";
import { startTunnelAgent, type TunnelAgent } from "../support/tunnel-agent.ts";
import { startTunnelRuntime, type TunnelRuntime } from "../support/tunnel-runtime.ts";
import { until } from "../support/until.ts";

let runtime: TunnelRuntime;
let task: Server;
let sockets: WebSocketServer;
const agents: TunnelAgent[] = [];
/** What the task has seen: the ends of its requests, and the closes of its WebSockets. */
const seen: string[] = [];

beforeAll(async () => {
  runtime = await startTunnelRuntime();
  task = createServer(serveTask);
  sockets = new WebSocketServer({ server: task, handleProtocols: (offered) => [...offered][0] ?? false });
  sockets.on("connection", serveSocket);
  await new Promise<void>((resolve) => task.listen(0, "127.0.0.1", resolve));
});

afterEach(async () => {
  for (const agent of agents.splice(0)) await agent.stop();
});

afterAll(async () => {
  await runtime?.stop();
  task?.close();
});

function serveTask(incoming: IncomingMessage, response: import("node:http").ServerResponse): void {
  const { pathname, searchParams } = new URL(incoming.url ?? "", "http://task");
  incoming.on("error", () => {});
  response.once("close", () =>
    seen.push(`${pathname} ${response.writableFinished ? "complete" : "cut off"}`),
  );
  if (pathname === "/echo") {
    response.writeHead(200, { "x-method": incoming.method, "x-target": incoming.url });
    incoming.pipe(response);
  } else if (pathname === "/bytes") {
    const part = Buffer.alloc(64 * 1024, "waggle");
    let left = Number(searchParams.get("size"));
    const more = (): void => {
      while (left > 0) {
        const size = Math.min(left, part.length);
        left -= size;
        if (!response.write(part.subarray(0, size))) return;
      }
      response.end();
    };
    response.on("drain", more);
    more();
  } else if (pathname === "/size") {
    seen.push("/size begins");
    const hash = createHash("sha256");
    incoming.on("data", (part) => hash.update(part));
    incoming.on("end", () => response.end(hash.digest("hex")));
  } else if (pathname === "/events") {
    response.write("data: first\n\n");
    setTimeout(() => response.end("data: last\n\n"), Number(searchParams.get("ms")));
  } else if (pathname === "/cut") {
    response.write("begin");
    setTimeout(() => response.destroy(), 50);
  } else if (pathname === "/refuse") {
    response.writeHead(413);
    response.end("too large");
  } else if (pathname === "/head") {
    response.writeHead(204, "Nothing", { "set-cookie": ["a=1", "b=2"], "content-encoding": "gzip" });
    response.end();
  }
  // Any other request waits for ever.
}

function serveSocket(ws: WebSocket): void {
  ws.on("message", (bytes: Buffer, isBinary) => {
    if (bytes.toString() === "bye") ws.close(4001, "so long");
    else ws.send(bytes, { binary: isBinary });
  });
  ws.on("close", (code, reason) => seen.push(`socket ${code} ${reason}`));
}

async function startAgent(): Promise<TunnelAgent> {
  const agent = startTunnelAgent(runtime.url, (task.address() as AddressInfo).port);
  agents.push(agent);
  await until("the tunnel", () => agent.lines.some((line) => line.startsWith("connected")));
  return agent;
}

type Asked = { readonly kind?: AttemptKind; readonly method?: string; readonly body?: Buffer };

let attempts = 0;

function attemptHeaders(target: string, kind: AttemptKind): OutgoingHttpHeaders {
  attempts += 1;
  const attempt = { keyId: "1", taskId: "t", port: 80, id: `a${attempts}`, issuedMs: 0, kind };
  return {
    "x-waggle-attempt": printAttempt(attempt, "p".repeat(22)),
    "x-waggle-target": target,
    "x-waggle-host": "www.test",
  };
}

/** Starts a request of a router. */
function start(target: string, { kind = "repeat", method = "GET" }: Asked = {}) {
  const headers = attemptHeaders(target, kind);
  const outgoing = request({
    host: "127.0.0.1",
    port: runtime.port,
    method,
    path: "/",
    headers,
    agent: false,
  });
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    outgoing.once("response", resolve);
    outgoing.once("error", reject);
  });
  response.catch(() => {});
  return { outgoing, response };
}

function ask(target: string, asked: Asked = {}): Promise<IncomingMessage> {
  const { outgoing, response } = start(target, asked);
  outgoing.end(asked.body);
  return response;
}

/** Starts a request whose body goes on. */
function startUpload(target: string) {
  const started = start(target, { kind: "once", method: "POST" });
  started.outgoing.on("error", () => {});
  started.outgoing.write("begin");
  return started;
}

function outcomeOf({ headers }: IncomingMessage): string | undefined {
  return headers["x-waggle-tunnel"] as string | undefined;
}

function openSocket(protocols: string[] = []): WebSocket {
  const headers = attemptHeaders("/socket", "tunnel") as Record<string, string>;
  return new WebSocket(runtime.url.replace("http", "ws"), protocols, { headers });
}

const sha256 = (bytes: Buffer) => createHash("sha256").update(bytes).digest("hex");

test("[O45] each of many requests at once gets its own response", async () => {
  await startAgent();
  const bodies = Array.from({ length: 300 }, (_, at) => Buffer.from(`${at} `.repeat(at)));
  const responses = await Promise.all(
    bodies.map(async (body, at) => {
      const asked = at % 2 === 0 ? ({ kind: "once", method: "POST", body } as const) : {};
      const response = await ask(`/echo?at=${at}`, asked);
      const { statusCode, headers } = response;
      return [statusCode, headers["x-method"], headers["x-target"], await text(response)];
    }),
  );
  expect(responses).toEqual(
    bodies.map((body, at) => {
      const isPost = at % 2 === 0;
      return [200, isPost ? "POST" : "GET", `/echo?at=${at}`, isPost ? body.toString() : ""];
    }),
  );
});

test("[O45] status, reason and header lines arrive as the gateway sent them", async () => {
  await startAgent();
  const response = await ask("/head");
  expect([response.statusCode, response.statusMessage]).toEqual([204, "Nothing"]);
  expect(response.headers["set-cookie"]).toEqual(["a=1", "b=2"]);
  expect(response.headers).toMatchObject({ "content-encoding": "gzip", "x-waggle-gateway": "task mark" });
});

test("[O45] a response that is complete before the request ends it", async () => {
  await startAgent();
  const { outgoing, response } = start("/refuse", { kind: "once", method: "POST" });
  outgoing.on("error", () => {});
  outgoing.write(Buffer.alloc(1_000_000));
  const refusal = await response;
  expect([refusal.statusCode, await text(refusal)]).toEqual([413, "too large"]);
  outgoing.destroy();
});

test("[O52] bodies of 64 MiB cross both ways at once, unchanged", async () => {
  await startAgent();
  const body = randomBytes(64 * 1024 * 1024);
  const [echoed, size] = await Promise.all([
    ask("/echo", { kind: "once", method: "POST", body }).then(buffer),
    ask("/size", { kind: "once", method: "PUT", body }).then(text),
  ]);
  expect(sha256(echoed)).toBe(sha256(body));
  expect(size).toBe(sha256(body));
});

test("[O52] a reader that stops makes the task stop, and stops no other request", async () => {
  await startAgent();
  const stopped = await Promise.all(
    Array.from({ length: 20 }, () => ask(`/bytes?size=${256 * 1024 * 1024}`)),
  );
  for (const response of stopped) response.pause();
  expect(await text(await ask("/echo", { kind: "once", method: "POST", body: Buffer.from("hi") }))).toBe(
    "hi",
  );
  seen.length = 0;
  for (const response of stopped) response.destroy();
  await until("the task's requests to end", () => seen.filter((line) => line === "/bytes cut off")[19]);
});

test("[O48] a client that goes ends the request at the task, before and after its response has begun", async () => {
  await startAgent();
  seen.length = 0;
  const waiting = start("/waits");
  waiting.outgoing.end();
  const { outgoing, response } = start("/events?ms=60000");
  outgoing.end();
  (await response).resume().on("error", () => {});
  // workerd takes the end of a connection for half of it.
  waiting.outgoing.socket?.resetAndDestroy();
  outgoing.socket?.resetAndDestroy();
  await until("both ends", () => seen.includes("/waits cut off") && seen.includes("/events cut off"));
});

test("[O48] a response that the task breaks off is not complete for the client", async () => {
  await startAgent();
  await expect(text(await ask("/cut"))).rejects.toThrow("aborted");
});

test("[O46] a request is absent without a tunnel, and broken or cut off if the tunnel breaks under it", async () => {
  const absent = await ask("/echo");
  expect([absent.statusCode, absent.headers["x-waggle-tunnel"]]).toEqual([503, "absent"]);
  const agent = await startAgent();
  const waiting = ask("/waits", { kind: "once", method: "POST" });
  const begun = await ask("/events?ms=60000");
  await agent.stop();
  const broken = await waiting;
  expect([broken.statusCode, broken.headers["x-waggle-tunnel"]]).toEqual([502, "broken"]);
  await expect(text(begun)).rejects.toThrow("aborted");
  await startAgent();
  expect((await ask("/echo")).statusCode).toBe(200);
});

test("[O46] a request that an agent gets and does not accept is lost, not broken", async () => {
  const silent = new WebSocket(`${runtime.url.replace("http", "ws")}/mesh/tunnel`);
  await new Promise((resolve) => silent.once("open", resolve));
  const opened = new Promise((resolve) => silent.once("message", resolve));
  const waiting = ask("/echo", { kind: "once", method: "POST", body: Buffer.from("hi") });
  const repeatable = ask("/echo");
  await opened;
  await until("both requests", async () => {
    silent.terminate();
    return true;
  });
  const [lost, broken] = await Promise.all([waiting, repeatable]);
  expect([lost.statusCode, lost.headers["x-waggle-tunnel"]]).toEqual([503, "lost"]);
  expect(["broken", "absent"]).toContain(broken.headers["x-waggle-tunnel"]);
});

test("[O47] a newer tunnel replaces the older one, whose agent does not dial again", async () => {
  const older = await startAgent();
  const waiting = ask("/waits");
  await until("the request to arrive", () => true);
  await startAgent();
  await older.exited;
  expect(older.lines.at(-1)).toBe("superseded");
  expect((await waiting).headers["x-waggle-tunnel"]).toBe("broken");
  expect((await ask("/echo")).statusCode).toBe(200);
});

test("[O49] WebSocket messages, the subprotocol and the close cross both ways", async () => {
  await startAgent();
  const ws = openSocket(["chat", "other"]);
  const received: [boolean, string][] = [];
  ws.on("message", (bytes: Buffer, isBinary) => received.push([isBinary, sha256(bytes)]));
  await new Promise((resolve) => ws.once("open", resolve));
  expect(ws.protocol).toBe("chat");
  const messages = [Buffer.from("né"), Buffer.alloc(0), randomBytes(3_000_000), Buffer.alloc(300_000, "x")];
  for (const [at, bytes] of messages.entries()) ws.send(at === 2 ? bytes : bytes.toString());
  const closed = new Promise((resolve) => ws.once("close", (code, reason) => resolve(`${code} ${reason}`)));
  ws.send("bye");
  expect(await closed).toBe("4001 so long");
  expect(received).toEqual(messages.map((bytes, at) => [at === 2, sha256(bytes)]));
  const second = openSocket();
  await new Promise((resolve) => second.once("open", resolve));
  seen.length = 0;
  second.close(4002, "mine");
  await until("the task to see the close", () => seen.includes("socket 4002 mine"));
});

test("[O49] a WebSocket ends with its tunnel, and a client that is cut off ends the task's", async () => {
  const agent = await startAgent();
  const [first, second] = [openSocket(), openSocket()];
  await Promise.all([first, second].map((ws) => new Promise((resolve) => ws.once("open", resolve))));
  seen.length = 0;
  first.terminate();
  await until("the task to see the end", () => seen.find((line) => line.startsWith("socket")));
  const closed = new Promise((resolve) => second.once("close", resolve));
  await agent.stop();
  expect(await closed).toBe(1011);
});

test("[O50] a response on which nothing comes for longer than objects live without requests is not cut off", async () => {
  await startAgent();
  expect(await text(await ask("/events?ms=13000"))).toBe("data: first\n\ndata: last\n\n");
});

test("[O51] requests at a frozen agent end, what is sent to it is bounded, and it returns", async () => {
  const agent = await startAgent();
  seen.length = 0;
  const begun = [startUpload("/size"), startUpload("/size")];
  await until("the uploads", () => seen.filter((line) => line === "/size begins")[1]);
  process.kill(agent.pid, "SIGSTOP");
  const later = [startUpload("/size"), startUpload("/size")];
  for (const { outgoing } of [...begun, ...later]) outgoing.write(Buffer.alloc(32 * 1024 * 1024));
  const outcomes = Promise.all([...begun, ...later].map(async ({ response }) => outcomeOf(await response)));
  let unsent: number[] = [];
  const sampling = setInterval(() => {
    unsent = [...begun, ...later].map(({ outgoing }) => outgoing.socket?.writableLength ?? 0);
  }, 500);
  expect(outcomeOf(await ask("/echo"))).toBe("broken");
  clearInterval(sampling);
  expect(await outcomes).toEqual(["broken", "broken", "lost", "lost"]);
  for (const bytes of unsent) expect(bytes).toBeGreaterThan(24 * 1024 * 1024);
  expect((await ask("/echo")).headers["x-waggle-tunnel"]).toBe("absent");
  process.kill(agent.pid, "SIGCONT");
  await until("the tunnel", async () => (await ask("/echo")).statusCode === 200, { withinMs: 20_000 });
});
