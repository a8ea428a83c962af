import { expect, test } from "vitest";
import { headBytes, headerOf, readStreamHead } from "../../../../src/local/http2/stream-head.ts";
import { readRequest } from "../../../../src/local/read-request.ts";

const pseudo = (fields: Record<string, string> = {}): string[] =>
  Object.entries({ ":method": "GET", ":scheme": "https", ":path": "/a?b", ":authority": "a.test", ...fields })
    .filter(([, value]) => value !== "absent")
    .flat();

const read = (rawHeaders: readonly string[], hasBody = false) =>
  readRequest(readStreamHead(rawHeaders, hasBody), "facts", "");

test("[Q61] a stream is the request that HTTP/1.1 would send", () => {
  const headers = [...pseudo(), "accept", "*/*", "cookie", "a=1", "x-b", "caf\xe9", "cookie", "b=2"];
  expect(read([...headers, "te", "trailers", "x-waggle-entry", "forged"])).toEqual({
    method: "GET",
    target: "/a?b",
    headers: [
      ...["accept", "*/*", "cookie", "a=1; b=2", "x-b", "caf\xe9"],
      ...["host", "a.test", "x-waggle-entry", "facts"],
    ],
    body: "none",
  });
});

test.each([
  ["POST", [], false, "none", []],
  ["POST", ["content-length", "3"], true, "streamed", []],
  ["POST", ["content-length", "0"], true, "none", []],
  ["POST", [], true, "streamed", ["transfer-encoding", "chunked"]],
  ["GET", [], true, "measured", []],
  ["GET", ["content-length", "3"], true, "streamed", []],
] as const)(
  "[Q61] a %s with %j and a body (%s) is sent on as %s",
  (method, lengths, hasBody, body, framing) => {
    const request = read([...pseudo({ ":method": method }), ...lengths], hasBody);
    const added = ["host", "a.test", "x-waggle-entry", "facts"];
    expect(request).toMatchObject({ body, headers: [...lengths, ...added, ...framing] });
  },
);

test.each([
  ["another Host", pseudo(), ["host", "b.test"], "must agree"],
  ["another port in Host", pseudo(), ["host", "a.test:444"], "must agree"],
  ["two Hosts", pseudo({ ":authority": "absent" }), ["host", "a", "host", "a"], "more than one Host"],
  ["neither authority nor Host", pseudo({ ":authority": "absent" }), [], "neither :authority nor a Host"],
  ["an empty authority", pseudo({ ":authority": "" }), [], "names no host"],
  ["an empty Host alone", pseudo({ ":authority": "absent" }), ["host", ""], "Host"],
  ["a user", pseudo({ ":authority": "u@a.test" }), [], "names a user"],
  ["a path in the authority", pseudo({ ":authority": "a/b" }), [], "Host"],
  ["another scheme", pseudo({ ":scheme": "ftp" }), [], 'the scheme "ftp"'],
  ["no path", pseudo({ ":path": "" }), [], "begins with /"],
  ["an absolute form as path", pseudo({ ":path": "https://b.test/" }), [], "begins with /"],
  ["a quote", pseudo({ ":path": '/a"b' }), [], "%22"],
  ["a fragment", pseudo({ ":path": "/a#b" }), [], "%23"],
  ["Connection", pseudo(), ["connection", "close"], 'no header "connection"'],
  ["chunks", pseudo(), ["transfer-encoding", "chunked"], 'no header "transfer-encoding"'],
  ["an upgrade", pseudo(), ["upgrade", "websocket"], 'no header "upgrade"'],
])("[Q62] %s is refused", (_what, fields, more, reason) => {
  expect(read([...fields, ...more])).toMatchObject({ status: 400, reason: expect.stringContaining(reason) });
});

test.each([
  [pseudo(), ["host", "A.test:443"], "A.test:443"],
  [pseudo({ ":authority": "absent" }), ["host", "b.test"], "b.test"],
  [pseudo({ ":authority": "[::1]:8443" }), [], "[::1]:8443"],
  [pseudo({ ":scheme": "http", ":authority": "a.test:80" }), ["host", "a.test"], "a.test"],
])("[Q62] %j with %j is for %s", (fields, more, host) => {
  const request = read([...fields, ...more]);
  expect(request).toMatchObject({ headers: ["host", host, "x-waggle-entry", "facts"] });
});

test("[Q62] CONNECT is refused before its missing path", () => {
  expect(read([":method", "CONNECT", ":authority", "a:1"])).toMatchObject({ status: 501 });
});

test("[Q64] a head has the size that it would have in HTTP/1.1, and its headers are found by name", () => {
  expect(headBytes(["a", "bc", "d", ""])).toBe("a: bc\r\nd: \r\n".length);
  const head = readStreamHead([...pseudo(), "x", "expect", "expect", "tea"], false);
  expect([headerOf(head, "expect"), headerOf(head, "tea")]).toEqual(["tea", null]);
});
