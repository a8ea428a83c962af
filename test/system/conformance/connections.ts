// Upgrades, HTTP/1.0, and several requests on one connection.

import { get, passes, post, type Row, refuses, request, responds, row, sends } from "./row.ts";

const upgrades = "upgrades other than WebSocket, and CONNECT";
const handshakes = "invalid WebSocket handshakes";

const webSocket = [
  ...["Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13"],
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];
const accepts = sends(
  "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
    "Sec-WebSocket-Accept: {accept}\r\n\r\n\x81\x02hi",
);
const switched = (protocol: string) =>
  sends(
    `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\nhello`,
    "close",
  );

const upgradeRows: readonly Row[] = [
  row("a WebSocket", {
    send: request("GET", "/ws", ...webSocket),
    answer: accepts,
    haproxy: { statuses: [101], body: "\x81\x02hi", task: { has: ["upgrade: websocket"] } },
  }),
  row("a WebSocket that the server refuses", {
    send: request("GET", "/ws", ...webSocket),
    answer: responds("426 Upgrade Required"),
    haproxy: { statuses: [426], body: "ok", task: {} },
  }),
  ...["POST", "GET"].map((method) =>
    row(`a WebSocket handshake by ${method} with a body`, {
      send: `${request(method, "/ws", ...webSocket, "Content-Length: 3")}abc`,
      haproxy: passes({ body: "abc", lacks: ["upgrade"] }),
      mesh: refuses(400),
      differs: handshakes,
    }),
  ),
  row("h2c and websocket in one POST", {
    send: `${request("POST", "/ws", "Connection: Upgrade", "Upgrade: h2c", "Upgrade: websocket", "Content-Length: 3")}abc`,
    haproxy: passes({ body: "abc", lacks: ["upgrade"] }),
    mesh: refuses(400),
    differs: handshakes,
  }),
  row("a WebSocket handshake without a key", {
    send: request("GET", "/ws", ...webSocket.slice(0, 3)),
    answer: accepts,
    haproxy: refuses(400),
  }),
  row("a WebSocket handshake of version 12", {
    send: request("GET", "/ws", ...webSocket.map((line) => line.replace("13", "12"))),
    answer: accepts,
    haproxy: { statuses: [101], task: {} },
    mesh: refuses(400),
    differs: handshakes,
  }),
  row("a WebSocket handshake without Connection", {
    send: request("GET", "/ws", ...webSocket.slice(1)),
    haproxy: { statuses: [200], body: "ok", task: { has: ["upgrade: websocket"] } },
    mesh: { statuses: [200], body: "ok", task: { lacks: ["upgrade"] } },
    differs: upgrades,
  }),
  row("a WebSocket handshake in HTTP/1.0", {
    send: request("GET", "/ws", ...webSocket).replace("HTTP/1.1", "HTTP/1.0"),
    answer: accepts,
    haproxy: { statuses: [101], task: {} },
    mesh: refuses(400),
    differs: handshakes,
  }),
  ...["h2c", "foo/2"].map((protocol) =>
    row(`an upgrade to ${protocol} that the server ignores`, {
      send: get("Connection: Upgrade", `Upgrade: ${protocol}`),
      haproxy: passes({ has: [`upgrade: ${protocol}`] }),
      mesh: { statuses: [200], body: "ok", task: { lacks: ["upgrade"] } },
      differs: upgrades,
    }),
  ),
  row("an upgrade to another protocol", {
    send: get("Connection: Upgrade", "Upgrade: foo/2"),
    answer: switched("foo/2"),
    haproxy: { statuses: [101], body: "hello", task: {} },
    mesh: { statuses: [502], task: { lacks: ["upgrade"], atMost: 4 } },
    differs: upgrades,
  }),
];

const http10: readonly Row[] = [
  ...["GET", "OPTIONS", "HEAD"].map((method) =>
    row(`${method} of HTTP/1.0 without Host`, {
      send: `${method} / HTTP/1.0\r\n\r\n`,
      haproxy: { statuses: [200], connection: "closed", body: method === "HEAD" ? "" : "ok", task: {} },
    }),
  ),
  row("POST of HTTP/1.0", {
    send: "POST / HTTP/1.0\r\nHost: a.example\r\nContent-Length: 3\r\n\r\nabc",
    haproxy: { statuses: [200], connection: "closed", task: { body: "abc" } },
  }),
  row("HTTP/1.0 with keep-alive", {
    send: "GET / HTTP/1.0\r\nHost: a.example\r\nConnection: keep-alive\r\n\r\n",
    haproxy: passes(),
  }),
  row("two Hosts in HTTP/1.0", {
    send: "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    haproxy: refuses(400),
  }),
  row("chunks for a client of HTTP/1.0", {
    send: "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n",
    answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"),
    haproxy: { statuses: [200], connection: "closed", has: ["transfer-encoding: chunked"], task: {} },
    mesh: { statuses: [200], connection: "closed", lacks: ["transfer-encoding"], body: "ok", task: {} },
    differs: "a response without a length",
  }),
];

const kept: readonly Row[] = [
  row("a request with Connection: close", {
    send: get("Connection: close"),
    haproxy: { statuses: [200], connection: "closed", task: {} },
  }),
  row("three requests at once", {
    send: request("GET", "/1") + request("GET", "/2") + request("GET", "/3"),
    haproxy: passes({ start: "GET /1 HTTP/1.1", atMost: 3 }, { statuses: [200, 200, 200] }),
  }),
  row("a POST and a GET at once", {
    send: post(["Content-Length: 3"], "abc") + request("GET", "/2"),
    haproxy: passes({ start: "POST /p HTTP/1.1", body: "abc", atMost: 2 }, { statuses: [200, 200] }),
  }),
  row("an empty line after a POST", {
    send: `${post(["Content-Length: 3"], "abc")}\r\n${request("GET", "/2")}`,
    haproxy: passes({ start: "POST /p HTTP/1.1", body: "abc", atMost: 2 }, { statuses: [200, 200] }),
  }),
  row("HEAD and GET at once", {
    send: request("HEAD", "/1") + request("GET", "/2"),
    haproxy: passes({ start: "HEAD /1 HTTP/1.1", atMost: 2 }, { statuses: [200, 200], body: "ok" }),
  }),
];

export const connectionRows: readonly Row[] = [...upgradeRows, ...http10, ...kept];
