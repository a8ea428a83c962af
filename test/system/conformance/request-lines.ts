// Request lines: versions, methods and targets (RFC 9112 §3).

import { get, passes, type Row, refuses, request, row } from "./row.ts";

const versions = "versions besides HTTP/1.0 and 1.1";
const methods = "methods that Workers do not have";
const spacing = "messages that two readers could frame differently";
const absolute = "a target in absolute form";
const encoded = "characters that a URL must not have";
const stars = "`OPTIONS *`";
const large = "large heads";

const hostLine = "Host: a.example\r\n\r\n";

const starts: readonly Row[] = [
  row("empty lines before the request", { send: `\r\n\r\n${get()}`, haproxy: passes() }),
  row("a space before the method", { send: ` ${get()}`, haproxy: refuses(400) }),
  row("two spaces before the target", { send: `GET  / HTTP/1.1\r\n${hostLine}`, haproxy: passes() }),
  row("tabs in the request line", {
    send: `GET\t/\tHTTP/1.1\r\n${hostLine}`,
    haproxy: passes(),
    mesh: refuses(400),
    differs: spacing,
  }),
  row("a space after the version", {
    send: `GET / HTTP/1.1 \r\n${hostLine}`,
    haproxy: refuses(400),
    mesh: refuses(400, 505),
    differs: versions,
  }),
  ...["HTTP/1.2", "HTTP/2.0"].map((version) =>
    row(version, {
      send: `GET / ${version}\r\n${hostLine}`,
      haproxy: passes(),
      mesh: refuses(400, 505),
      differs: versions,
    }),
  ),
  ...["HTTP/11", "http/1.1"].map((version) =>
    row(version, {
      send: `GET / ${version}\r\n${hostLine}`,
      haproxy: refuses(400),
      mesh: refuses(400, 505),
      differs: versions,
    }),
  ),
  row("HTTP/0.9", {
    send: `GET / HTTP/0.9\r\n${hostLine}`,
    haproxy: { statuses: [200], connection: "closed", task: {} },
    mesh: refuses(400, 505),
    differs: versions,
  }),
  row("no version", {
    send: "GET /\r\n\r\n",
    haproxy: refuses(400),
    mesh: refuses(400, 505),
    differs: versions,
  }),
];

/** Methods of WebDAV and its relatives that Workers have. */
const known = ["PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "PROPFIND", "REPORT", "PURGE", "QUERY"];
const unknown = ["MKCALENDAR", "LINK", "LIST", "BREW", "VERSION-CONTROL", "M-SEARCH", "get"];

const methodRows: readonly Row[] = [
  row("HEAD", { send: request("HEAD", "/m"), haproxy: passes({ start: "HEAD /m HTTP/1.1" }, { body: "" }) }),
  ...known.map((method) =>
    row(method, {
      send: request(method, "/m"),
      haproxy: passes({ start: `${method} /m HTTP/1.1`, body: "" }),
    }),
  ),
  ...unknown.map((method) =>
    row(`the method ${method}`, {
      send: request(method, "/m"),
      haproxy: passes({ start: `${method} /m HTTP/1.1` }),
      mesh: refuses(501),
      differs: methods,
    }),
  ),
  row("a method with a colon", { send: request("GE:T", "/"), haproxy: refuses(400) }),
  row("CONNECT", {
    send: `CONNECT a.example:443 HTTP/1.1\r\nHost: a.example:443\r\n\r\n`,
    haproxy: { statuses: [200], task: { start: "CONNECT a.example:443 HTTP/1.1" } },
    mesh: refuses(501),
    differs: "upgrades other than WebSocket, and CONNECT",
  }),
];

const to = (target: string, line = target) => passes({ start: `GET ${line} HTTP/1.1` });

/** The same at the task. */
const unchanged = [
  ...["/a?b=c&d=%26", "/a;b=c", "/a'b", "/a|b", "/[x]", "//a//b", "/%", "/%zz", "/%00", "/%2F", "/?q=`"],
  ...["/a?", "/?a=b?c", "/?q={}^", "/~a!$&()*+,=:@"],
  // What `fetch` would change.
  ...["/a/../b", "/a/%2e%2E/b", "/./a", "/a/..", "/..", "/a{b}", "/a^b", "/?q='x'", "/./^?'"],
];

/** Passed by HAProxy, refused by the mesh. */
const refused: readonly (readonly [string, string])[] = [
  ["/a\\b", encoded],
  ['/?q={"a":1}', encoded],
  ["/a<b>", encoded],
  ["/a`b", encoded],
  ["http://u:p@a.example/", absolute],
  ["https://u@a.example/", absolute],
  ["ftp://a.example/", absolute],
  ["http:///x", absolute],
];

const targets: readonly Row[] = [
  ...unchanged.map((target) =>
    row(`the target ${target}`, { send: request("GET", target), haproxy: to(target) }),
  ),
  ...refused.map(([target, differs]) =>
    row(`the target ${target}`, {
      send: request("GET", target),
      haproxy: to(target),
      mesh: refuses(400),
      differs,
    }),
  ),
  ...["foo", "/a#f", "/caf\xe9", "/?q=\xc3\xa9", "/a b", "/a\x01", "http://b.example/x"].map((target) =>
    row(`the target ${JSON.stringify(target)}`, { send: request("GET", target), haproxy: refuses(400) }),
  ),
  ...["http://a.example/x", "http://A.EXAMPLE/x", "https://a.example/x", "HTTP://a.example/x"].map((target) =>
    row(`the target ${target}`, {
      send: request("GET", target),
      haproxy: to(target),
      mesh: to("/x"),
      differs: absolute,
    }),
  ),
  ...[
    ["http", "80"],
    ["https", "443"],
  ].map(([scheme, port]) =>
    row(`the target ${scheme}://a.example:${port}/x`, {
      send: request("GET", `${scheme}://a.example:${port}/x`),
      haproxy: to(`${scheme}://a.example/x`),
      mesh: to("/x"),
      differs: absolute,
    }),
  ),
  row("the target https://a.example:80/x", {
    send: request("GET", "https://a.example:80/x"),
    haproxy: refuses(400),
  }),
  row("the target http://a.example", {
    send: request("GET", "http://a.example"),
    haproxy: to("http://a.example"),
    mesh: to("/"),
    differs: absolute,
  }),
  ...["OPTIONS", "GET"].map((method) =>
    row(`${method} *`, {
      send: request(method, "*"),
      haproxy: passes({ start: `${method} * HTTP/1.1` }),
      mesh: { statuses: [400], task: null },
      differs: stars,
    }),
  ),
  row("a target of 8,000 bytes", {
    send: request("GET", `/${"u".repeat(7_999)}`),
    haproxy: to(`/${"u".repeat(7_999)}`),
  }),
  row("a target of 16 KiB", {
    send: request("GET", `/${"u".repeat(16_383)}`),
    haproxy: refuses(400),
    mesh: to(`/${"u".repeat(16_383)}`),
    differs: large,
  }),
];

export const requestLineRows: readonly Row[] = [...starts, ...methodRows, ...targets];
