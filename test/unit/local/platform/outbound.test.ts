import { expect, test } from "vitest";
import {
  errorBody,
  isProhibited,
  originError,
  routeOutbound,
} from "../../../../src/local/platform/outbound.ts";
import { resolveTestName, testNameOf } from "../../../../src/local/platform/test-names.ts";

const refused = (code: number) => ({ kind: "refused", error: expect.objectContaining({ code }) });

test.each([
  "http://203.0.113.7/",
  "https://203.0.113.7:8443/",
  "http://[2001:db8::1]/",
  "http://127.1/",
  "http://0x7f.1/",
  "http://2130706433/",
])("[U430] %s is an IP address, which is 403 with error 1003", (url) => {
  expect(routeOutbound(new URL(url))).toEqual({ kind: "refused", error: { status: 403, code: 1003 } });
});

test.each([
  ["node1.edge.test", "127.0.0.2"],
  ["node12.edge.test", "127.0.0.13"],
  ["127-0-0-1.edge.test", "127.0.0.1"],
  ["10-1-2-3.edge.test", "10.1.2.3"],
])("[U431] %s stands for a public name and leads to %s, at any port", (name, host) => {
  for (const port of [80, 7946, 34_153])
    expect(routeOutbound(new URL(`http://${name}:${port}/`))).toEqual({ kind: "address", host });
});

test("[U431] the name of an address reads back, and any other name is looked up", () => {
  expect(resolveTestName(testNameOf("127.0.0.9"))?.address).toBe("127.0.0.9");
  for (const name of ["www.example.com", "edge.test", "node0.edge.test", "a.b.edge.test", "1-2-3.edge.test"])
    expect(resolveTestName(name)).toBeNull();
  expect(routeOutbound(new URL("http://www.example.com/"))).toEqual({
    kind: "lookup",
    name: "www.example.com",
  });
});

test("[U431] a proxied name has thirteen ports", () => {
  const name = "127-0-0-1.proxied.edge.test";
  const open = [80, 8080, 8880, 2052, 2082, 2086, 2095, 443, 2053, 2083, 2087, 2096, 8443];
  for (const port of open) expect(routeOutbound(new URL(`http://${name}:${port}/`)).kind).toBe("address");
  expect(routeOutbound(new URL(`https://${name}/`)).kind).toBe("address");
  for (const port of [81, 7946, 30_000])
    expect(routeOutbound(new URL(`http://${name}:${port}/`))).toEqual(refused(521));
});

test.each([
  ["10.1.2.3", true],
  ["127.0.0.1", true],
  ["169.254.169.254", true],
  ["172.31.255.255", true],
  ["192.168.0.1", true],
  ["100.64.0.1", true],
  ["::1", true],
  ["::ffff:10.0.0.1", true],
  ["fd00::1", true],
  ["172.32.0.1", false],
  ["203.0.113.7", false],
  ["2606:4700::1111", false],
])("[U431] a name that leads to %s is reached: %s is the answer to `prohibited`", (address, expected) => {
  expect(isProhibited(address)).toBe(expected);
});

test.each([
  ["ECONNREFUSED", false, 521],
  ["CONNECT_TIMEOUT", false, 522],
  ["EHOSTUNREACH", false, 523],
  ["READ_TIMEOUT", true, 524],
  ["EPROTO", true, 525],
  ["ERR_SSL_WRONG_VERSION_NUMBER", true, 525],
  ["DEPTH_ZERO_SELF_SIGNED_CERT", true, 526],
  ["UNABLE_TO_VERIFY_LEAF_SIGNATURE", true, 526],
  ["ERR_TLS_CERT_ALTNAME_INVALID", true, 526],
  ["CERT_HAS_EXPIRED", true, 526],
  ["ECONNRESET", false, 520],
  ["HPE_INVALID_CONSTANT", false, 520],
] as const)(
  "[U432] a connection that fails with %s (TLS: %s) is a response with %i",
  (code, isSecure, status) => {
    const error = originError({ code, isSecure });
    expect([error.status, errorBody(error)]).toEqual([status, `error code: ${status}`]);
  },
);

test("[U432] a name without an address is 530 with error 1016", () => {
  const error = originError({ code: "ENOTFOUND", isSecure: false });
  expect([error.status, errorBody(error)]).toEqual([530, "error code: 1016"]);
});
