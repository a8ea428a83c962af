// What a task gets from a gateway, and what a router gets from the task, byte by byte over real sockets.

import { afterEach, expect, test } from "vitest";
import {
  attempt,
  type OpenGateway,
  openGateway,
  rawClient,
  requestBytes,
  sign,
  taskAt,
  tcpTask,
} from "../../../support/gateway.ts";
import { lines, rawTask, requestLine } from "../../../support/raw-http.ts";
import { until } from "../../../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function gatewayTo(port: number): Promise<OpenGateway> {
  const open = await openGateway({ t1: taskAt(port) });
  stops.push(() => open.gateway.close(0));
  return open;
}

/** A task that responds with bytes, and its gateway. */
async function behind(respond: string | ((request: string) => string)) {
  const task = await rawTask(typeof respond === "string" ? () => respond : respond);
  stops.push(task.stop);
  return { task, ...(await gatewayTo(Number(new URL(task.origin).port))) };
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

test.each(["/", "/a'b", "/{id}", "/a^b", "/a\\b", "/a/../b", "/%2e%2E/", "//x", '/?q={}|`"<>', "/a#b", "*"])(
  "[O4] the target %s reaches the task as it is",
  async (target) => {
    const { gateway, task } = await behind(ok);
    expect((await attempt(gateway, { target, method: "OPTIONS" })).outcome).toBe("task");
    expect(requestLine(task.requests[0] ?? "")).toBe(`OPTIONS ${target} HTTP/1.1`);
  },
);

test.each(["GET", "PURGE", "REPORT", "BREW", "X-!#$%&'*+.^_`|~9"])(
  "[O4] a task gets the method %s",
  async (method) => {
    const { gateway, task } = await behind(ok);
    for (const kind of ["once", "repeat"] as const) {
      expect((await attempt(gateway, { method, kind, wireMethod: "POST" })).outcome).toBe("task");
      expect(requestLine(task.requests.at(-1) ?? "")).toBe(`${method} / HTTP/1.1`);
    }
  },
);

test("[O4] Host is what the attempt says, or missing", async () => {
  const { gateway, task } = await behind(ok);
  await attempt(gateway, { host: "WWW.example.com:8080" });
  await attempt(gateway, { host: null });
  expect(task.requests.map((request) => lines(request, "host"))).toEqual([["WWW.example.com:8080"], []]);
});

test("[O4] header lines pass in order, repeated and with any bytes; connection headers and x-waggle-* stay", async () => {
  const { gateway, task } = await behind(ok);
  await attempt(gateway, {}, [
    "X-B: 2",
    "x-a: caf\xc3\xa9 \xff",
    "X-B: 1",
    "Cookie: a=1",
    "Cookie: b=2",
    "Connection: keep-alive, X-Hop, content-length, Host",
    "X-Hop: 1",
    "Keep-Alive: timeout=5",
    "TE: trailers",
    "Proxy-Authorization: x",
    "Expect: 100-continue",
    "X-Waggle-Entry: forged",
    "Upgrade: h2c",
    "Authorization: Basic eA==",
  ]);
  expect(task.requests[0]).toBe(
    [
      "GET / HTTP/1.1",
      "Host: www.test",
      "X-B: 2",
      "x-a: caf\xc3\xa9 \xff",
      "X-B: 1",
      "Cookie: a=1",
      "Cookie: b=2",
      "Authorization: Basic eA==",
      "Connection: keep-alive",
      "",
      "",
    ].join("\r\n"),
  );
});

test.each(["GET", "POST", "DELETE", "OPTIONS"])(
  "[O5] a %s passes with a sized or chunked body",
  async (method) => {
    const { gateway, task } = await behind(ok);
    const kind = "once";
    await attempt(gateway, { method, kind }, ["Content-Length: 5"], "he\0lo");
    await attempt(
      gateway,
      { method, kind },
      ["Transfer-Encoding: chunked"],
      "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    const [sized = "", chunked = ""] = task.requests;
    expect(sized).toMatch(/\r\nContent-Length: 5\r\n[\s\S]*\r\n\r\nhe\0lo$/);
    expect(lines(chunked, "transfer-encoding")).toEqual(["chunked"]);
    expect(lines(chunked, "content-length")).toEqual([]);
    expect(chunked).toMatch(/abc[\s\S]*de[\s\S]*0\r\n\r\n$/);
  },
);

test("[O5] trailers pass both ways, without those that frame a message or belong to the mesh", async () => {
  const chunks = "3\r\nabc\r\n0\r\nX-Sum: 1\r\nHost: x\r\nX-Waggle-Gateway: task x\r\n\r\n";
  const { gateway, task } = await behind(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`);
  const reply = await attempt(gateway, { method: "POST" }, ["Transfer-Encoding: chunked"], chunks);
  expect(task.requests[0]).toMatch(/abc\r\n0\r\nX-Sum: 1\r\n\r\n$/);
  expect(reply).toMatchObject({ body: "abc", trailers: ["X-Sum: 1"] });
});

test("[O5] a router that waits for a 100 is asked for its body", async () => {
  const { gateway, task } = await behind(ok);
  const signed = sign({ method: "POST" });
  const head = requestBytes(signed, ["Content-Length: 3", "Expect: 100-continue"]);
  const client = rawClient(gateway.port, head);
  await until("the 100", () => client.text().startsWith("HTTP/1.1 100 "));
  client.socket.write("abc");
  await until("the response", () => client.text().includes("HTTP/1.1 200 OK"));
  client.socket.destroy();
  expect(task.requests[0]).toMatch(/\r\n\r\nabc$/);
});

test.each([200, 226, 299, 404, 499, 599, 600, 799, 999])("[O6] the status %i passes", async (status) => {
  const { gateway } = await behind(`HTTP/1.1 ${status} As it Pleases\r\nContent-Length: 2\r\n\r\nok`);
  const reply = await attempt(gateway);
  expect(reply).toMatchObject({ status, outcome: "task", body: "ok" });
  expect(reply.text).toMatch(/^HTTP\/1\.1 \d+ As it Pleases\r\n/);
});

test("[O6] header lines of a response pass in order and as bytes; a task cannot forge the gateway's", async () => {
  const { gateway } = await behind(
    [
      "HTTP/1.1 200 OK",
      "X-B: 2",
      "Set-Cookie: a=1",
      "x-a: \xfe\xff",
      "X-B: 1",
      "Set-Cookie: b=2",
      "Connection: X-Hop",
      "X-Hop: 1",
      "Upgrade: h2c",
      "X-Waggle-Gateway: refused AAAAAAAAAAAAAAAAAAAAAA",
      "x-waggle-anything: 1",
      "Content-Length: 0",
      "",
      "",
    ].join("\r\n"),
  );
  const reply = await attempt(gateway);
  expect(reply.outcome).toBe("task");
  expect(reply.headers.filter((line) => !/^(x-waggle-gateway|connection|keep-alive):/.test(line))).toEqual([
    "x-b: 2",
    "set-cookie: a=1",
    "x-a: \xfe\xff",
    "x-b: 1",
    "set-cookie: b=2",
    "content-length: 0",
  ]);
  expect(reply.text.match(/x-waggle-/gi)).toHaveLength(1);
});

test("[O6] interim responses of a task are not taken for its response", async () => {
  const interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n";
  const { gateway } = await behind(`${interim}HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok`);
  const reply = await attempt(gateway);
  expect(reply).toMatchObject({ status: 201, body: "ok" });
  expect(reply.text).not.toContain("</a>");
});

test("[O7] HEAD, 204 and 304 have no body, and keep their headers", async () => {
  const statuses = ["200 OK", "204 No Content", "304 Not Modified"];
  const { gateway } = await behind((request) => {
    const at = Number(/\/(\d)/.exec(request)?.[1]);
    return `HTTP/1.1 ${statuses[at]}\r\nETag: "x"\r\n${at === 1 ? "" : "Content-Length: 1000\r\n"}\r\n`;
  });
  for (const [method, at, length] of [
    ["HEAD", 0, ["content-length: 1000"]],
    ["GET", 1, []],
    ["GET", 2, ["content-length: 1000"]],
  ] as const) {
    const reply = await attempt(gateway, { method, target: `/${at}` });
    expect(reply).toMatchObject({ status: Number(statuses[at]?.slice(0, 3)), outcome: "task", body: "" });
    expect(reply.headers.filter((line) => line.startsWith("content-length"))).toEqual(length);
    expect(reply.headers).toContain('etag: "x"');
  }
});

test("[O5] a response without a length passes to its end", async () => {
  const { gateway } = await behind("HTTP/1.0 200 OK\r\n\r\nall of it");
  expect(await attempt(gateway)).toMatchObject({ outcome: "task", body: "all of it" });
});

test.each(["once", "repeat"] as const)(
  "[O8] a task that responds to a %s early and closes is read, though its upload goes on",
  async (kind) => {
    const task = await tcpTask((socket) => {
      socket.once("data", () => {
        socket.write("HTTP/1.1 413 Content Too Large\r\nContent-Length: 4\r\nConnection: close\r\n\r\nfull");
        // Unread bytes make the kernel reset the connection.
        socket.pause();
        setImmediate(() => socket.destroy());
      });
    });
    stops.push(task.stop);
    const { gateway } = await gatewayTo(task.port);
    for (let round = 0; round < 20; round += 1) {
      const signed = sign({ method: "POST", kind });
      const body = "x".repeat(4 * 1024 * 1024);
      const reply = await attempt(gateway, signed, [`Content-Length: ${8 * body.length}`], body);
      expect(reply).toMatchObject({ status: 413, outcome: "task", body: "full" });
    }
  },
);

test("[O8] an upload that goes on after the response ends with the connection", async () => {
  const { gateway } = await openGateway({});
  stops.push(() => gateway.close(0));
  const signed = sign({ method: "POST" });
  const client = rawClient(gateway.port, requestBytes(signed, ["Content-Length: 100000000"]));
  const upload = setInterval(() => client.socket.write("x".repeat(1_000)), 10);
  await client.closed;
  clearInterval(upload);
  expect(client.text()).toContain(`x-waggle-gateway: gone ${signed.mark}\r\n`);
});

test("[O9] an upgrade passes with the bytes that come with its heads, and each side ends alone", async () => {
  const task = await tcpTask((socket) => {
    socket.once("data", (head) => {
      const isWhole =
        head.toString().includes("Upgrade: chat\r\n") && /Connection: Upgrade/.test(head.toString());
      socket.write(`HTTP/1.1 101 ${isWhole}\r\nUpgrade: chat\r\nConnection: upgrade\r\nX-A: 1\r\n\r\nfirst`);
      socket.on("data", (bytes) => socket.write(`<${bytes}>`));
      socket.on("end", () => socket.end("bye"));
    });
  });
  stops.push(task.stop);
  const { gateway } = await gatewayTo(task.port);
  for (const kind of ["once", "repeat"] as const) {
    const signed = sign({ kind });
    const bytes = requestBytes(signed, ["Connection: upgrade", "Upgrade: chat"], "early");
    const client = rawClient(gateway.port, bytes);
    await until("the echo", () => client.text().includes("<early>"));
    expect(client.text()).toMatch(/^HTTP\/1\.1 101 true\r\n/);
    expect(client.text()).toMatch(/\r\n\r\nfirst<early>$/);
    expect(client.text()).toContain(`x-waggle-gateway: task ${signed.mark}\r\n`);
    expect(gateway.openRequests("t1")).toBe(1);
    client.socket.end();
    await until("the end", () => client.text().endsWith("bye") && client.isEnded());
    expect(await client.closed).toBe("");
    await until("no open request", () => gateway.openRequests("t1") === 0);
  }
});

test("[O9] a task may refuse an upgrade", async () => {
  const { gateway } = await behind("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
  const reply = await attempt(gateway, {}, ["Connection: Upgrade", "Upgrade: websocket"]);
  expect(reply).toMatchObject({ status: 400, outcome: "task", body: "no" });
});

test("[O9] a task that switches protocols without being asked is broken", async () => {
  const { gateway } = await behind("HTTP/1.1 101 Now\r\nUpgrade: chat\r\nConnection: Upgrade\r\n\r\nxx");
  const reply = await attempt(gateway);
  expect(reply).toMatchObject({ status: 502, outcome: "broken" });
  expect(reply.body).toBe("The task t1 switched protocols, and the request did not ask for that.\n");
});

test("[O10] a byte tunnel passes bytes both ways, also after one side has ended", async () => {
  const received: string[] = [];
  const task = await tcpTask((socket) => {
    socket.write("220 hello\n");
    socket.on("data", (bytes) => received.push(bytes.toString("latin1")));
    socket.once("end", () => socket.write("after your end\n", () => socket.end()));
  });
  stops.push(task.stop);
  const { gateway } = await gatewayTo(task.port);
  const signed = sign({ kind: "tunnel" });
  const client = rawClient(gateway.port, requestBytes(signed, ["Connection: Upgrade", "Upgrade: waggle"]));
  await until("the greeting", () => client.text().endsWith("\r\n\r\n220 hello\n"));
  expect(client.text()).toContain(`x-waggle-gateway: task ${signed.mark}\r\n`);
  client.socket.end("\0\xff raw", "latin1");
  await until("the task's end", client.isEnded);
  expect(received.join("")).toBe("\0\xff raw");
  expect(client.text()).toMatch(/220 hello\nafter your end\n$/);
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test("[O10] a task may end its side of a tunnel first", async () => {
  let received = "";
  const task = await tcpTask((socket) => {
    socket.end("done\n");
    socket.on("data", (bytes) => {
      received += bytes;
    });
  });
  stops.push(task.stop);
  const { gateway } = await gatewayTo(task.port);
  const signed = sign({ kind: "tunnel" });
  const client = rawClient(gateway.port, requestBytes(signed, ["Connection: Upgrade", "Upgrade: waggle"]));
  await until("the task's end", client.isEnded);
  client.socket.write("still ");
  client.socket.end("here");
  await until("all bytes", () => received === "still here");
});

test("[O10] a tunnel that one side resets is reset at the other", async () => {
  const task = await tcpTask((socket) => socket.once("data", () => socket.resetAndDestroy()));
  stops.push(task.stop);
  const { gateway } = await gatewayTo(task.port);
  const lines101 = ["Connection: Upgrade", "Upgrade: waggle"];
  const client = rawClient(gateway.port, requestBytes(sign({ kind: "tunnel" }), lines101, "go"));
  expect(await client.closed).toBe("ECONNRESET");
});

test("[O10] a tunnel needs a request for an upgrade", async () => {
  const { gateway } = await behind(ok);
  expect(await attempt(gateway, { kind: "tunnel" })).toMatchObject({ status: 400, outcome: null });
});

/** Number of connections that a task got for requests of a kind, sent one after the other. */
async function connectionsFor(kind: "once" | "repeat") {
  const task = await tcpTask((socket) => socket.on("data", () => socket.write(ok)));
  stops.push(task.stop);
  const { gateway } = await gatewayTo(task.port);
  for (let sent = 0; sent < 3; sent += 1) expect((await attempt(gateway, { kind })).outcome).toBe("task");
  return { gateway, count: task.connections.length };
}

test("[O11] each `once` gets a connection of its own, and `repeat` shares one that is kept open", async () => {
  expect((await connectionsFor("once")).count).toBe(3);
  const { gateway, count } = await connectionsFor("repeat");
  expect(count).toBe(1);
  await attempt(gateway, { kind: "once" });
});

test("[O12] a kept-alive connection that the task closes with the next request is broken, not repeated", async () => {
  let requests = 0;
  const task = await tcpTask((socket) => {
    socket.on("data", () => {
      requests += 1;
      if (requests === 2) socket.destroy();
      else socket.write(ok);
    });
  });
  stops.push(task.stop);
  const { gateway } = await gatewayTo(task.port);
  expect((await attempt(gateway)).outcome).toBe("task");
  const reply = await attempt(gateway);
  expect(reply).toMatchObject({ status: 502, outcome: "broken" });
  expect(requests).toBe(2);
  expect((await attempt(gateway)).outcome).toBe("task");
});
