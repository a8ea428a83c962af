import { expect, test } from "vitest";
import { proxyHeader } from "../../../../src/proxy/tcp/proxy-protocol.ts";

const v4 = { address: "203.0.113.7", port: 51234 };
const local = { address: "::ffff:10.0.0.2", port: 5432 };
const v6 = { address: "2001:db8::7", port: 443 };

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
const hex = (bytes: Uint8Array) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const signature = "0d0a0d0a000d0a515549540a";

test("[O162] the PROXY header names the client's address and the one it connected to", () => {
  expect(text(proxyHeader("v1", v4, local))).toBe("PROXY TCP4 203.0.113.7 10.0.0.2 51234 5432\r\n");
  expect(text(proxyHeader("v1", v6, { ...v6, port: 1 }))).toBe(
    "PROXY TCP6 2001:db8:0:0:0:0:0:7 2001:db8:0:0:0:0:0:7 443 1\r\n",
  );
  expect(hex(proxyHeader("v2", v4, local))).toBe(`${signature}2111000ccb0071070a000002c8221538`);
  expect(hex(proxyHeader("v2", v6, { ...v6, port: 1 }))).toBe(
    `${signature}21210024${"20010db8000000000000000000000007".repeat(2)}01bb0001`,
  );
});

test("[O162] addresses of two families are written as IPv6, and a zone is left out", () => {
  expect(text(proxyHeader("v1", v4, v6))).toBe(
    "PROXY TCP6 0:0:0:0:0:ffff:cb00:7107 2001:db8:0:0:0:0:0:7 51234 443\r\n",
  );
  expect(text(proxyHeader("v1", { address: "fe80::1%eth0", port: 1 }, { ...v6, port: 2 }))).toContain(
    "PROXY TCP6 fe80:0:0:0:0:0:0:1 ",
  );
});

test("[O162] a client of unknown address is UNKNOWN, or unspecified", () => {
  const unknown = { address: "", port: 0 };
  expect(text(proxyHeader("v1", unknown, local))).toBe("PROXY UNKNOWN\r\n");
  expect(hex(proxyHeader("v2", unknown, local))).toBe(`${signature}21000000`);
});
