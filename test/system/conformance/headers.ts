// Header lines of requests.

import { get, passes, type Row, refuses, row } from "./row.ts";

const hop = "hop-by-hop headers";
const host = "`Host`";
const lists = "repeated lines of a list";
const claims = "claims about the client";
const large = "large heads";
const own = "headers of the mesh";

/** The same at the task. */
const same = (title: string, ...lines: readonly string[]) =>
  row(title, {
    send: get(...lines),
    haproxy: passes({ has: lines.map((line) => line.replace(/^[^:]*/, (name) => name.toLowerCase())) }),
  });

const manyLines = (count: number) => Array.from({ length: count }, (_, index) => `X-${index}: ${index}`);

export const headerRows: readonly Row[] = [
  row("Host", {
    send: get(),
    haproxy: passes({ has: ["host: a.example"], lacks: ["x-forwarded-host"] }),
    mesh: passes({ has: ["x-forwarded-host: a.example"], lacks: ["host: a.example"] }),
    differs: host,
  }),
  same("a repeated header", "X-A: 1", "X-A: 2"),
  same("an empty value", "X-A: "),
  same("bytes above 127 in a value", "X-A: caf\xe9\xff", "X-B: caf\xc3\xa9"),
  same("bytes above 127 in a cookie", "Cookie: a=caf\xe9; b=\xff"),
  same("basic and bearer credentials", "Authorization: Basic YTpi"),
  row("spaces around a value", { send: get("X-A:   b  c \t "), haproxy: passes({ has: ["x-a: b  c"] }) }),
  row("two Cookie lines", {
    send: get("Cookie: a=1", "Cookie: b=2"),
    haproxy: passes({ has: ["cookie: a=1", "cookie: b=2"] }),
    mesh: passes({ has: ["cookie: a=1; b=2"] }),
    differs: lists,
  }),
  row("two Accept lines", {
    send: get("Accept: a/b", "Accept: c/d"),
    haproxy: passes({ has: ["accept: a/b", "accept: c/d"] }),
    mesh: passes({ has: ["accept: a/b, c/d"] }),
    differs: lists,
  }),
  row("headers that Connection names", {
    send: get("Connection: x-a, keep-alive", "X-A: 1", "X-B: 2"),
    haproxy: passes({ has: ["connection: x-a", "x-a: 1", "x-b: 2"] }),
    mesh: passes({ has: ["x-b: 2"], lacks: ["x-a"] }),
    differs: hop,
  }),
  row("Connection that names Host, Content-Length and X-Forwarded-For", {
    send: get("Connection: host, content-length, x-forwarded-for"),
    haproxy: passes({ has: ["host: a.example"] }),
    mesh: passes({ has: ["x-forwarded-for: 127.0.0.1", "x-forwarded-host: a.example"] }),
    differs: hop,
  }),
  row("headers about one connection", {
    send: get(
      ...["Keep-Alive: timeout=5", "Proxy-Connection: keep-alive", "TE: trailers, deflate"],
      ...["Proxy-Authorization: Basic x"],
    ),
    haproxy: passes({
      has: [
        "keep-alive: timeout=5",
        "proxy-connection: keep-alive",
        "te: trailers",
        "proxy-authorization: Basic x",
      ],
    }),
    mesh: passes({ lacks: ["keep-alive", "proxy-connection", "te", "proxy-authorization"] }),
    differs: hop,
  }),
  row("a client's forwarding headers", {
    send: get(
      ...["X-Forwarded-For: 192.0.2.1", "X-Forwarded-Proto: https", "X-Forwarded-Host: evil.example"],
      ...["Forwarded: for=192.0.2.1", "X-Real-IP: 192.0.2.1"],
    ),
    haproxy: passes({
      has: ["x-forwarded-for: 192.0.2.1", "x-forwarded-host: evil.example", "forwarded: for=192.0.2.1"],
    }),
    mesh: passes({
      has: ["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http", "x-forwarded-host: a.example"],
      lacks: ["forwarded: for=192.0.2.1", "x-real-ip: 192.0.2.1"],
    }),
    differs: claims,
  }),
  row("forwarding headers with underscores", {
    send: get("X_Forwarded_For: 192.0.2.1", "X-Forwarded_Host: evil", "x_real_ip: 192.0.2.1", "My_Own: 1"),
    haproxy: passes({
      has: ["x_forwarded_for: 192.0.2.1", "x-forwarded_host: evil", "x_real_ip: 192.0.2.1", "my_own: 1"],
    }),
    mesh: passes({ has: ["my_own: 1"], lacks: ["x_forwarded_for", "x-forwarded_host", "x_real_ip"] }),
    differs: claims,
  }),
  row("headers of the mesh", {
    send: get("X-Waggle-Debug: 1", "X-Waggle-Entry: edge"),
    haproxy: passes({ has: ["x-waggle-debug: 1", "x-waggle-entry: edge"] }),
    mesh: passes({ lacks: ["x-waggle-debug", "x-waggle-entry"] }, { lacks: ["x-waggle-task"] }),
    differs: own,
  }),
  row("a cookie of the dashboard", {
    send: get("Cookie: a=1; waggle=x; b=2"),
    haproxy: passes({ has: ["cookie: a=1; waggle=x; b=2"] }),
    mesh: passes({ has: ["cookie: a=1; b=2"] }),
    differs: "cookies of the dashboard",
  }),
  row("the host name of the dashboard", {
    send: "GET / HTTP/1.1\r\nHost: control.localhost\r\n\r\n",
    haproxy: passes({ has: ["host: control.localhost"] }),
    mesh: { statuses: [421], task: null },
    differs: "the dashboard's host name",
  }),
  same("a client's Via", "Via: 1.1 other"),
  row("no Via of its own", { send: get(), haproxy: passes({ lacks: ["via"] }) }),
  ...["NTLM TlRMTVNTUAABAAAA", "Negotiate YII="].map((credentials) =>
    row(`a login for one connection: ${credentials.split(" ")[0]}`, {
      send: get(`Authorization: ${credentials}`),
      haproxy: passes({ has: [`authorization: ${credentials}`] }),
      mesh: { statuses: [403], task: null },
      differs: "logins that belong to a connection",
    }),
  ),
  row("a head of 10,000 bytes", { send: get(`X-A: ${"v".repeat(10_000)}`), haproxy: passes({}) }),
  row("a head of 60,000 bytes", {
    send: get(`X-A: ${"v".repeat(60_000)}`),
    haproxy: refuses(400),
    mesh: passes({ has: [`x-a: ${"v".repeat(60_000)}`] }),
    differs: large,
  }),
  row("a head of 70,000 bytes", {
    send: get(`X-A: ${"v".repeat(70_000)}`),
    haproxy: refuses(400),
    mesh: refuses(431),
    differs: large,
  }),
  row("200 header lines", {
    send: get(...manyLines(200)),
    haproxy: refuses(400),
    mesh: passes({ has: ["x-0: 0", "x-199: 199"] }),
    differs: large,
  }),
];
