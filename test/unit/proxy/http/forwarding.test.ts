import { expect, test } from "vitest";
import type { EntryPoint } from "../../../../src/proxy/entry-point.ts";
import { type ForwardedClaims, setForwarding } from "../../../../src/proxy/http/forwarding.ts";

const noClaims: ForwardedClaims = {
  forwardedFor: null,
  forwardedHost: null,
  forwardedProto: null,
  forwardedPort: null,
  forwarded: null,
};

function forwarded(
  entry: Partial<EntryPoint>,
  host: string,
  claims: Partial<ForwardedClaims> | null = null,
): Record<string, string> {
  const headers = new Headers();
  const entryPoint: EntryPoint = {
    role: "edge",
    node: null,
    port: null,
    client: "203.0.113.7",
    scheme: "http",
    mayDebug: () => false,
    ...entry,
  };
  setForwarding(headers, entryPoint, host, claims === null ? null : { ...noClaims, ...claims });
  return Object.fromEntries(headers);
}

test("[X14] X-Forwarded-* and Forwarded describe the entry point", () => {
  expect(forwarded({ port: 8080 }, "127.0.0.2:8080")).toEqual({
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-host": "127.0.0.2:8080",
    "x-forwarded-proto": "http",
    forwarded: 'for=203.0.113.7;host="127.0.0.2:8080";proto=http',
  });
});

test("[X16] X-Forwarded-Port is set only if Host and scheme do not imply the port", () => {
  const port = (entry: Partial<EntryPoint>, host: string) => forwarded(entry, host)["x-forwarded-port"];
  expect(port({ port: 8080 }, "www.example.com")).toBe("8080");
  expect(port({ port: 8080 }, "[::1]")).toBe("8080");
  expect(port({ port: 8080 }, "www.example.com:9090")).toBe("8080");
  expect(port({ port: 8080 }, "www.example.com:8080")).toBeUndefined();
  expect(port({ port: 443, scheme: "https" }, "www.example.com")).toBeUndefined();
  expect(port({ port: null }, "www.example.com")).toBeUndefined();
});

test("[X14] an IPv6 client is in brackets and quotes in Forwarded (RFC 7239)", () => {
  expect(forwarded({ client: "2001:db8::1" }, "a").forwarded).toBe('for="[2001:db8::1]";host=a;proto=http');
  expect(forwarded({ client: "unknown" }, "a").forwarded).toBe("for=unknown;host=a;proto=http");
});

test("[X15] a trusted proxy's X-Forwarded-For is translated to Forwarded", () => {
  expect(forwarded({ client: "10.0.0.1" }, "a", { forwardedFor: "192.0.2.1, 2001:db8::2" })).toMatchObject({
    "x-forwarded-for": "192.0.2.1, 2001:db8::2, 10.0.0.1",
    forwarded: 'for=192.0.2.1, for="[2001:db8::2]", for=10.0.0.1;host=a;proto=http',
  });
});

test("[X15] a trusted proxy's Forwarded is kept unchanged", () => {
  const { forwarded: chain } = forwarded({ client: "10.0.0.1" }, "a", {
    forwardedFor: "192.0.2.1",
    forwarded: "for=_hidden",
  });
  expect(chain).toBe("for=_hidden, for=10.0.0.1;host=a;proto=http");
});
