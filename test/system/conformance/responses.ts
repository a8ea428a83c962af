// Responses of a server.

import { get, type Outcome, passes, post, type Row, request, responds, row, sends } from "./row.ts";

const statuses = "statuses above 599";
const interim = "`1xx` of a task, such as `103 Early Hints`";
const lists = "repeated lines of a list";
const hop = "hop-by-hop headers";
const unframed = "a response without a length";
const unreadable = "responses that two readers could read differently";
const large = "large heads";

const again = "requests that are sent again";

const once: Outcome = { statuses: [502], task: {} };

/** No or half a response to a GET. */
const badGateway = {
  haproxy: once,
  mesh: { statuses: [502], task: { atMost: 4 } },
  differs: again,
} satisfies Partial<Row>;

const statusRows: readonly Row[] = [
  ...["200 OK", "299 Odd", "404 Not Found", "418 I'm a teapot", "499 Odd", "521 Odd", "599 Odd"].map(
    (status) =>
      row(`the status ${status}`, {
        send: get(),
        answer: responds(status),
        haproxy: passes({}, { statuses: [Number(status.slice(0, 3))], body: "ok" }),
      }),
  ),
  ...["600 Odd", "799 Odd", "999 Odd"].map((status) =>
    row(`the status ${status}`, {
      send: get(),
      answer: responds(status),
      haproxy: passes({}, { statuses: [Number(status.slice(0, 3))], body: "ok" }),
      mesh: passes({}, { statuses: [502] }),
      differs: statuses,
    }),
  ),
  row("103 before the response", {
    send: get(),
    answer: sends(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    ),
    haproxy: passes({}, { statuses: [103, 200], body: "ok" }),
    mesh: passes({}, { body: "ok" }),
    differs: interim,
  }),
  row("100 that no request asked for", {
    send: get(),
    answer: sends("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    haproxy: passes({}, { statuses: [100, 200], body: "ok" }),
    mesh: passes({}, { body: "ok" }),
    differs: interim,
  }),
  row("101 that no request asked for", {
    send: get(),
    answer: sends(
      "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
      "close",
    ),
    ...badGateway,
  }),
];

const bodyless: readonly Row[] = [
  row("204", {
    send: get(),
    answer: sends("HTTP/1.1 204 No Content\r\n\r\n"),
    haproxy: passes({}, { statuses: [204], body: "" }),
  }),
  row("204 with length 0", {
    send: get(),
    answer: sends("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"),
    haproxy: passes({}, { statuses: [204], body: "" }),
  }),
  row("205", {
    send: get(),
    answer: sends("HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n"),
    haproxy: passes({}, { statuses: [205], body: "" }),
  }),
  row("304 with an entity tag", {
    send: get(),
    answer: sends('HTTP/1.1 304 Not Modified\r\nETag: "a"\r\n\r\n'),
    haproxy: passes({}, { statuses: [304], has: ['etag: "a"'], body: "" }),
  }),
  row("304 with the length of the representation", {
    send: get(),
    answer: sends("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\n\r\n"),
    haproxy: passes({}, { statuses: [304], body: "" }),
  }),
  row("HEAD with a length", {
    send: request("HEAD", "/"),
    answer: sends("HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"),
    haproxy: passes({}, { has: ["content-length: 1234"], body: "" }),
  }),
  row("HEAD with a coding", {
    send: request("HEAD", "/"),
    answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    haproxy: passes({}, { body: "" }),
  }),
];

const framed: readonly Row[] = [
  row("chunks", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\n\r\n"),
    haproxy: passes({}, { body: "ok" }),
  }),
  row("a body up to the end of the connection", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\n\r\nto the end", "close"),
    haproxy: { statuses: [200], connection: "closed", body: "to the end", task: {} },
    mesh: passes({}, { body: "to the end" }),
    differs: unframed,
  }),
  row("HTTP/1.0", {
    send: get(),
    answer: sends("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "close"),
    haproxy: passes({}, { body: "ok" }),
  }),
  row("trailers of a response", {
    send: get("TE: trailers"),
    answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n"),
    haproxy: passes({}, { body: "ok", trailers: ["x-sum: 1"] }),
    mesh: passes({}, { body: "ok", trailers: [] }),
    differs: "trailers, in both directions",
  }),
  row("gzip as a transfer coding", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    haproxy: once,
  }),
  row("two different lengths of a response", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "close"),
    ...badGateway,
  }),
  row("one length twice in a response", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok"),
    haproxy: passes({}, { body: "ok" }),
  }),
  row("a length and a coding in a response", {
    send: get(),
    answer: sends(
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
    ),
    haproxy: passes({}, { body: "ok" }),
  }),
  row("another response after the end of one", {
    send: get(),
    answer: sends(
      `HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nstray`,
    ),
    haproxy: passes({}, { body: "ok" }),
  }),
];

const headerRows: readonly Row[] = [
  row("two challenges", {
    send: get(),
    answer: responds(
      "401 Unauthorized",
      "WWW-Authenticate: Negotiate",
      'WWW-Authenticate: Basic realm="a, b"',
    ),
    haproxy: passes(
      {},
      { statuses: [401], has: ["www-authenticate: Negotiate", 'www-authenticate: Basic realm="a, b"'] },
    ),
  }),
  row("two links, cookies and headers of its own", {
    send: get(),
    answer: responds(
      ...(["200 OK", "Link: <a>", "Link: <b>", "Set-Cookie: a=1", "Set-Cookie: b=2"] as const),
      ...(["X-M: 1", "X-M: 2"] as const),
    ),
    haproxy: passes(
      {},
      { has: ["link: <a>", "link: <b>", "set-cookie: a=1", "set-cookie: b=2", "x-m: 1", "x-m: 2"] },
    ),
  }),
  row("two Vary lines", {
    send: get(),
    answer: responds("200 OK", "Vary: A", "Vary: B"),
    haproxy: passes({}, { has: ["vary: A", "vary: B"] }),
    mesh: passes({}, { has: ["vary: A, B"] }),
    differs: lists,
  }),
  row("headers about the server's connection", {
    send: get(),
    answer: responds("200 OK", "Connection: x-a", "X-A: 1", "Upgrade: h2c", "X-B: 2"),
    haproxy: passes({}, { has: ["x-a: 1", "upgrade: h2c", "x-b: 2"] }),
    mesh: passes({}, { has: ["x-b: 2"], lacks: ["x-a", "upgrade"] }),
    differs: hop,
  }),
  row("bytes above 127 in a response", {
    send: get(),
    answer: responds("200 OK", "X-A: caf\xe9\xff", "X-B: caf\xc3\xa9"),
    haproxy: passes({}, { has: ["x-a: caf\xe9\xff", "x-b: caf\xc3\xa9"] }),
  }),
  row("headers of the mesh in a response", {
    send: get(),
    answer: responds("200 OK", "X-Waggle-Task: forged"),
    haproxy: passes({}, { has: ["x-waggle-task: forged"] }),
    mesh: passes({}, { lacks: ["x-waggle-task"] }),
    differs: "headers of the mesh",
  }),
  row("Server and Date of a server", {
    send: get(),
    answer: responds("200 OK", "Server: task", "Date: Thu, 01 Jan 2026 00:00:00 GMT"),
    haproxy: passes({}, { has: ["server: task", "date: Thu, 01 Jan 2026 00:00:00 GMT"] }),
  }),
  row("a head of 10,000 bytes in a response", {
    send: get(),
    answer: responds("200 OK", `X-A: ${"v".repeat(10_000)}`),
    haproxy: passes({}, { body: "ok" }),
  }),
  row("a head of 30,000 bytes in a response", {
    send: get(),
    answer: responds("200 OK", `X-A: ${"v".repeat(30_000)}`),
    haproxy: once,
    mesh: passes({}, { has: [`x-a: ${"v".repeat(30_000)}`] }),
    differs: large,
  }),
];

const faults: readonly Row[] = [
  row("no HTTP", { send: get(), answer: sends("garbage\r\n\r\n", "close"), ...badGateway }),
  row("no response", { send: get(), answer: sends("", "close"), ...badGateway }),
  row("no response to POST", {
    send: post(["Content-Length: 3"], "abc"),
    answer: sends("", "close"),
    haproxy: once,
  }),
  row("a reset", { send: get(), answer: sends("", "reset"), ...badGateway }),
  row("half a head", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nContent-Le", "close"),
    ...badGateway,
  }),
  row("half a body with a length", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", "close"),
    haproxy: { statuses: [], isBroken: true, connection: "closed", task: {} },
  }),
  row("half a chunk", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "close"),
    haproxy: { statuses: [], isBroken: true, connection: "closed", task: {} },
  }),
  row("a space before a colon in a response", {
    send: get(),
    answer: sends("HTTP/1.1 200 OK\r\nX-A : b\r\nContent-Length: 2\r\n\r\nok", "close"),
    ...badGateway,
  }),
  ...[
    ["a folded line in a response", "b\r\n c"],
    ["a NUL in a response", "b\0c"],
  ].map(([title = "", value = ""]) =>
    row(title, {
      send: get(),
      answer: sends(`HTTP/1.1 200 OK\r\nX-A: ${value}\r\nContent-Length: 2\r\n\r\nok`),
      haproxy: passes({}, { body: "ok" }),
      mesh: badGateway.mesh,
      differs: unreadable,
    }),
  ),
];

export const responseRows: readonly Row[] = [...statusRows, ...bodyless, ...framed, ...headerRows, ...faults];
