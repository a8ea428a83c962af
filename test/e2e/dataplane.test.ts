// The data plane in workerd, in front of real servers, some of which fail. Rules: docs/spec.md X.

import { request as httpRequest, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { connect } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import type { TableService } from "../../src/domain/table/table.ts";
import { freshMs } from "../../src/proxy/routing/table-cache.ts";
import {
  type Backend,
  echo,
  gzipped,
  http,
  type ReceivedRequest,
  refusing,
  resetting,
  silent,
  various,
  webSocketEcho,
} from "../support/backends.ts";
import {
  operatorToken,
  serviceOf,
  startPlane,
  type TestEntry,
  type TestPlane,
  tableOf,
  taskId,
} from "../support/dataplane.ts";
import { isUnderPlatformRules } from "../support/mesh-process.ts";
import { until } from "../support/until.ts";

const backends: Backend[] = [];
let plane: TestPlane;
let version = 1;

type ReceivedResponse = { status: number; headers: IncomingHttpHeaders; body: Buffer; text: string };
type SentRequest = {
  entry?: TestEntry;
  path?: string;
  method?: string;
  headers?: OutgoingHttpHeaders;
  body?: string | Buffer;
};

beforeAll(async () => {
  plane = await startPlane(tableOf(version), { HEAD_TIMEOUT_MS: "400", TRUSTED_PROXIES: "198.51.100.0/24" });
});

afterAll(async () => {
  await plane.stop();
  await Promise.all(backends.map((backend) => backend.stop()));
});

/** Waits for a backend to start, and stops it after all tests. */
async function use<T extends Backend>(starting: Promise<T>): Promise<T> {
  const backend = await starting;
  backends.push(backend);
  return backend;
}

/** Publishes services, and waits until the data plane has the new table. */
async function publish(...services: TableService[]): Promise<void> {
  version += 1;
  plane.setTable(tableOf(version, ...services));
  const headers = { "x-waggle-debug": "1", "x-waggle-token": operatorToken };
  await until(`table version ${version}`, async () => {
    const response = await send({ entry: { port: 9 }, headers });
    return response.headers["x-waggle-table-version"] === String(version);
  });
}

/** Sends a request over its own connection. Bytes and header names of the response stay unchanged. */
function send({
  entry,
  path = "/",
  method = "GET",
  headers = {},
  body,
}: SentRequest): Promise<ReceivedResponse> {
  return new Promise((resolve, reject) => {
    const options = { method, headers: { ...plane.entry(entry), ...headers }, agent: false };
    const request = httpRequest(plane.origin + path, options, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const { statusCode: status = 0, headers } = response;
        const body = Buffer.concat(chunks);
        resolve({ status, headers, body, text: body.toString() });
      });
    });
    request.on("error", reject);
    request.end(body);
  });
}

/** Sends a request to an echo server. @returns the request as that server received it */
async function echoed(request: SentRequest): Promise<ReceivedRequest> {
  const { status, text } = await send(request);
  expect(status, text).toBe(200);
  return JSON.parse(text) as ReceivedRequest;
}

/** Sends bytes over a socket. @returns the bytes received until the peer closes or a response is complete */
function raw(text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(plane.port, "127.0.0.1", () => socket.write(text));
    let received = "";
    socket.on("data", (chunk) => {
      received += chunk.toString("latin1");
      if (/\r\n\r\n[\s\S]*[}>]\s*$/.test(received)) socket.end();
    });
    socket.on("error", reject);
    socket.on("close", () => resolve(received));
  });
}

/** The names of the echo servers that get `count` requests in a row. */
async function serverNames(count: number, request: SentRequest): Promise<string[]> {
  const names: string[] = [];
  for (let i = 0; i < count; i += 1) names.push((await echoed(request)).name);
  return names;
}

test("[X6] requests at one node go to the tasks of all nodes in turn", async () => {
  const [a, b] = [await use(echo("a")), await use(echo("b"))];
  await publish(serviceOf("my-web", 8001, [a.origin, b.origin]));
  for (const node of ["node1", "node2"]) {
    const picked = await serverNames(6, { entry: { node, port: 8001 } });
    expect(picked.filter((name) => name === "a")).toHaveLength(3);
    expect(picked[0]).not.toBe(picked[1]);
  }
});

test("[X8] the entry point of a node that is down keeps serving", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8002, [a.origin]));
  expect(await serverNames(1, { entry: { node: "node3", port: 8002 } })).toEqual(["a"]);
});

test("[X5] the edge gives equal shares to nodes that are up, and none to a node that is down", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8003, [a.origin]));
  const nodes: string[] = [];
  const headers = { "x-waggle-debug": "1", "x-waggle-token": operatorToken };
  for (let i = 0; i < 8; i += 1) {
    const response = await send({ entry: { role: "edge", port: 8003 }, headers });
    nodes.push(String(response.headers["x-waggle-node"]));
  }
  expect(nodes.toSorted()).toEqual([...Array(4).fill("node1"), ...Array(4).fill("node2")]);
});

test("[X7] a port in host mode is served at the nodes that have a task, each by its own task", async () => {
  const [a, b] = [await use(echo("a")), await use(echo("b"))];
  await publish(serviceOf("my-web", 8004, [a.origin, b.origin], { mode: "host" }));
  expect(await serverNames(3, { entry: { node: "node1", port: 8004 } })).toEqual(["a", "a", "a"]);
  expect(await serverNames(2, { entry: { node: "node2", port: 8004 } })).toEqual(["b", "b"]);
  expect(new Set(await serverNames(4, { entry: { role: "edge", port: 8004 } }))).toEqual(new Set(["a", "b"]));
  const elsewhere = await send({ entry: { node: "node3", port: 8004 } });
  expect(elsewhere.status).toBe(503);
  expect(elsewhere.text).toContain("no live task on node3");
});

test.each([
  ["refuses the connection", refusing],
  ["resets it", resetting],
])("[X9] a GET is retried on another task when one %s", async (_name, start) => {
  const bad = await use<Backend>(start());
  const good = await use(echo("good"));
  await publish(serviceOf("my-web", 8005, [bad.origin, good.origin]));
  // The cursor starts at random, so one of two requests goes to the bad task first.
  expect(await serverNames(2, { entry: { port: 8005 } })).toEqual(["good", "good"]);
});

test("[X9] a request tries at most four tasks, each once", async () => {
  const bad = await Promise.all(Array.from({ length: 6 }, () => use(resetting())));
  await publish(
    serviceOf(
      "my-web",
      8006,
      bad.map(({ origin }) => origin),
    ),
  );
  const response = await send({ entry: { port: 8006 } });
  expect(response.status).toBe(502);
  expect(response.text).toContain(
    "each of the 4 tried tasks of my-web could not be reached or closed the connection",
  );
  const hits = bad.map((backend) => backend.hits());
  expect(Math.max(...hits)).toBe(1);
  expect(hits.reduce((sum, count) => sum + count, 0)).toBe(4);
});

test("[X10] a POST is not retried, because a task may have processed it", async () => {
  const bad = [await use(resetting()), await use(resetting())];
  await publish(
    serviceOf(
      "my-web",
      8007,
      bad.map(({ origin }) => origin),
    ),
  );
  const response = await send({ entry: { port: 8007 }, method: "POST", body: "x=1" });
  expect(response.status).toBe(502);
  expect(response.text).toContain("POST is not retried");
  expect(bad.reduce((sum, backend) => sum + backend.hits(), 0)).toBe(1);
});

test("[X11] a PUT with a body of up to 64 KiB arrives whole at the next task", async () => {
  const bad = await use(resetting());
  const good = await use(echo("good"));
  await publish(serviceOf("my-web", 8008, [bad.origin, good.origin]));
  const body = "x".repeat(64 * 1024);
  for (let i = 0; i < 2; i += 1) {
    const arrived = await echoed({ entry: { port: 8008 }, method: "PUT", body });
    expect(arrived.body).toBe(body);
    expect(arrived.headers["content-length"]).toBe(String(body.length));
  }
});

test("[X11] a larger PUT streams and is not retried", async () => {
  const bad = [await use(refusing()), await use(refusing())];
  await publish(
    serviceOf(
      "my-web",
      8009,
      bad.map(({ origin }) => origin),
    ),
  );
  const response = await send({ entry: { port: 8009 }, method: "PUT", body: "x".repeat(64 * 1024 + 1) });
  expect(response.status).toBe(502);
  expect(response.text).toContain("PUT is not retried");
});

test("[X12] a task that failed a moment ago gets no requests while others are healthy", async () => {
  const bad = await use(resetting());
  const [a, b] = [await use(echo("a")), await use(echo("b"))];
  // A service of its own, because ejections of other tests are still in force.
  await publish(serviceOf("ejected", 8010, [bad.origin, a.origin, b.origin]));
  await serverNames(9, { entry: { port: 8010 } });
  expect(bad.hits()).toBe(1);
});

test("[X13] a task that does not respond before the head timeout is 504", async () => {
  const slow = await use(silent());
  await publish(serviceOf("my-web", 8011, [slow.origin]));
  const response = await send({ entry: { port: 8011 } });
  expect(response.status).toBe(504);
  expect(response.text).toContain("did not respond within 0.4 s");
});

test("[X13] the head timeout does not cut a response that has begun", async () => {
  const late = await use(
    http((_request, response) => {
      response.write("begun;");
      setTimeout(() => response.end("ended"), 900);
    }),
  );
  await publish(serviceOf("my-web", 8012, [late.origin]));
  expect((await send({ entry: { port: 8012 } })).text).toBe("begun;ended");
});

test("[X14] the task learns client, host and scheme from the entry point, not from the client's headers", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8013, [a.origin]));
  const { headers } = await echoed({
    entry: { port: 8013, client: "2001:db8::7", scheme: "https" },
    headers: {
      host: "www.example.com",
      "x-forwarded-for": "10.0.0.1",
      "x-forwarded-host": "evil.example.com",
      "x-forwarded-proto": "gopher",
      "x-forwarded-prefix": "/evil",
      forwarded: "for=10.0.0.1",
      "x-real-ip": "10.0.0.1",
      "cf-connecting-ip": "10.0.0.1",
    },
  });
  expect(headers).toMatchObject({
    "x-forwarded-for": "2001:db8::7",
    "x-forwarded-host": "www.example.com",
    "x-forwarded-proto": "https",
    "x-forwarded-port": "8013",
    forwarded: 'for="[2001:db8::7]";host=www.example.com;proto=https',
  });
  for (const name of ["x-forwarded-prefix", "x-real-ip", "cf-connecting-ip"])
    expect(headers).not.toHaveProperty(name);
});

test("[X15] a trusted proxy's forwarding headers are kept, and the proxy is added to the chain", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8014, [a.origin]));
  const { headers } = await echoed({
    entry: { port: 8014, client: "198.51.100.9" },
    headers: {
      host: "inner",
      "x-forwarded-for": "203.0.113.1",
      "x-forwarded-host": "www.example.com",
      "x-forwarded-proto": "https",
    },
  });
  expect(headers).toMatchObject({
    "x-forwarded-for": "203.0.113.1, 198.51.100.9",
    "x-forwarded-host": "www.example.com",
    "x-forwarded-proto": "https",
    forwarded: "for=203.0.113.1, for=198.51.100.9;host=inner;proto=http",
  });
});

test("[X17] hop-by-hop headers are removed in both directions", async () => {
  const [a, b] = [await use(echo("a")), await use(various())];
  await publish(serviceOf("my-web", 8015, [a.origin]), serviceOf("other", 8016, [b.origin]));
  const { headers } = await echoed({
    entry: { port: 8015 },
    headers: {
      connection: "close, X-Private",
      "x-private": "1",
      "x-public": "1",
      te: "trailers",
      "keep-alive": "5",
      "proxy-connection": "keep-alive",
      "proxy-authorization": "Basic x",
      authorization: "Basic y",
    },
  });
  expect(headers).toMatchObject({ "x-public": "1", authorization: "Basic y" });
  for (const name of ["x-private", "te", "keep-alive", "proxy-connection", "proxy-authorization"]) {
    expect(headers).not.toHaveProperty(name);
  }
  const response = await send({ entry: { port: 8016 }, path: "/hop" });
  expect(response.headers).toHaveProperty("x-public", "1");
  for (const name of ["x-private", "proxy-authenticate"]) expect(response.headers).not.toHaveProperty(name);
});

test("[X18] x-waggle- headers besides the loop mark do not reach the task, neither the client's nor the listener's", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8017, [a.origin]));
  const { rawHeaders } = await echoed({
    entry: { port: 8017 },
    headers: { "X-Waggle-Token": operatorToken, "x-waggle-node": "node9", "x-waggle-debug": "1" },
  });
  expect(rawHeaders.filter((text) => /waggle-/i.test(text))).toEqual(["x-waggle-loop"]);
});

test("[X19] task and client get the client's request id; one that could break a log line is replaced", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8018, [a.origin]));
  const valid = await send({ entry: { port: 8018 }, headers: { "x-request-id": "abc-123" } });
  expect(valid.headers["x-request-id"]).toBe("abc-123");
  expect((JSON.parse(valid.text) as ReceivedRequest).headers["x-request-id"]).toBe("abc-123");
  const invalid = await send({ entry: { port: 8018 }, headers: { "x-request-id": "a b" } });
  expect(invalid.headers["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
});

test("[X40] a request that returns to its service is 508 after one round", async () => {
  let rounds = 0;
  const loop = await use(
    http((incoming, response) => {
      rounds += 1;
      const headers = { ...incoming.headers, ...plane.entry({ port: 8019 }) };
      httpRequest(plane.origin, { headers, agent: false }, (looped) => {
        response.writeHead(looped.statusCode ?? 0);
        looped.pipe(response);
      }).end();
    }),
  );
  await publish(serviceOf("my-web", 8019, [loop.origin]));
  const response = await send({ entry: { port: 8019 } });
  expect(response.status).toBe(508);
  expect(rounds).toBe(1);
});

test("[X40] the loop mark names each service that a request passes, and keeps others", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8020, [a.origin]));
  const { headers } = await echoed({
    entry: { port: 8020 },
    headers: { "x-waggle-loop": "other.test-mesh" },
  });
  expect(headers["x-waggle-loop"]).toBe("other.test-mesh, my-web.test-mesh");
  expect(headers).not.toHaveProperty("via");
});

test("[X41] a response's bytes, status and headers arrive unchanged", async () => {
  const backend = await use(various());
  await publish(serviceOf("my-web", 8021, [backend.origin]));
  const get = (path: string, more: SentRequest = {}) => send({ entry: { port: 8021 }, path, ...more });

  const gzip = await get("/gzip", { headers: { "accept-encoding": "gzip" } });
  expect(gzip.headers["content-encoding"]).toBe("gzip");
  expect(gzip.body.equals(gzipped)).toBe(true);

  const range = await get("/range", { headers: { range: "bytes=2-5" } });
  expect([range.status, range.text, range.headers["content-range"]]).toEqual([206, "2345", "bytes 2-5/10"]);

  const head = await get("/range", { method: "HEAD", headers: { range: "bytes=2-5" } });
  expect([head.status, head.text, head.headers["content-length"]]).toEqual([206, "", "4"]);

  expect((await get("/204")).status).toBe(204);
  const notModified = await get("/304");
  expect([notModified.status, notModified.headers.etag]).toEqual([304, '"a"']);

  const redirect = await get("/redirect");
  expect([redirect.status, redirect.headers.location]).toEqual([302, "/elsewhere"]);

  const cookies = (await get("/cookies")).headers["set-cookie"] ?? [];
  expect(cookies).toEqual(Array.from({ length: 100 }, (_, index) => `c${index}=v${index}; Path=/`));
});

test("[X41] path, query and method arrive unchanged", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8022, [a.origin]));
  const path = "/a//b%2Fc/%7Ex;y?q=%20+1&empty=&r=a/b?c";
  for (const method of ["GET", "OPTIONS", "DELETE", "PATCH"]) {
    expect(await echoed({ entry: { port: 8022 }, path, method })).toMatchObject({ method, url: path });
  }
});

test("[X41] a GET with a body arrives with it", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8023, [a.origin]));
  const headers = { "content-length": 5 };
  expect(await echoed({ entry: { port: 8023 }, headers, body: "query" })).toMatchObject({ body: "query" });
});

test("[X42] a response streams as the task sends it", async () => {
  const backend = await use(various());
  await publish(serviceOf("my-web", 8024, [backend.origin]));
  const gate = "gate-1";
  const headers = { ...plane.entry({ port: 8024 }), "x-gate": gate };
  const response = await fetch(`${plane.origin}/sse`, { headers });
  const reader = (response.body ?? fail("no body")).pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toBe("data: 1\n\n");
  await send({ entry: { port: 8024 }, path: "/gate", headers: { "x-gate": gate } });
  expect((await reader.read()).value).toBe("data: 2\n\n");
});

test("[X42] request and response body stream at the same time", async () => {
  const backend = await use(various());
  await publish(serviceOf("my-web", 8025, [backend.origin]));
  const headers = plane.entry({ port: 8025 });
  const response = await new Promise<string>((resolve, reject) => {
    let text = "";
    const chunks = ["first", "second!", ""];
    const upload = httpRequest(
      `${plane.origin}/upload`,
      { method: "POST", headers, agent: false },
      (response) => {
        expect(response.headers["x-length"]).toBe("none");
        response.on("data", (chunk: Buffer) => {
          text += chunk.toString();
          // Each chunk is sent after the response to the previous one.
          const next = chunks.shift();
          if (next === undefined || next === "") upload.end();
          else upload.write(next);
        });
        response.on("end", () => resolve(text));
      },
    );
    upload.on("error", reject);
    upload.write(chunks.shift());
  });
  expect(response).toBe("got 5;got 7;end");
});

test("[X43] a WebSocket carries text and bytes, its subprotocol and its close code", async () => {
  const backend = await use(webSocketEcho());
  await publish(serviceOf("my-web", 8026, [backend.origin]));
  const socket = new WebSocket(plane.origin, ["echo"], {
    headers: plane.entry({ role: "edge", port: 8026 }),
  });
  const messages: (string | Buffer)[] = [];
  await new Promise<void>((resolve, reject) => {
    socket.on("error", reject);
    socket.on("open", () => {
      socket.send("text");
      socket.send(Buffer.from([0, 255]));
    });
    socket.on("message", (data: Buffer, binary) => {
      messages.push(binary ? data : data.toString());
      if (messages.length === 2) resolve();
    });
  });
  expect(socket.protocol).toBe("echo");
  expect(messages).toEqual(["text", Buffer.from([0, 255])]);
  const closed = new Promise<number>((resolve) => socket.on("close", resolve));
  socket.close(4001, "done");
  expect(await closed).toBe(4001);
});

test("[X43] a WebSocket handshake with a plain service gets that service's response", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8027, [a.origin]));
  const socket = new WebSocket(plane.origin, { headers: plane.entry({ port: 8027 }) });
  const status = await new Promise<number>((resolve, reject) => {
    socket.on("unexpected-response", (_request, response) => {
      resolve(response.statusCode ?? 0);
      response.destroy();
    });
    socket.on("open", () => reject(new Error("it opened")));
    socket.on("error", () => undefined);
  });
  expect(status).toBe(200);
});

test("[X43] a WebSocket handshake is retried on another task when one refuses the connection", async () => {
  const [bad, good] = [await use(refusing()), await use(webSocketEcho())];
  await publish(serviceOf("my-web", 8028, [bad.origin, good.origin]));
  for (let i = 0; i < 2; i += 1) {
    const socket = new WebSocket(plane.origin, { headers: plane.entry({ port: 8028 }) });
    await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    expect(socket.readyState).toBe(WebSocket.OPEN);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.close();
    await closed;
  }
});

test("[X44] a failure is JSON with reason and request id, and a page if Accept prefers HTML", async () => {
  const json = await send({ entry: { port: 9 }, headers: { accept: "*/*", "x-request-id": "abc" } });
  expect([json.status, json.headers["content-type"], json.headers["cache-control"]]).toEqual([
    404,
    "application/json",
    "no-store",
  ]);
  expect(JSON.parse(json.text)).toEqual({
    status: 404,
    error: "Not Found",
    message: "no service is published on port 9",
    requestId: "abc",
  });
  const html = await send({ entry: { port: 9 }, headers: { accept: "text/html,*/*;q=0.8" } });
  expect(html.headers["content-type"]).toBe("text/html; charset=utf-8");
  expect(html.text).toContain("<h1>404 Not Found</h1>");
});

test("[X44] a service without a live task is 503 with Retry-After", async () => {
  await publish(serviceOf("my-web", 8029, []));
  const response = await send({ entry: { port: 8029 } });
  expect([response.status, response.headers["retry-after"]]).toEqual([503, "1"]);
  expect(response.text).toContain("service my-web has no live task");
});

test("[X45] x-waggle-debug with a token shows the route of a request, and without one nothing", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8030, [a.origin]));
  const entry = { port: 8030, node: "node2" };
  const debugged = await send({ entry, headers: { "x-waggle-debug": "1", "x-waggle-token": operatorToken } });
  expect(debugged.headers).toMatchObject({
    "x-waggle-node": "node2",
    "x-waggle-task-node": "node1",
    "x-waggle-service": "my-web",
    "x-waggle-task": taskId("my-web", 1),
    "x-waggle-slot": "1",
    "x-waggle-attempts": "1",
    "x-waggle-table-version": String(version),
  });
  expect(Number(debugged.headers["x-waggle-table-age-ms"])).toBeGreaterThanOrEqual(0);
  for (const token of ["", "wrong", `${operatorToken}x`]) {
    const hidden = await send({ entry, headers: { "x-waggle-debug": "1", "x-waggle-token": token } });
    expect(Object.keys(hidden.headers).filter((name) => name.startsWith("x-waggle-"))).toEqual([]);
  }
});

test("[X46] requests are routed by the table held without a call for each, and a newer table is taken behind them", async () => {
  const [a, b] = [await use(echo("a")), await use(echo("b"))];
  await publish(serviceOf("my-web", 8031, [a.origin]));
  expect(await serverNames(1, { entry: { port: 8031 } })).toEqual(["a"]);
  const requestsBefore = plane.tableRequests();
  await serverNames(5, { entry: { port: 8031 } });
  expect(plane.tableRequests() - requestsBefore).toBeLessThanOrEqual(1);
  version += 1;
  plane.setTable(tableOf(version, serviceOf("my-web", 8031, [b.origin])));
  await until("the new table", async () => (await serverNames(1, { entry: { port: 8031 } }))[0] === "b");
});

test("[X47] an older table, an unreadable one and an unreachable registry change nothing", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8032, [a.origin]));
  await serverNames(1, { entry: { port: 8032 } });
  const sources = [
    tableOf(1),
    async () => ({ version: version + 100, text: "waggle-table 99\n" }),
    async () => Promise.reject(new Error("the registry is down")),
  ];
  for (const source of sources) {
    plane.setTable(source);
    // A refusal causes a refresh from this source.
    expect((await send({ entry: { port: 9 } })).status).toBe(404);
    expect(await serverNames(1, { entry: { port: 8032 } })).toEqual(["a"]);
  }
});

test.each(["edge", "ingress"] as const)(
  "[X48] a service created or moved a moment ago is served, %s",
  async (role) => {
    const [bad, good] = [await use(resetting()), await use(echo("good"))];
    await publish(serviceOf("my-web", 8033, [bad.origin]));
    const moved = {
      ...serviceOf("my-web", 8033, []),
      tasks: serviceOf("my-web", 8033, ["", good.origin]).tasks.slice(1),
    };
    version += 1;
    plane.setTable(tableOf(version, moved, serviceOf("other", 8034, [good.origin])));
    await untilTableIsStale();
    expect(await serverNames(1, { entry: { role, port: 8033 } })).toEqual(["good"]);
    version += 1;
    plane.setTable(tableOf(version, moved, serviceOf("new", 8039, [good.origin])));
    await untilTableIsStale();
    expect(await serverNames(1, { entry: { role, port: 8039 } })).toEqual(["good"]);
  },
);

/** Waits until the isolate's table is too old to refuse a request by. */
function untilTableIsStale(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, freshMs + 10));
}

test("[X49] the listeners' socket refuses a request without their key", async () => {
  for (const value of [
    "",
    "test-entry-keX edge - 8080 127.0.0.1 http",
    "test-entry-key2 edge - 8080 127.0.0.1 http",
  ]) {
    const response = await send({ headers: { "x-waggle-entry": value } });
    expect([response.status, response.text.includes("own listeners only")]).toEqual([403, true]);
  }
});

test.each(["a, b", "user@a", "a<b>", "a/b"])("[X50] Host %j is 400", async (host) => {
  const response = await send({ entry: { port: 8080 }, headers: { host } });
  expect(response.status).toBe(400);
});

test("[X50] two Host headers, two different Content-Lengths and OPTIONS * are 400", async () => {
  const entry = `x-waggle-entry: ${plane.entry({ port: 8080 })["x-waggle-entry"]}`;
  const heads = [
    `GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n${entry}\r\n\r\n`,
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\nConnection: close\r\n${entry}\r\n\r\nab`,
    `OPTIONS * HTTP/1.1\r\nHost: a\r\n${entry}\r\n\r\n`,
  ];
  for (const head of heads) expect(await raw(head)).toMatch(/^HTTP\/1\.1 400 /);
});

// Under the platform's rules there are such statuses.
if (!isUnderPlatformRules)
  test("[X51] without platform statuses a 521 is the task's own response", async () => {
    const backend = await use(various());
    await publish(serviceOf("my-web", 8035, [backend.origin]));
    const response = await send({ entry: { port: 8035 }, path: "/521" });
    expect([response.status, response.text]).toEqual([521, "the task's own 521"]);
  });

test("[X52] the mesh responds to Expect: 100-continue, and the task does not get that header", async () => {
  const a = await use(echo("a"));
  await publish(serviceOf("my-web", 8036, [a.origin]));
  const arrived = await new Promise<ReceivedRequest>((resolve, reject) => {
    const headers = { ...plane.entry({ port: 8036 }), expect: "100-continue", "content-length": 4 };
    const upload = httpRequest(plane.origin, { method: "POST", headers, agent: false }, async (response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of response) chunks.push(chunk as Buffer);
      resolve(JSON.parse(Buffer.concat(chunks).toString()) as ReceivedRequest);
    });
    upload.on("continue", () => upload.end("body"));
    upload.on("error", reject);
    upload.flushHeaders();
  });
  expect(arrived.body).toBe("body");
  expect(arrived.headers).not.toHaveProperty("expect");
});

test("[X2][X3][X4] a host name matches a service's own, NAME.domain, a node's, or the default service", async () => {
  const [a, b] = [await use(echo("a")), await use(echo("b"))];
  await publish(
    serviceOf("my-web", 8037, [a.origin]),
    serviceOf("shop", 8038, [b.origin], { hosts: ["www.example.com"] }),
  );
  const get = (host: string) =>
    new Promise<string>((resolve, reject) => {
      const headers = { host, "x-waggle-debug": "1", "x-waggle-token": operatorToken };
      httpRequest(plane.hostOrigin, { headers, agent: false }, async (response) => {
        const chunks: Buffer[] = [];
        for await (const chunk of response) chunks.push(chunk as Buffer);
        const node = response.headers["x-waggle-node"] ?? "";
        const { name = "" } = JSON.parse(Buffer.concat(chunks).toString()) as Partial<ReceivedRequest>;
        resolve(
          `${response.statusCode} ${name} ${host.includes("two") || host.includes("nodes") ? node : ""}`.trim(),
        );
      })
        .on("error", reject)
        .end();
    });
  expect(await get("WWW.example.com")).toBe("200 b");
  expect(await get("shop.mesh.example.com")).toBe("200 b");
  expect(await get("anything.example.org")).toBe("200 a");
  expect(await get("typo.mesh.example.com")).toBe("404");
  expect(await get("node1.nodes.mesh.example.com")).toBe("200 a node1");
  expect(await get("two.example.com")).toBe("200 a node2");
  expect(await get("node9.nodes.mesh.example.com")).toBe("404");
});

function fail(reason: string): never {
  throw new Error(reason);
}
