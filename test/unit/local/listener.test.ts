import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { createServer, get, type IncomingMessage, request, Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { DescriptorBudget } from "../../../src/local/descriptor-budget.ts";
import { Listener, type ListenerOptions } from "../../../src/local/listener.ts";
import { longestBodyTimeoutMs } from "../../../src/local/listener-limits.ts";
import {
  controlIdentity,
  type ListenerProfile,
  listenerProfile,
  sealFacts,
} from "../../../src/local/listener-profile.ts";
import { RuntimeAgent } from "../../../src/local/runtime-agent.ts";

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const identity = { role: "ingress", nodeId: "n1", published: 8080 } as const;

async function serve(
  respond: (request: IncomingMessage, response: ServerResponse) => void,
  port = 0,
): Promise<Server> {
  const server = createServer(respond);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  return server;
}

const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

async function listen(
  upstreamPort: number,
  {
    profile = listenerProfile(identity, "k"),
    ...options
  }: ListenerOptions & { readonly profile?: ListenerProfile } = {},
): Promise<Listener> {
  const agent = new RuntimeAgent({ host: "127.0.0.1", port: upstreamPort });
  closing.push(() => agent.destroy());
  const listener = await Listener.open("127.0.0.1", 0, profile, agent, options);
  closing.push(() => listener.close(0));
  return listener;
}

/** Collects what a socket receives; a character is a byte. */
function receivedBy(socket: Socket): () => string {
  let received = "";
  socket.on("data", (bytes) => {
    received += bytes.toString("latin1");
  });
  return () => received;
}

/** Sends raw bytes and returns all that was received until the connection ended. */
function exchange(listener: Listener, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(listener.port, "127.0.0.1");
    const received = receivedBy(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(received()));
    socket.write(text, "latin1");
  });
}

test("[U10] a request gets the sealed entry header of its listener, and the client's own is dropped", async () => {
  const upstream = await serve((incoming, outgoing) => outgoing.end(JSON.stringify(incoming.rawHeaders)));
  const listener = await listen(portOf(upstream));
  const response = await fetch(`http://127.0.0.1:${listener.port}/`, {
    headers: { "x-waggle-entry": "forged" },
  });
  const raw = (await response.json()) as string[];
  const facts = { role: "ingress", node: "n1", port: 8080, client: "127.0.0.1", scheme: "http" } as const;
  expect(raw.filter((_, index) => raw[index - 1]?.toLowerCase() === "x-waggle-entry")).toEqual([
    sealFacts(facts, "k"),
  ]);
});

test("[U12] a request that cannot be read gets a response with the reason and is not forwarded", async () => {
  let reached = 0;
  const upstream = await serve((_, outgoing) => {
    reached++;
    outgoing.end();
  });
  const listener = await listen(portOf(upstream));
  const response = await exchange(
    listener,
    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  );
  expect(response).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/);
  expect(response).toContain("cannot read the request: Duplicate Content-Length");
  expect(reached).toBe(0);
});

test.each([
  ["TLS", "\x16\x03\x01\x00", 400, "this port speaks plain HTTP"],
  ["no HTTP", "hello\r\n\r\n", 400, "expected METHOD TARGET HTTP/1.1"],
  ["an unknown method", "BREW /pot HTTP/1.1\r\nHost: x\r\n\r\n", 501, 'the method "BREW" is not supported'],
  ["a method in lower case", "get / HTTP/1.1\r\nHost: x\r\n\r\n", 501, 'the method "get"'],
  ["an unknown version", "GET / HTTP/3.0\r\nHost: x\r\n\r\n", 505, "HTTP/1.1"],
  ["a byte above 127 in the target", "GET /\xe9 HTTP/1.1\r\nHost: x\r\n\r\n", 400, "request target"],
  ["a bare line feed after the version", "GET / HTTP/1.1\nHost: x\r\n\r\n", 400, "and CRLF"],
  ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, "CONNECT is not supported"],
  ["an unknown expectation", "GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n", 417, '"tea"'],
])("[U72] %s is refused with the reason", async (_name, text, status, reason) => {
  const listener = await listen(1);
  const response = await exchange(listener, text);
  expect(response).toContain(`HTTP/1.1 ${status} `);
  expect(response).toContain(reason);
});

test("[U23] the control API's port refuses in the Engine API's form", async () => {
  const listener = await listen(1, { profile: listenerProfile(controlIdentity, "k") });
  const twice = await exchange(
    listener,
    "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  );
  expect(twice).toMatch(/^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/json\r\n/);
  expect(twice).toMatch(/\r\n\r\n\{"message":"cannot read the request: Duplicate Content-Length"\}$/);
  const large = await exchange(
    listener,
    `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${"a".repeat(100_000)}\r\n\r\n`,
  );
  expect(large).toMatch(/^HTTP\/1\.1 431 .*\r\n\r\n\{"message":"the request head is larger than 64 KiB"\}$/s);
});

test("[U13] a WebSocket passes in both directions", async () => {
  const upstream = await serve((_, outgoing) => outgoing.end());
  new WebSocketServer({ server: upstream }).on("connection", (socket) => {
    socket.on("message", (data, binary) => socket.send(data, { binary }));
  });
  const listener = await listen(portOf(upstream));
  const socket = new WebSocket(`ws://127.0.0.1:${listener.port}/`);
  closing.push(() => socket.terminate());
  const echoed = new Promise((resolve) => socket.on("message", (data) => resolve(String(data))));
  await new Promise((resolve) => socket.on("open", resolve));
  socket.send("GET / HTTP/1.1\r\n\r\n");
  expect(await echoed).toBe("GET / HTTP/1.1\r\n\r\n");
});

test("[U13] a refused handshake gets the runtime's response, and the connection ends after it", async () => {
  const upstream = await serve((_, outgoing) => outgoing.end("no"));
  // A server that ignores the upgrade, as the runtime does for a request that no WebSocket answers.
  Object.assign(upstream, { shouldUpgradeCallback: () => false });
  const listener = await listen(portOf(upstream));
  const handshake =
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n";
  const response = await exchange(listener, `${handshake}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
  expect(response).toMatch(/^HTTP\/1\.1 200 OK\r\n(?:.*\r\n)*\r\n(?:2\r\n)?no(?:\r\n0\r\n\r\n)?$/);
});

test("[U14] a connection during a restart of the runtime waits for it", async () => {
  const probe = createTcpServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const port = portOf(probe);
  await new Promise((resolve) => probe.close(resolve));
  const listener = await listen(port);
  const text = fetch(`http://127.0.0.1:${listener.port}/`).then((response) => response.text());
  await serve((_, outgoing) => outgoing.end("back"), port);
  expect(await text).toBe("back");
});

test("[U15] closing finishes open responses and accepts no new connection", async () => {
  let finish = (): void => undefined;
  const upstream = await serve((_, outgoing) => {
    outgoing.write("first ");
    finish = () => outgoing.end("last");
  });
  // As workerd does: an open response finishes although the client side of the connection has ended.
  Object.assign(upstream, { httpAllowHalfOpen: true });
  const listener = await listen(portOf(upstream));
  const port = listener.port;
  const response = await new Promise<IncomingMessage>((resolve) => {
    request({ host: "127.0.0.1", port, agent: false }, resolve).end();
  });
  const body = new Promise<string>((resolve) => {
    let text = "";
    response.on("data", (bytes) => {
      text += bytes;
    });
    response.on("end", () => resolve(text));
  });
  const closed = listener.close(10_000);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow();
  finish();
  expect(await body).toBe("first last");
  await closed;
});

/** A listener with short times. */
function listenBriefly(upstreamPort: number, bodyTimeoutMs = 500): Promise<Listener> {
  const timeouts = { headMs: 100, keepAliveMs: 200, clientMs: 500 };
  return listen(upstreamPort, { timeouts, bodyTimeoutMs: () => bodyTimeoutMs });
}

test("[U76] requests sent ahead run one after the other, and a refusal takes its turn", async () => {
  const running: string[] = [];
  let most = 0;
  const upstream = await serve((incoming, outgoing) => {
    running.push(incoming.url ?? "");
    most = Math.max(most, running.length);
    setTimeout(() => {
      running.pop();
      outgoing.end(`<${incoming.url}>`);
    }, 5);
  });
  const listener = await listen(portOf(upstream));
  const requests = Array.from({ length: 40 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const response = await exchange(listener, `${requests.join("")}BREW / HTTP/1.1\r\n\r\n${requests[0]}`);
  const order = [...response.matchAll(/<\/(\d+)>/g)].map(([, index]) => Number(index));
  expect(order).toEqual(Array.from({ length: 40 }, (_, index) => index));
  expect(most).toBe(1);
  expect(response.split("HTTP/1.1 ").length - 1).toBe(41);
  expect(response.slice(response.lastIndexOf("HTTP/1.1 "))).toContain("501 Not Implemented");
});

test("[U84] a client that leaves does not end its connection to the runtime, which carries others' requests", async () => {
  const connections = new Set<unknown>();
  const upstream = await serve((incoming, outgoing) => {
    connections.add(incoming.socket);
    outgoing.end("ok");
  });
  // A server that ignores the upgrade, as the runtime does for a request that no WebSocket answers.
  Object.assign(upstream, { shouldUpgradeCallback: () => false });
  const listener = await listen(portOf(upstream));
  const handshake =
    "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: a\r\nSec-WebSocket-Version: 13\r\n\r\n";
  for (let count = 0; count < 5; count += 1) {
    expect(await exchange(listener, handshake)).toMatch(/^HTTP\/1\.1 200 /);
    const response = await fetch(`http://127.0.0.1:${listener.port}/`, { method: "POST", body: "a" });
    expect(await response.text()).toBe("ok");
  }
  expect(connections.size).toBe(1);
});

test.each([
  ["a slow response", ""],
  ["a request after which the connection ends", "Connection: upgrade\r\nUpgrade: h2c\r\n"],
])("[U85] behind %s a connection is read no further than a packet", async (_name, headers) => {
  let hasBegun = false;
  const upstream = await serve(() => {
    hasBegun = true;
  });
  const listener = await listen(portOf(upstream));
  const socket = connect(listener.port, "127.0.0.1");
  closing.push(() => socket.destroy());
  let parsed = 0;
  const count = (message: unknown): void => {
    if ((message as { request: IncomingMessage }).request.url === "/ahead") parsed += 1;
  };
  subscribe("http.server.request.start", count);
  closing.push(() => unsubscribe("http.server.request.start", count));
  socket.write(`GET / HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
  await expect.poll(() => hasBegun).toBe(true);
  const ahead = "GET /ahead HTTP/1.1\r\nHost: x\r\n\r\n";
  for (let index = 0; index < 50; index += 1) socket.write(ahead.repeat(2_000));
  await expect.poll(() => parsed).toBeGreaterThan(16);
  // The listener reads other connections meanwhile, and would read this one as often.
  for (let index = 0; index < 20; index += 1) await exchange(listener, "BREW / HTTP/1.1\r\n\r\n");
  expect(parsed).toBeLessThan(2 * (65_536 / ahead.length));
});

test("[U85] a thousand requests sent ahead are answered, in order", async () => {
  const upstream = await serve((incoming, outgoing) => outgoing.end(`<${incoming.url}>`));
  const listener = await listen(portOf(upstream));
  const requests = Array.from({ length: 1_000 }, (_, index) => `GET /${index} HTTP/1.1\r\nHost: x\r\n\r\n`);
  const last = "GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
  const response = await exchange(listener, requests.join("") + last);
  const order = [...response.matchAll(/<\/(\w+)>/g)].map(([, path]) => path);
  expect(order).toEqual([...requests.map((_, index) => String(index)), "last"]);
});

test("[U86] a connection with many waiting requests is reset if too many wait in all, others stay", async () => {
  const held: ServerResponse[] = [];
  const upstream = await serve((_, outgoing) => held.push(outgoing));
  const listener = await listen(portOf(upstream), { budget: new DescriptorBudget(10_240, 50) });
  const head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  const few = connect(listener.port, "127.0.0.1", () => few.write(head.repeat(3)));
  closing.push(() => few.destroy());
  await expect.poll(() => held.length).toBe(1);
  for (let count = 0; count < 3; count += 1) expect(await exchange(listener, head.repeat(60))).toBe("");
  const received = receivedBy(few);
  const isAnswered = (): boolean => {
    for (const response of held.splice(0)) response.end("ok");
    return received().split("HTTP/1.1 200 ").length === 4;
  };
  await expect.poll(isAnswered).toBe(true);
});

test("[U77] a head that does not arrive in time is 408", async () => {
  const listener = await listenBriefly(1);
  expect(await exchange(listener, "GET / HTTP/1.1\r\nHost:")).toContain("408 Request Timeout");
});

test.each(["POST", "PUT", "DELETE"])("[U77] a %s whose body stops arriving is 408", async (method) => {
  const upstream = await serve(() => undefined);
  const listener = await listenBriefly(portOf(upstream));
  const head = `${method} / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc`;
  expect(await exchange(listener, head)).toContain("408 Request Timeout");
});

test.each(["Content-Length: 9\r\n\r\nabc", "Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"])(
  "[O250] the 408 of the runtime, before %j is complete, ends the connection",
  async (rest) => {
    const upstream = await serve((incoming, outgoing) => {
      incoming.once("data", () => outgoing.writeHead(408, { "content-length": "2" }).end("no"));
    });
    const listener = await listen(portOf(upstream));
    const socket = connect(listener.port, "127.0.0.1");
    closing.push(() => socket.destroy());
    const received = receivedBy(socket);
    const ended = new Promise((resolve) => socket.once("end", resolve));
    socket.write(`POST / HTTP/1.1\r\nHost: x\r\n${rest}`);
    await ended;
    expect(received()).toMatch(/^HTTP\/1\.1 408 [\s\S]*\r\nconnection: close\r\n[\s\S]*\r\nno$/i);
  },
);

test("[O250] the 408 of a task that read the whole body leaves the connection open", async () => {
  const upstream = await serve((incoming, outgoing) => {
    incoming.resume().on("end", () => outgoing.writeHead(408, { "content-length": "2" }).end("no"));
  });
  const listener = await listen(portOf(upstream));
  const socket = connect(listener.port, "127.0.0.1");
  closing.push(() => socket.destroy());
  const received = receivedBy(socket);
  const request = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc";
  socket.write(request);
  await expect.poll(received).toMatch(/no$/);
  socket.write(request);
  await expect.poll(() => received().match(/HTTP\/1\.1 408 /g)).toHaveLength(2);
});

test("[U77] a broken-off body is 400, and the runtime sees its connection end", async () => {
  let hasBegun = false;
  let isBroken = false;
  const upstream = await serve((incoming) => {
    hasBegun = true;
    incoming.resume().on("error", () => {
      isBroken = true;
    });
  });
  const listener = await listen(portOf(upstream));
  const socket = connect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
  closing.push(() => socket.destroy());
  const received = receivedBy(socket);
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nabc");
  await expect.poll(() => hasBegun).toBe(true);
  socket.end();
  await expect.poll(received).toContain("400 Bad Request: the request ended early");
  await expect.poll(() => isBroken).toBe(true);
});

test("[U77] a slow task is waited for, while the client's times pass", async () => {
  const upstream = await serve((incoming, outgoing) => {
    incoming.resume().on("end", () => setTimeout(() => outgoing.end("late"), 1_000));
  });
  const listener = await listenBriefly(portOf(upstream));
  const head = "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc";
  expect(await exchange(listener, head)).toMatch(/^HTTP\/1\.1 200 .*late/s);
});

test("[U77] an idle connection ends", async () => {
  const upstream = await serve((_, outgoing) => outgoing.end("ok"));
  const listener = await listenBriefly(portOf(upstream));
  expect(await exchange(listener, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")).toContain("ok");
});

test("[U77] a client that does not read its response is cut off", async () => {
  let isCut = false;
  const upstream = await serve((_, outgoing) => {
    outgoing.on("close", () => {
      isCut = true;
    });
    const write = (): void => {
      while (outgoing.write(Buffer.alloc(65_536)));
      outgoing.once("drain", write);
    };
    write();
  });
  const listener = await listenBriefly(portOf(upstream));
  const socket = connect(listener.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  socket.on("error", () => undefined);
  closing.push(() => socket.destroy());
  await expect.poll(() => isCut, { timeout: 5_000 }).toBe(true);
});

test("[U77] a client that has ended its side still gets its response", async () => {
  const upstream = await serve((_, outgoing) => setTimeout(() => outgoing.end("late"), 100));
  const listener = await listen(portOf(upstream));
  const socket = connect({ port: listener.port, host: "127.0.0.1", allowHalfOpen: true });
  closing.push(() => socket.destroy());
  const received = receivedBy(socket);
  socket.end("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await new Promise((resolve) => socket.once("end", resolve));
  expect(received()).toContain("late");
});

test("[U78] a client's reset during a quiet response ends the request at the runtime at once", async () => {
  let isEnded = false;
  const upstream = await serve((_, outgoing) => {
    outgoing.on("close", () => {
      isEnded = true;
    });
    outgoing.write(": hello\n\n");
  });
  const listener = await listen(portOf(upstream));
  const socket = connect(listener.port, "127.0.0.1", () => socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n"));
  await new Promise((resolve) => socket.once("data", resolve));
  socket.resetAndDestroy();
  await expect.poll(() => isEnded).toBe(true);
});

test("[U78] a response that breaks off at the runtime resets the client", async () => {
  const upstream = await serve((_, outgoing) => {
    outgoing.write("half");
    setTimeout(() => outgoing.destroy(), 50);
  });
  const listener = await listen(portOf(upstream));
  const failure = new Promise<NodeJS.ErrnoException>((resolve) => {
    get({ host: "127.0.0.1", port: listener.port, agent: false }, (response) => {
      response.on("error", resolve).resume();
    }).on("error", resolve);
  });
  expect((await failure).code).toBe("ECONNRESET");
});

test("[U79] the connection that was idle for longest makes room for a new one", async () => {
  const upstream = await serve((_, outgoing) => outgoing.end("ok"));
  const budget = new DescriptorBudget(309);
  const listener = await listen(portOf(upstream), { budget });
  const ended: number[] = [];
  for (let index = 0; index < 20; index += 1) {
    const socket = connect(listener.port, "127.0.0.1");
    closing.push(() => socket.destroy());
    socket
      .on("error", () => undefined)
      .on("close", () => ended.push(index))
      .resume();
    await new Promise((resolve) => socket.once("connect", resolve));
  }
  await expect.poll(() => ended).toEqual(Array.from({ length: 12 }, (_, index) => index));
  const response = await exchange(listener, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(response).toMatch(/^HTTP\/1\.1 200 /);
});

test("[U79] more open requests than the machine has descriptors for are refused with 503", async () => {
  const upstream = await serve(() => undefined);
  const budget = new DescriptorBudget(320);
  const listener = await listen(portOf(upstream), { budget });
  const head = "GET / HTTP/1.1\r\nHost: x\r\n\r\n";
  for (let index = 0; index < 10; index += 1) {
    const socket = connect(listener.port, "127.0.0.1", () => socket.write(head));
    closing.push(() => socket.destroy());
  }
  await expect.poll(() => exchange(listener, head)).toContain("503 Service Unavailable");
});

test.each(["GET", "DELETE"])("[U82] the chunked body of a %s arrives", async (method) => {
  const upstream = await serve((incoming, outgoing) => {
    let text = "";
    incoming.on("data", (bytes) => {
      text += bytes;
    });
    incoming.on("end", () => outgoing.end(`<${text}> ${incoming.headers["content-length"]}`));
  });
  const listener = await listen(portOf(upstream));
  const head = `${method} / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n`;
  const response = await exchange(listener, `${head}3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n`);
  expect(response).toContain(method === "GET" ? "<abcde> 5" : "<abcde> undefined");
});

test("[U82] a GET whose chunked body is longer than 64 KiB is 413", async () => {
  const listener = await listen(1);
  const head = "GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
  const response = await exchange(listener, `${head}10001\r\n${"a".repeat(0x10001)}\r\n0\r\n\r\n`);
  expect(response).toContain("413 Content Too Large");
});

test("[U12] what follows a refused request is not read as another one, readable or not", async () => {
  const seen: string[] = [];
  const upstream = await serve((incoming, outgoing) => {
    seen.push(incoming.url ?? "");
    outgoing.end();
  });
  const listener = await listen(portOf(upstream));
  const refused = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n";
  for (const rest of ["0\r\n\r\n", "", "zz\r\n"]) {
    const response = await exchange(listener, `${refused}${rest}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(response.split("HTTP/1.1 ").map((part) => part.slice(0, 3))).toEqual(["", "501"]);
  }
  expect(seen).toEqual([]);
});

test("[U83] a response head of 100 KiB and bytes above 127 in it pass, with and without a body", async () => {
  const long = "a".repeat(100_000);
  const upstream = await serve((incoming, outgoing) => {
    outgoing.writeHead(200, ["X-Long", long, "X-Name", "caf\xe9"]);
    outgoing.flushHeaders();
    if (incoming.url === "/late") setTimeout(() => outgoing.end("late"), 50);
    else outgoing.end();
  });
  // The test's own server writes a head as UTF-8 when it flushes one.
  const sent = Buffer.from("caf\xe9").toString("latin1");
  const listener = await listen(portOf(upstream));
  for (const path of ["/", "/late"]) {
    const response = await exchange(listener, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(response).toContain(`X-Long: ${long}\r\nX-Name: ${sent}\r\n`);
  }
});

test("[U83] a 101 that the request did not ask for is 502", async () => {
  const upstream = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => socket.write("HTTP/1.1 101 Switching Protocols\r\n\r\n"));
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  closing.push(() => upstream.close());
  const listener = await listen(portOf(upstream));
  const response = await exchange(listener, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(response).toMatch(/^HTTP\/1\.1 502 .*switched protocols/s);
});

test("[U83] a response that cannot be read is 502, and the request is sent once", async () => {
  let requests = 0;
  const upstream = createTcpServer((socket) => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      requests += 1;
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n");
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  closing.push(() => upstream.close());
  const listener = await listen(portOf(upstream));
  const response = await exchange(listener, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(response).toMatch(/^HTTP\/1\.1 502 .*the response cannot be read: /s);
  expect(requests).toBe(1);
});

test("[U77] a longer time for bodies lets a client pause, and 0 for any time", async () => {
  const upstream = await serve((incoming, outgoing) => {
    incoming.resume().on("end", () => outgoing.end("whole"));
  });
  const listener = await listenBriefly(portOf(upstream), 60_000);
  const socket = connect(listener.port, "127.0.0.1");
  closing.push(() => socket.destroy());
  const received = receivedBy(socket);
  socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 6\r\n\r\nabc");
  // Two times without a byte pass before the rest comes.
  setTimeout(() => socket.write("def"), 1_200);
  await expect.poll(received, { timeout: 5_000 }).toContain("whole");
  const unset = { bodyTimeoutMs: null };
  expect(longestBodyTimeoutMs(unset, [{ bodyTimeoutMs: 5_000 }, {}, { bodyTimeoutMs: 90_000 }])).toBe(90_000);
  expect(longestBodyTimeoutMs(unset, [{ bodyTimeoutMs: 5_000 }])).toBe(30_000);
  expect(longestBodyTimeoutMs({ bodyTimeoutMs: 60_000 }, [{}])).toBe(60_000);
  expect(longestBodyTimeoutMs(unset, [{ bodyTimeoutMs: 0 }])).toBe(Number.POSITIVE_INFINITY);
  expect(longestBodyTimeoutMs({ bodyTimeoutMs: 0 }, [{ bodyTimeoutMs: 5_000 }])).toBe(
    Number.POSITIVE_INFINITY,
  );
});

test("[U496] a WebSocket handshake at a port that redirects is redirected, and reaches no task", async () => {
  let reached = 0;
  const upstream = await serve(() => undefined);
  upstream.on("upgrade", (_, socket) => {
    reached += 1;
    socket.destroy();
  });
  const listener = await listen(portOf(upstream), { redirectTo: 8443 });
  const handshake = [
    "GET /chat?a=1 HTTP/1.1",
    "Host: www.test",
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Version: 13",
  ];
  const response = await exchange(listener, `${handshake.join("\r\n")}\r\n\r\n`);
  expect(response).toMatch(/^HTTP\/1\.1 301 Moved Permanently\r\n/);
  expect(response).toMatch(/\r\nlocation: https:\/\/www\.test:8443\/chat\?a=1\r\n/);
  expect(reached).toBe(0);
});

test("[U124] an error of an open port is reported once in a row, and the port stays open", async () => {
  const upstream = await serve((_, outgoing) => outgoing.end("ok"));
  const reported: string[] = [];
  const onError = ({ message }: Error): void => void reported.push(message);
  const listener = await listen(portOf(upstream), { onError });
  for (const code of ["ENFILE", "ENFILE", "EMFILE"]) {
    serverAt(listener.port).emit("error", new Error(`accept ${code}`));
  }
  expect(reported).toEqual(["accept ENFILE", "accept EMFILE"]);
  const response = await exchange(listener, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  expect(response).toMatch(/^HTTP\/1\.1 200 /);
});

/** The server of a port of this process: the kernel reports such an error only in a race. */
function serverAt(port: number): Server {
  const handles = (process as unknown as { _getActiveHandles(): unknown[] })._getActiveHandles();
  const server = handles.find(
    (handle): handle is Server =>
      handle instanceof Server && (handle.address() as AddressInfo | null)?.port === port,
  );
  if (server === undefined) throw new Error(`no server listens on port ${port}`);
  return server;
}
