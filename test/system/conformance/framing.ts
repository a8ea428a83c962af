// Where a message ends (RFC 9112 §6 and §7), and what a header line is (§5).

import { chunked, get, passes, post, type Row, refuses, refusesBody, request, row } from "./row.ts";

const framing = "messages that two readers could frame differently";
const characters = "control characters in header values";
const hosts = "a Host that is missing, repeated or no host name";

const abc = "3\r\nabc\r\n0\r\n\r\n";
const whole = passes({ start: "POST /p HTTP/1.1", body: "abc" });

/** HAProxy accepts what the mesh refuses. */
const onlyHaproxy = (send: string, ...statuses: readonly number[]) => ({
  send,
  haproxy: whole,
  mesh: refuses(...(statuses.length === 0 ? [400] : statuses)),
  differs: framing,
});

const bothRefuse = (send: string, ...statuses: readonly number[]) => ({
  send,
  haproxy: refuses(400),
  mesh: refuses(...(statuses.length === 0 ? [400] : statuses)),
  ...(statuses.length > 0 && { differs: framing }),
});

const lengths: readonly Row[] = [
  row("a length and a coding", {
    ...onlyHaproxy(post(["Content-Length: 4", chunked], abc)),
    haproxy: { ...whole, connection: "closed", task: { body: "abc", lacks: ["content-length"] } },
  }),
  row("two different lengths", bothRefuse(post(["Content-Length: 4", "Content-Length: 5"], "abcd"))),
  row("one length twice", onlyHaproxy(post(["Content-Length: 3", "Content-Length: 3"], "abc"))),
  row("one length twice in a list", onlyHaproxy(post(["Content-Length: 3, 3"], "abc"))),
  row("a length with a sign", bothRefuse(post(["Content-Length: +3"], "abc"))),
  row("a negative length", bothRefuse(post(["Content-Length: -1"], ""))),
  row("a hexadecimal length", bothRefuse(post(["Content-Length: 0x3"], "abc"))),
  row("an empty length", bothRefuse(post(["Content-Length: "], ""))),
  row("a length above 2^64", bothRefuse(post(["Content-Length: 99999999999999999999"], "abc"))),
];

const codings: readonly Row[] = [
  row("an unknown transfer coding", bothRefuse(post(["Transfer-Encoding: xchunked"], "0\r\n\r\n"), 400, 501)),
  row("a quoted transfer coding", bothRefuse(post(['Transfer-Encoding: "chunked"'], abc), 400, 501)),
  row("a vertical tab before the coding", bothRefuse(post(["Transfer-Encoding: \x0bchunked"], abc))),
  row("identity, then chunked", {
    send: post(["Transfer-Encoding: identity", chunked], abc),
    haproxy: refuses(422),
    mesh: refuses(501),
    differs: framing,
  }),
  row("gzip, then chunked", {
    send: post(["Transfer-Encoding: gzip, chunked"], abc),
    haproxy: refuses(422),
    mesh: refuses(501),
    differs: framing,
  }),
  row("chunked, then gzip", bothRefuse(post(["Transfer-Encoding: chunked, gzip"], abc))),
  row("chunked twice", bothRefuse(post([chunked, chunked], abc))),
  row("chunked in capitals", { send: post(["Transfer-Encoding: CHUNKED"], abc), haproxy: whole }),
  row("chunked in HTTP/1.0", {
    send: `POST /p HTTP/1.0\r\nHost: a.example\r\n${chunked}\r\n\r\n${abc}`,
    haproxy: { statuses: [200], connection: "closed", task: { body: "abc" } },
    mesh: refuses(400),
    differs: framing,
  }),
];

const bothRefuseBody = (body: string, ...mesh: readonly number[]) => ({
  send: post([chunked], body),
  haproxy: refusesBody(400),
  mesh: refusesBody(...(mesh.length === 0 ? [400] : mesh)),
  ...(mesh.length > 0 && { differs: framing }),
});

const onlyHaproxyBody = (body: string) => ({
  send: post([chunked], body),
  haproxy: whole,
  mesh: refusesBody(400),
  differs: framing,
});

const chunks: readonly Row[] = [
  row("a chunk size with 0x", bothRefuseBody("0x3\r\nabc\r\n0\r\n\r\n")),
  row("a negative chunk size", bothRefuseBody("-3\r\nabc\r\n0\r\n\r\n")),
  row("a chunk size above 2^64", bothRefuseBody("ffffffffffffffff1\r\nabc\r\n0\r\n\r\n")),
  row("a chunk longer than its size", bothRefuseBody("3\r\nabcd\r\n0\r\n\r\n")),
  row("chunks that end with line feeds", onlyHaproxyBody("3\nabc\n0\n\n")),
  row("a space after a chunk size", onlyHaproxyBody("3 \r\nabc\r\n0\r\n\r\n")),
  row("zeros before a chunk size", { send: post([chunked], "0003\r\nabc\r\n000\r\n\r\n"), haproxy: whole }),
  row("chunk extensions", { send: post([chunked], '3;a=b;c="d"\r\nabc\r\n0;e\r\n\r\n'), haproxy: whole }),
  row("a line feed in a chunk extension", bothRefuseBody("3;a\nb\r\nabc\r\n0\r\n\r\n")),
  row(
    "a chunk extension of 20,000 bytes",
    bothRefuseBody(`3;${"a".repeat(20_000)}\r\nabc\r\n0\r\n\r\n`, 400, 413),
  ),
  row("a length in the trailers", onlyHaproxyBody("3\r\nabc\r\n0\r\nContent-Length: 9\r\n\r\n")),
  row("a trailer that is no header line", bothRefuseBody("3\r\nabc\r\n0\r\nbad line\r\n\r\n")),
];

const lines: readonly Row[] = [
  row("a space before a colon", bothRefuse(get("X-A : b"))),
  row("a space before the colon of a length", bothRefuse(post(["Content-Length : 3"], "abc"))),
  row("a folded header line", {
    send: get("X-A: b\r\n c"),
    haproxy: passes({ has: ["x-a: b   c"] }),
    mesh: refuses(400),
    differs: framing,
  }),
  row("a folded first line", bothRefuse("GET / HTTP/1.1\r\n X: y\r\nHost: a.example\r\n\r\n")),
  row("line feeds alone", {
    send: "GET / HTTP/1.1\nHost: a.example\n\n",
    haproxy: passes(),
    mesh: refuses(400, 505),
    differs: framing,
  }),
  row("one line feed alone", {
    send: get("X-A: b\nX-B: c"),
    haproxy: passes({ has: ["x-a: b", "x-b: c"] }),
    mesh: refuses(400),
    differs: framing,
  }),
  row("a carriage return in a value", bothRefuse(get("X-A: b\rX-B: c"))),
  row("a NUL in a name", bothRefuse(get("X\0A: b"))),
  row("an empty name", bothRefuse(get(": b"))),
  row("a line without a colon", bothRefuse(get("NotAHeader"))),
  row("a space in a name", bothRefuse(get("X A: b"))),
  row("parentheses in a name", bothRefuse(get("X(A): b"))),
  row("a byte above 127 in a name", bothRefuse(get("X\x80A: b"))),
  ...["\0", "\x01", "\x7f"].map((byte) =>
    row(`the byte ${byte.charCodeAt(0)} in a value`, {
      send: get(`X-A: b${byte}c`),
      haproxy: passes({ has: [`x-a: b${byte}c`] }),
      mesh: refuses(400),
      differs: characters,
    }),
  ),
];

const onlyHaproxyHost = (send: string) => ({
  send,
  haproxy: passes(),
  mesh: refuses(400),
  differs: hosts,
});
const withHost = (host: string) => `GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

const hostLines: readonly Row[] = [
  row("no Host in HTTP/1.1", onlyHaproxyHost("GET / HTTP/1.1\r\n\r\n")),
  row("one Host twice", onlyHaproxyHost(get("Host: a.example"))),
  row("two Hosts", bothRefuse(get("Host: b.example"))),
  row("an empty Host", { send: withHost(""), haproxy: passes() }),
  row("a Host with a path", onlyHaproxyHost(withHost("a/b"))),
  row("a Host with a space", onlyHaproxyHost(withHost("a b"))),
  row("a Host with a user", onlyHaproxyHost(withHost("u@a.example"))),
  row("a Host with a port that is no number", onlyHaproxyHost(withHost("a.example:x"))),
  row("an IPv6 Host", { send: withHost("[::1]:80"), haproxy: passes() }),
  row("a Host with an underscore", { send: withHost("a_b.example"), haproxy: passes() }),
];

const after: readonly Row[] = [
  row("a request after an unreadable one", {
    send: `${request("GET", "/1")}BAD\r\n\r\n${request("GET", "/3")}`,
    haproxy: { statuses: [200, 400], connection: "closed", task: { start: "GET /1 HTTP/1.1" } },
  }),
  row("a request in the body of a refused one", bothRefuseBody(`x\r\n${get()}`)),
  row("the line of the PROXY protocol", bothRefuse(`PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n${get()}`)),
  row("a TLS handshake", bothRefuse("\x16\x03\x01\x00\x05hello\r\n\r\n")),
];

export const framingRows: readonly Row[] = [
  ...lengths,
  ...codings,
  ...chunks,
  ...lines,
  ...hostLines,
  ...after,
];
