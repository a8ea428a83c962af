import { expect, test } from "vitest";
import { tlsOf } from "../../../src/cli/tls-flags.ts";
import { runCli } from "./support.ts";

test("[L180] certificates open port 443, or the ports that are named", () => {
  expect(tlsOf({}, null)).toBeNull();
  expect(tlsOf({ tls: ["/tls"] }, 80)).toEqual({ paths: ["/tls"], ports: [443], redirects: false });
  expect(tlsOf({ tls: ["/a.crt", "/a.key"], tlsPort: [8443, 9443], redirectHttp: true }, 80)).toEqual({
    paths: ["/a.crt", "/a.key"],
    ports: [8443, 9443],
    redirects: true,
  });
});

test.each([
  [{ tlsPort: [8443] }, null, /need certificates/],
  [{ tlsPort: [443] }, null, /need certificates/],
  [{ tlsPort: [443, 8443] }, null, /need certificates/],
  [{ redirectHttp: true }, 80, /need certificates/],
  [{ tls: ["/tls"], redirectHttp: true }, null, /needs a plain port/],
  [{ tls: ["/tls"], tlsPort: [8443, 80] }, 80, /port 80 cannot be both plain and with TLS/],
] as const)("[L180] the options %j with the plain port %s are refused", (flags, port, expected) => {
  expect(() => tlsOf(flags, port)).toThrow(expected);
});

test.each([
  ["--tls", "/tls"],
  ["--reload-timeout", "1m"],
])("[L180] an agent without --ingress has no %s", async (...flags) => {
  const result = await runCli(["agent", "http://127.0.0.1:9", ...flags]);
  expect(result).toMatchObject({ code: 2, err: expect.stringContaining("open them with --ingress") });
});
