import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cleanResponse, isRequestId, readRequestHead } from "../../../../src/proxy/http/headers.ts";
import { hostName, isHost } from "../../../../src/proxy/http/host.ts";

const hopNames = [
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "proxy-authorization",
  "proxy-connection",
];
const plainNames = ["accept", "cookie", "x-app", "authorization", "if-none-match"];
const ownNames = ["x-waggle-node", "x-waggle-anything"];
const namedNames = ["x-one", "x-two", "link"];
const headersFrom = (names: readonly string[]) =>
  fc.subarray([...names]).map((list) => list.map((name) => [name, "1"] as [string, string]));

test("[X17] [X18] only hop-by-hop headers, those named in Connection and x-waggle- headers are removed", () => {
  const parts = fc.tuple(
    headersFrom(hopNames.filter((name) => name !== "connection")),
    headersFrom(plainNames),
    headersFrom(ownNames),
    headersFrom(namedNames),
    fc.subarray(namedNames),
    fc.constantFrom(",", ", ", " , ,"),
  );
  fc.assert(
    fc.property(parts, ([hop, plain, own, named, listed, comma]) => {
      const connection: [string, string][] =
        listed.length > 0 ? [["Connection", listed.join(comma).toUpperCase()]] : [];
      const headers = new Headers([...hop, ...plain, ...own, ...named, ...connection]);
      for (const name of readRequestHead(headers).hopByHop) headers.delete(name);
      const kept = named.filter(([name]) => !listed.includes(name));
      expect([...headers.keys()].toSorted()).toEqual([...plain, ...kept].map(([name]) => name).toSorted());
    }),
  );
});

test("[X17] hop-by-hop headers of a response are removed, and each cookie is kept", () => {
  const headers = new Headers({
    connection: "X-Private, keep-alive",
    "x-private": "1",
    "keep-alive": "5",
    upgrade: "h2c",
  });
  headers.append("set-cookie", "a=1");
  headers.append("set-cookie", "b=2");
  cleanResponse(headers, 200);
  expect([...headers]).toEqual([
    ["set-cookie", "a=1"],
    ["set-cookie", "b=2"],
  ]);
});

test("[X45] a target's response has no headers of the mesh's own names", () => {
  const headers = new Headers({
    "x-waggle-task": "forged",
    "X-Waggle-New": "1",
    "x-waggled": "2",
    location: "/",
  });
  expect(cleanResponse(headers, 200)).toEqual({ setsCookies: false, namesAddress: true });
  expect([...headers.keys()]).toEqual(["location", "x-waggled"]);
});

test("[X43] only WebSocket upgrades are forwarded", () => {
  expect(readRequestHead(new Headers({ upgrade: "WebSocket", connection: "Upgrade" })).hopByHop).toEqual([
    "connection",
  ]);
  expect(
    readRequestHead(new Headers({ upgrade: "h2c", connection: "Upgrade, HTTP2-Settings" })).hopByHop,
  ).toEqual(["connection", "http2-settings", "upgrade"]);
});

test("[X11] the length of a body is 0, a number of bytes, or unknown", () => {
  const bytes = (headers: Record<string, string>) => readRequestHead(new Headers(headers)).bodyBytes;
  expect(bytes({})).toBe(0);
  expect(bytes({ "content-length": "12" })).toBe(12);
  expect(bytes({ "transfer-encoding": "chunked" })).toBeNull();
  expect(bytes({ "content-length": "12", "transfer-encoding": "chunked" })).toBeNull();
});

describe("[X50] a Host is a host name or address with an optional port", () => {
  test.each([
    "a",
    "a.example.com:8080",
    "127.0.0.2",
    "[2001:db8::1]:80",
    "a_b.local",
    "xn--bcher-kva.example",
  ])("%s", (host) => {
    expect(isHost(host)).toBe(true);
  });
  test.each([
    "",
    "a b",
    "a,b",
    "a/b",
    "user@a",
    "a:b",
    "a:1:2",
    "[x]",
    "a<",
    "a:123456",
    "a\\b",
    "a?b",
    "a#b",
  ])("not %s", (host) => {
    expect(isHost(host)).toBe(false);
  });
});

test("[X2] a host name is compared without case, port and trailing dot", () => {
  expect(["WWW.Example.com:8080", "www.example.com.", "www.example.com"].map(hostName)).toEqual(
    Array(3).fill("www.example.com"),
  );
  expect(["[2001:DB8::1]:80", "[2001:db8::1]"].map(hostName)).toEqual(Array(2).fill("[2001:db8::1]"));
});

test("[X19] a request id is short and cannot break a log line", () => {
  expect(
    ["a", "0f3a-11", "Root=1-67891233-abcdef012345678912345678", "a".repeat(128)].every(isRequestId),
  ).toBe(true);
  expect(["", "a b", "a\n", 'a"', "a".repeat(129)].some(isRequestId)).toBe(false);
});
