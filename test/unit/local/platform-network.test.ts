import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, request, type Server } from "node:http";
import { createServer as createSecureServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket, WebSocketServer } from "ws";
import { originHeader, secretHeader, uncachedHeader } from "../../../src/local/platform/network-headers.ts";
import { PlatformNetwork } from "../../../src/local/platform-network.ts";
import { makeTestCertificate, type TestCertificate } from "../../../src/local/test-authority.ts";
import { startedParts } from "../../support/started-parts.ts";
import { until } from "../../support/until.ts";

const use = startedParts();
const folder = mkdtempSync(join(tmpdir(), "waggle-network-"));
let certificate: TestCertificate;
let network: PlatformNetwork;

beforeAll(async () => {
  certificate = makeTestCertificate(folder);
  network = await PlatformNetwork.open({
    authority: certificate.authority,
    connectTimeoutMs: 300,
    readTimeoutMs: 300,
  });
});

afterAll(async () => {
  await network.close();
  rmSync(folder, { recursive: true });
});

type Answer = {
  readonly status: number;
  readonly body: string;
  readonly headers: IncomingMessage["headers"];
};

/** Sends a request as a Worker does. */
function dial(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
  { access } = network,
): Promise<Answer> {
  const own = { [originHeader]: url, [secretHeader]: access.secret, ...headers };
  return new Promise((resolve, reject) => {
    const sent = request(access.url, { method, headers: own }, async (response) => {
      let body = "";
      for await (const part of response) body += part;
      resolve({ status: response.statusCode ?? 0, body, headers: response.headers });
    });
    sent.on("error", reject);
    sent.end();
  });
}

async function listening(server: Server | ReturnType<typeof createTcpServer>): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const stop = async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  await use(Promise.resolve({ stop }));
  return (server.address() as AddressInfo).port;
}

const echoHost = () => createServer(({ headers, url }, response) => response.end(`${headers.host} ${url}`));
const tls = ({ gatewayTls }: TestCertificate) => ({
  cert: readFileSync(gatewayTls.certFile),
  key: readFileSync(gatewayTls.keyFile),
});

test("[U431] a test name leads to this machine, and the target gets the path and the name as Host", async () => {
  const port = await listening(echoHost());
  for (const path of ["/a?b=c", "/q?", "/a%2Fb/../c"]) {
    const { status, body } = await dial(`http://127-0-0-1.edge.test:${port}${path}`);
    expect([status, body]).toEqual([200, `127-0-0-1.edge.test:${port} ${path}`]);
  }
});

test("[U430] an address, also in disguise, is 403 with the platform's body", async () => {
  const port = await listening(echoHost());
  for (const host of ["127.0.0.1", "0x7f.1", "[::1]"]) {
    const { status, body, headers } = await dial(`http://${host}:${port}/`);
    expect([status, body, headers.server]).toEqual([403, "error code: 1003", "cloudflare"]);
  }
});

test("[U431] a name of the real DNS that leads to a private address is 403, and one without an address 530", async () => {
  expect(await dial("http://localhost:80/")).toMatchObject({ status: 403, body: "error code: 1000" });
  expect(await dial("http://no-such-host.invalid/")).toMatchObject({ status: 530, body: "error code: 1016" });
});

test("[U432] a closed port is 521, a reset connection or garbage 520, and silence 524", async () => {
  const resetting = await listening(
    createTcpServer((socket) => socket.once("data", () => socket.resetAndDestroy())),
  );
  const garbage = await listening(createTcpServer((socket) => socket.end("what?\r\n\r\n")));
  const silent = await listening(createTcpServer((socket) => socket.on("error", () => undefined).resume()));
  const answer = async (port: number) => {
    const { status, body } = await dial(`http://127-0-0-1.edge.test:${port}/`);
    return [status, body];
  };
  // No process listens on port 1.
  expect(await answer(1)).toEqual([521, "error code: 521"]);
  expect(await answer(resetting)).toEqual([520, "error code: 520"]);
  expect(await answer(garbage)).toEqual([520, "error code: 520"]);
  expect(await answer(silent)).toEqual([524, "error code: 524"]);
  expect(network.counts.errors).toMatchObject({ 520: 2, 521: 1, 524: 1 });
});

test("[X200] a response with another transfer coding than chunked is 520", async () => {
  const { url } = await target((socket) => {
    socket.end("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
  });
  expect(await dial(url)).toMatchObject({ status: 520, body: "error code: 520" });
});

test("[U436] a certificate of the test authority is accepted", async () => {
  const port = await listening(
    createSecureServer(tls(certificate), (_, response) => void response.end("ok")),
  );
  expect(await dial(`https://127-0-0-1.edge.test:${port}/`)).toMatchObject({ status: 200, body: "ok" });
});

test("[U436] a certificate of another authority is 526, and a port without TLS 525", async () => {
  const other = makeTestCertificate(join(folder, "other"));
  const untrusted = await listening(createSecureServer(tls(other), (_, response) => void response.end("ok")));
  expect(await dial(`https://127-0-0-1.edge.test:${untrusted}/`)).toMatchObject({ status: 526 });
  const plain = await listening(echoHost());
  expect(await dial(`https://127-0-0-1.edge.test:${plain}/`)).toMatchObject({ status: 525 });
});

test("[U432] a WebSocket passes, and its failure is the platform's response", async () => {
  const server = createServer();
  new WebSocketServer({ server }).on("connection", (socket) =>
    socket.on("message", (text) => socket.send(`got ${text}`)),
  );
  const port = await listening(server);
  const headers = (url: string) => ({ [originHeader]: url, [secretHeader]: network.access.secret });
  const client = new WebSocket(network.access.url.replace("http", "ws"), {
    headers: headers(`http://127-0-0-1.edge.test:${port}/`),
  });
  client.once("open", () => client.send("hi"));
  expect(await new Promise((resolve) => client.once("message", (text) => resolve(String(text))))).toBe(
    "got hi",
  );
  client.terminate();
  const failing = new WebSocket(network.access.url.replace("http", "ws"), {
    headers: headers("http://127-0-0-1.edge.test:1/"),
  });
  const error = await new Promise<Error>((resolve) => failing.once("error", resolve));
  expect(error.message).toContain("521");
});

/** A target that ends connections by its own rule, and the requests that it got, by connection. */
async function target(answer: (socket: Socket, requests: number) => void) {
  const connections: string[][] = [];
  const server = createTcpServer((socket) => {
    const requests: string[] = [];
    connections.push(requests);
    socket.on("error", () => undefined);
    socket.on("data", (bytes) => {
      requests.push(bytes.toString("latin1").split(" ")[0] ?? "");
      answer(socket, requests.length);
    });
  });
  return { url: `http://127-0-0-1.edge.test:${await listening(server)}/`, connections };
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

test("[X199] a kept connection that its target ends is not used again, by GET and by POST", async () => {
  const sockets = new Set<Socket>();
  const { url, connections } = await target((socket) => {
    socket.write(ok);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  for (const method of ["GET", "POST", "GET", "POST"]) {
    expect(await dial(url, {}, method)).toMatchObject({ status: 200, body: "ok" });
    expect(await dial(url, {}, method)).toMatchObject({ status: 200, body: "ok" });
    // As by a time for idle connections, which no header announces.
    for (const socket of sockets) socket.end();
    await until("the end of the connection on both sides", () => sockets.size === 0);
  }
  expect(connections).toEqual(["GET", "POST", "GET", "POST"].map((method) => [method, method]));
});

test("[X199] a target that ends connections after 20 ms loses no GET, however the two cross", async () => {
  const { url } = await target((socket) => {
    socket.write(ok);
    socket.setTimeout(20, () => socket.destroy());
  });
  for (let count = 0; count < 60; count += 1) {
    expect(await dial(url)).toMatchObject({ status: 200 });
    await new Promise((resolve) => setTimeout(resolve, 15 + (count % 10)));
  }
});

test("[X199] a kept connection that ends under a request is replaced for a GET, and 520 for a POST", async () => {
  const breaking = () =>
    target((socket, requests) => {
      if (requests > 1) socket.destroy();
      else socket.write(ok);
    });
  const forGet = await breaking();
  for (const _ of [1, 2]) expect(await dial(forGet.url)).toMatchObject({ status: 200 });
  expect(forGet.connections).toEqual([["GET", "GET"], ["GET"]]);
  const forPost = await breaking();
  expect(await dial(forPost.url, {}, "POST")).toMatchObject({ status: 200 });
  expect(await dial(forPost.url, {}, "POST")).toMatchObject({ status: 520, body: "error code: 520" });
  expect(forPost.connections).toEqual([["POST", "POST"]]);
});

test("[X199] kept connections do not delay the end of the network", async () => {
  const own = await PlatformNetwork.open({ authority: "" });
  const port = await listening(echoHost());
  const url = `http://127-0-0-1.edge.test:${port}/`;
  expect(await dial(url, {}, "GET", own)).toMatchObject({ status: 200 });
  const ended = own.close().then(() => "ended");
  expect(await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 1_000))])).toBe("ended");
});

test("[U439] a request that Cloudflare's cache may answer is counted", async () => {
  const port = await listening(echoHost());
  const before = network.counts.cacheable;
  await dial(`http://127-0-0-1.edge.test:${port}/`, { [uncachedHeader]: "1" });
  expect(network.counts.cacheable).toBe(before);
  await dial(`http://127-0-0-1.edge.test:${port}/`);
  expect(network.counts.cacheable).toBe(before + 1);
});

test("[U430] the network serves its own Workers only", async () => {
  const port = await listening(echoHost());
  const stranger = { [secretHeader]: "guess" };
  expect(await dial(`http://127-0-0-1.edge.test:${port}/`, stranger)).toMatchObject({ status: 403 });
});
