// Bodies of requests, and Expect.

import { chunked, passes, post, type Row, refuses, request, row } from "./row.ts";

const abc = "3\r\nabc\r\n0\r\n\r\n";
const expects = "`Expect`";
const continues = {
  bytes: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
  interim: "HTTP/1.1 100 Continue\r\n\r\n",
};

const withBody = (method: string) => [
  row(`${method} with a length`, {
    send: `${request(method, "/b", "Content-Length: 3")}abc`,
    haproxy: passes({ start: `${method} /b HTTP/1.1`, body: "abc" }),
  }),
  row(`${method} with chunks`, {
    send: request(method, "/b", chunked) + abc,
    haproxy: passes({ start: `${method} /b HTTP/1.1`, body: "abc" }),
  }),
];

export const bodyRows: readonly Row[] = [
  ...["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "GET", "HEAD"].flatMap(withBody),
  row("POST without a body", {
    send: post([], ""),
    haproxy: passes({ body: "", lacks: ["transfer-encoding"] }),
    mesh: passes({ body: "", has: ["transfer-encoding: chunked"] }),
    differs: "no body",
  }),
  row("DELETE without a body", {
    send: request("DELETE", "/b"),
    haproxy: passes({ body: "", lacks: ["content-length"] }),
    mesh: passes({ body: "", has: ["content-length: 0"] }),
    differs: "no body",
  }),
  row("POST with length 0", { send: post(["Content-Length: 0"], ""), haproxy: passes({ body: "" }) }),
  row("GET with an empty chunked body", {
    send: `${request("GET", "/b", chunked)}0\r\n\r\n`,
    haproxy: passes({ body: "" }),
  }),
  row("a body of two chunks in several packets", {
    send: [post([chunked], "2\r\nab\r\n"), "1\r\nc\r\n", "0\r\n\r\n"],
    haproxy: passes({ body: "abc" }),
  }),
  row("trailers", {
    send: post([chunked, "TE: trailers"], "3\r\nabc\r\n0\r\nX-Sum: 1\r\n\r\n"),
    haproxy: passes({ body: "abc", trailers: ["x-sum: 1"] }),
    mesh: passes({ body: "abc", trailers: [] }),
    differs: "trailers, in both directions",
  }),
  row("Expect: 100-continue", {
    send: [
      request("POST", "/b", "Content-Length: 3", "Expect: 100-continue"),
      { after: /100 Continue\r\n\r\n/i, send: "abc" },
    ],
    answer: continues,
    haproxy: passes({ has: ["expect: 100-continue"], body: "abc" }, { statuses: [100, 200] }),
    mesh: passes({ lacks: ["expect"], body: "abc" }, { statuses: [100, 200] }),
    differs: expects,
  }),
  row("another expectation", {
    send: `${request("POST", "/b", "Content-Length: 3", "Expect: 200-ok")}abc`,
    haproxy: passes({ has: ["expect: 200-ok"], body: "abc" }),
    mesh: refuses(417),
    differs: expects,
  }),
  row("Expect in HTTP/1.0", {
    send: "POST /b HTTP/1.0\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\nabc",
    haproxy: { statuses: [200], connection: "closed", task: { body: "abc" } },
  }),
  row("a refusal while the client still sends", {
    send: `${request("POST", "/b", "Content-Length: 1000000")}${"x".repeat(1_000)}`,
    answer: { bytes: "HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\n\r\nno", isEarly: true },
    haproxy: { statuses: [413], body: "no", task: {} },
  }),
];
