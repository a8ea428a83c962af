import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer } from "node:net";
import { afterEach, expect, test } from "vitest";
import WebSocket, { WebSocketServer } from "ws";
import { Listener } from "../../../src/local/listener.ts";
import { controlProfile, publishedPortProfile } from "../../../src/local/listener-profile.ts";

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
  profile = publishedPortProfile(identity, "k"),
): Promise<Listener> {
  const listener = await Listener.open("127.0.0.1", 0, profile, { host: "127.0.0.1", port: upstreamPort });
  closing.push(() => listener.close(0));
  return listener;
}

/** Sends raw bytes and returns all that was received until the connection ended. */
function exchange(listener: Listener, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(listener.port, "127.0.0.1");
    let received = "";
    socket.on("data", (bytes) => {
      received += bytes;
    });
    socket.on("end", () => resolve(received));
    socket.write(text);
  });
}

test("[U10] a request gets the entry header of its listener, and the client's own is dropped", async () => {
  const upstream = await serve((incoming, outgoing) => outgoing.end(JSON.stringify(incoming.rawHeaders)));
  const listener = await listen(portOf(upstream));
  const response = await fetch(`http://127.0.0.1:${listener.port}/`, {
    headers: { "x-waggle-entry": "forged" },
  });
  const raw = (await response.json()) as string[];
  expect(raw.filter((_, index) => raw[index - 1]?.toLowerCase() === "x-waggle-entry")).toEqual([
    "k ingress n1 8080 127.0.0.1 http",
  ]);
});

test("[U12] a refused request gets a response with the reason and is not forwarded", async () => {
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
  expect(response).toContain("2 Content-Length headers; expected one");
  expect(reached).toBe(0);
});

test("[U23] the control API's port refuses in the Engine API's form and adds no header to requests", async () => {
  const seen: string[][] = [];
  const upstream = await serve((incoming, outgoing) => {
    seen.push(incoming.rawHeaders);
    outgoing.end("ok");
  });
  const listener = await listen(portOf(upstream), controlProfile);
  const twice = await exchange(
    listener,
    "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
  );
  expect(twice).toMatch(/^HTTP\/1\.1 400 Bad Request\r\ncontent-type: application\/json\r\n/);
  expect(twice).toMatch(/\r\n\r\n\{"message":"2 Content-Length headers; expected one"\}$/);
  const large = await exchange(
    listener,
    `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${"a".repeat(100_000)}\r\n\r\n`,
  );
  expect(large).toMatch(/^HTTP\/1\.1 431 .*\r\n\r\n\{"message":"the request head is larger than 64 KiB"\}$/s);
  expect(seen).toEqual([]);
  await exchange(
    listener,
    "GET /y HTTP/1.1\r\nHost: x\r\nX-Waggle-Entry: forged\r\nConnection: close\r\n\r\n",
  );
  expect(seen).toEqual([["Host", "x", "Connection", "close"]]);
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

test("[U13] a refused upgrade leaves the connection usable, and its next request is marked", async () => {
  const received: string[] = [];
  const upstream = createTcpServer((socket) => {
    socket.on("data", (bytes) => {
      received.push(String(bytes));
      socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, "127.0.0.1", resolve));
  closing.push(() => upstream.close());
  const listener = await listen(portOf(upstream));
  const socket = connect(listener.port, "127.0.0.1");
  closing.push(() => socket.destroy());
  const nextResponse = () =>
    new Promise<string>((resolve) => socket.once("data", (bytes) => resolve(String(bytes))));
  socket.write("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n");
  expect(await nextResponse()).toContain("HTTP/1.1 200 OK");
  socket.write("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
  expect(await nextResponse()).toContain("HTTP/1.1 200 OK");
  expect(received[1]).toBe(
    "GET /2 HTTP/1.1\r\nx-waggle-entry: k ingress n1 8080 127.0.0.1 http\r\nHost: x\r\n\r\n",
  );
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
