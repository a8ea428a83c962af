import { expect, test } from "vitest";
import { readRequest } from "../../../src/local/read-request.ts";

type Parts = { method?: string; target?: string; version?: string; headers?: readonly string[] };

/** Reads a request with `headers` as `Name: value` lines. */
function read({ method = "GET", target = "/", version = "1.1", headers = ["Host: a.test"] }: Parts) {
  const rawHeaders = headers.flatMap((line) => line.split(/: ?(.*)/s, 2));
  return readRequest({ method, target, version, rawHeaders }, "sealed", "127.0.0.1:8080");
}

/** The headers that the runtime gets, as lines. */
function sent(parts: Parts): readonly string[] {
  const request = read(parts);
  if ("status" in request) throw new Error(request.reason);
  const lines: string[] = [];
  for (let at = 0; at < request.headers.length; at += 2)
    lines.push(`${request.headers[at]}: ${request.headers[at + 1]}`);
  return lines;
}

test("[U10] a request passes with its headers in order, and one entry header", () => {
  expect(sent({ headers: ["Host: a.test", "X-A: 1", "Accept: */*", "X-A: 2"] })).toEqual([
    "X-A: 1",
    "Accept: */*",
    "X-A: 2",
    "host: a.test",
    "x-waggle-entry: sealed",
  ]);
});

test("[U11] the client's own entry headers are dropped in any spelling", () => {
  const headers = ["Host: a", "X-WAGGLE-Entry: forged", "x-waggle-entry: forged"];
  expect(sent({ headers })).toEqual(["host: a", "x-waggle-entry: sealed"]);
});

test.each<[string, Parts, number, string]>([
  ["two hosts", { headers: ["Host: a", "Host: a"] }, 400, "more than one Host"],
  ["no host", { headers: [] }, 400, "no Host header"],
  ["a host with a space", { headers: ["Host: a b"] }, 400, "Host header"],
  ["a host with user information", { headers: ["Host: u@a"] }, 400, "Host header"],
  [
    "a coding before chunked",
    { headers: ["Host: a", "Transfer-Encoding: gzip, chunked"] },
    501,
    '"gzip, chunked"',
  ],
  [
    "codings in two lines",
    { headers: ["Host: a", "Transfer-Encoding: gzip", "Transfer-Encoding: chunked"] },
    501,
    '"gzip, chunked"',
  ],
  ["chunks in HTTP/1.0", { version: "1.0", headers: ["Transfer-Encoding: chunked"] }, 400, "HTTP/1.0"],
])("[U12] %s is refused", (_name, parts, status, reason) => {
  expect(read(parts)).toMatchObject({ status, reason: expect.stringContaining(reason) });
});

test.each<[string, Parts, number, string]>([
  ["a method that the runtime does not have", { method: "MKCALENDAR" }, 501, '"MKCALENDAR" is not supported'],
  ["CONNECT", { method: "CONNECT", target: "a:1" }, 501, "CONNECT is not supported"],
  ["HTTP/2.0 in a request line", { version: "2.0" }, 505, "use HTTP/1.1"],
  ["HTTP/0.9", { version: "0.9" }, 505, "use HTTP/1.1"],
  ["a backslash", { target: "/a\\b" }, 400, "write it as %5C"],
  ["a fragment", { target: "/a#b" }, 400, "write it as %23"],
  ["a quotation mark in the query", { target: '/?q="' }, 400, "write it as %22"],
  ["a byte above 127", { target: "/caf\u00e9" }, 400, "the byte 0xE9; write it as %E9"],
  ["a backtick in the path", { target: "/a`?b" }, 400, "write it as %60"],
  ["a relative target", { target: "foo" }, 400, 'the request target "foo"'],
])("[U72] %s is refused with the reason", (_name, parts, status, reason) => {
  expect(read(parts)).toMatchObject({ status, reason: expect.stringContaining(reason) });
});

test.each(["/", "/a//b;c=1?x=[1]|{y}^'`", "*", "/%2e%2E/a"])(
  "[U72] the target %j passes as it was sent",
  (target) => {
    expect(read({ method: "OPTIONS", target })).toMatchObject({ target });
  },
);

test.each([
  ["http://a.test", "/"],
  ["http://A.test:80/x?y", "/x?y"],
  ["https://a.test?y", "/?y"],
])("[U73] the absolute form %s passes in origin form if it agrees with Host", (target, path) => {
  expect(read({ target })).toMatchObject({ target: path });
});

test.each([
  ["https://a.test/x", "a.test"],
  ["HTTP://a.test/x", "a.test"],
  ["hTTpS://A.TEST/x", "a.test"],
  ["https://a.test:443/x", "a.test"],
  ["https://a.test/x", "a.test:443"],
  ["http://a.test/x", "A.test:80"],
  ["http://a.test:/x", "a.test"],
  ["http://[::1]/x", "[::1]"],
])("[U127] the absolute form %s passes with the Host %s", (target, host) => {
  expect(read({ target, headers: [`Host: ${host}`] })).toMatchObject({ target: "/x" });
});

test.each([
  ["https://a.test:80/", "names a.test:80, and Host a.test"],
  ["http://a.test:443/", "names a.test:443, and Host a.test"],
  ["ftp://a.test/", 'has the scheme "ftp"'],
  ["wss://a.test/", 'has the scheme "wss"'],
  // A property of every object of JavaScript.
  ["constructor://a.test/", 'has the scheme "constructor"'],
  ["http://u@a.test/", "names a user"],
  ["https://u:p@a.test/", "names a user"],
  ["http://@a.test/", "names a user"],
  ["http:///x", "names no host"],
  ["https://?x", "names no host"],
])("[U127] the absolute form %s is refused with the reason", (target, reason) => {
  expect(read({ target })).toMatchObject({ status: 400, reason: expect.stringContaining(reason) });
});

test("[U73] an absolute form that differs from Host is refused", () => {
  const reason = "the request target names b.test, and Host a.test; they must agree";
  expect(read({ target: "http://b.test/" })).toEqual({ status: 400, reason });
});

test("[U73] without Host, HTTP/1.0 gets the listener's address or the target's host", () => {
  expect(sent({ version: "1.0", headers: [] })).toContain("host: 127.0.0.1:8080");
  expect(sent({ headers: ["Host:"] })).toContain("host: 127.0.0.1:8080");
  expect(sent({ version: "1.0", target: "http://b.test/", headers: [] })).toContain("host: b.test");
});

test("[U74] several Cookie lines become one, in order, with every byte", () => {
  const headers = ["Host: a", "Cookie: a=1", "X: y", "cookie: b=\u00e9; c=3"];
  expect(sent({ headers }).slice(0, 2)).toEqual(["Cookie: a=1; b=\u00e9; c=3", "X: y"]);
});

test("[U75] headers about the connection end here, and those that Connection names, except framing", () => {
  const headers = [
    "Host: a",
    "Connection: keep-alive, X-Hop, Host",
    "connection: Content-Length",
    "X-Hop: 1",
    "Keep-Alive: 5",
    "Proxy-Connection: close",
    "TE: trailers",
    "Trailer: X-T",
    "Expect: 100-continue",
    "Upgrade: h2c",
    "Content-Length: 3",
  ];
  expect(sent({ method: "POST", headers })).toEqual([
    "Content-Length: 3",
    "host: a",
    "x-waggle-entry: sealed",
  ]);
});

test.each([
  ["POST", ["Content-Length: 3"], "streamed"],
  ["POST", ["Content-Length: 0"], "none"],
  ["POST", [], "none"],
  ["POST", ["Transfer-Encoding: Chunked"], "streamed"],
  ["GET", ["Content-Length: 3"], "streamed"],
  ["GET", ["Transfer-Encoding: chunked"], "measured"],
  ["HEAD", ["Transfer-Encoding: chunked"], "measured"],
])("[U82] the body of %s with %j is %s", (method, headers, body) => {
  expect(read({ method, headers: ["Host: a", ...headers] })).toMatchObject({ body });
  const coding =
    body === "streamed" && headers[0]?.startsWith("Transfer") ? ["transfer-encoding: chunked"] : [];
  expect(
    sent({ method, headers: ["Host: a", ...headers] }).slice(2 + (headers[0]?.startsWith("C") ? 1 : 0)),
  ).toEqual(coding);
});

const handshake = [
  "Host: a",
  "Connection: keep-alive, Upgrade",
  "Upgrade: WebSocket",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Version: 13",
];
const without = (name: string) => handshake.filter((line) => !line.startsWith(name));

test("[U13] a WebSocket handshake keeps its Upgrade and gets its own Connection", () => {
  expect(sent({ headers: handshake }).slice(-2)).toEqual(["connection: Upgrade", "upgrade: websocket"]);
});

test.each<[string, Parts]>([
  ["a body", { headers: [...handshake, "Content-Length: 3"] }],
  ["chunks", { headers: [...handshake, "Transfer-Encoding: chunked"] }],
  ["another method", { method: "POST", headers: handshake }],
  ["HTTP/1.0", { version: "1.0", headers: handshake }],
  ["a second protocol in the line", { headers: [...without("Upgrade"), "Upgrade: h2c, websocket"] }],
  ["no key", { headers: without("Sec-WebSocket-Key") }],
  ["another version", { headers: [...without("Sec-WebSocket-Version"), "Sec-WebSocket-Version: 12"] }],
  ["a second protocol in another line", { headers: [...handshake, "Upgrade: h2c"] }],
])("[U13] a WebSocket handshake with %s is refused", (_name, parts) => {
  expect(read(parts)).toMatchObject({ status: 400, reason: expect.stringContaining("WebSocket handshake") });
});

test("[U13] without Connection: Upgrade, Upgrade is ignored", () => {
  const headers = without("Connection");
  expect(sent({ headers }).some((line) => /^(upgrade|connection):/i.test(line))).toBe(false);
});
