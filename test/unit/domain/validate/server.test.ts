import { describe, expect, test } from "vitest";
import { matchesBody, matchesStatus } from "../../../../src/domain/model/check-expect.ts";
import {
  defaultHttpCheck,
  type Expect,
  type ServerSpec,
  serverDefaults,
  serverOrigin,
  withCheckDefaults,
} from "../../../../src/domain/model/server.ts";
import { validateServer } from "../../../../src/domain/validate/server.ts";

function aServer(over: Partial<ServerSpec> = {}): ServerSpec {
  return { ...serverDefaults, name: "node1", host: "10.0.0.1", port: 8080, check: null, ...over };
}

function errorOf(over: Partial<ServerSpec>): string {
  try {
    validateServer(aServer(over));
    return "";
  } catch (error) {
    return (error as Error).message;
  }
}

function expecting(expect: Expect): Partial<ServerSpec> {
  return { check: withCheckDefaults({ http: { ...defaultHttpCheck, expect } }, { tls: false }) };
}

describe("a server", () => {
  test("[F9] a check's fastinter, downinter and timeout default to inter, which is 2 s; rise is 2 and fall 3", () => {
    expect(withCheckDefaults({}, { tls: false })).toMatchObject({
      ...{ interMs: 2_000, fastInterMs: 2_000, downInterMs: 2_000, timeoutMs: 2_000, rise: 2, fall: 3 },
    });
    expect(withCheckDefaults({ interMs: 500, fastInterMs: 100 }, { tls: true })).toMatchObject({
      ...{ interMs: 500, fastInterMs: 100, downInterMs: 500, timeoutMs: 500, tls: true },
    });
  });

  test("[F9] a server's origin has its address, with brackets around IPv6", () => {
    expect(serverOrigin({ host: "10.0.0.1", port: 80, tls: false })).toBe("http://10.0.0.1:80");
    expect(serverOrigin({ host: "fd00::1", port: 8443, tls: true })).toBe("https://[fd00::1]:8443");
  });

  test("[F10] an invalid setting is refused with the value that was read", () => {
    expect(errorOf({})).toBe("");
    expect(errorOf({ name: "my/node" })).toContain('server name "my/node"');
    expect(errorOf({ name: "n".repeat(64) })).toContain("up to 63");
    expect(errorOf({ port: 0 })).toBe("port is 0: use a whole number from 1 to 65535");
    expect(errorOf({ weight: 257 })).toBe("weight is 257: use a whole number from 0 to 256");
    expect(errorOf({ maxConn: -1 })).toContain("maxconn is -1");
    expect(errorOf({ cookie: "a;b" })).toContain('cookie "a;b"');
    expect(errorOf({ check: withCheckDefaults({ interMs: 1 }, { tls: false }) })).toContain(
      "inter (ms) is 1",
    );
    expect(errorOf({ check: withCheckDefaults({ rise: 0 }, { tls: false }) })).toContain("rise is 0");
    const http = { ...defaultHttpCheck, uri: "/a b" };
    expect(errorOf({ check: withCheckDefaults({ http }, { tls: false }) })).toContain('check URI "/a b"');
    const headers = [{ name: "Host", value: "a\r\nb: c" }];
    const injected = { ...defaultHttpCheck, headers };
    expect(errorOf({ check: withCheckDefaults({ http: injected }, { tls: false }) })).toContain(
      "check header Host",
    );
  });

  test("[F10] an invalid expected pattern is refused", () => {
    expect(errorOf(expecting({ kind: "status", pattern: "200-299,304", not: false }))).toBe("");
    expect(errorOf(expecting({ kind: "status", pattern: "2xx", not: false }))).toContain('status "2xx"');
    expect(errorOf(expecting({ kind: "rstring", pattern: "(", not: false }))).toContain('pattern "("');
    expect(errorOf(expecting({ kind: "string", pattern: "", not: false }))).toContain("1 to 200");
  });
});

describe("expect", () => {
  test("[F11] without expect, a status of 2xx or 3xx passes", () => {
    expect([199, 200, 399, 400].map((status) => matchesStatus(null, status))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test("[F11] a status can be expected by list, range or pattern, or excluded", () => {
    const list: Expect = { kind: "status", pattern: "200,300-302", not: false };
    expect([200, 201, 301, 303].map((status) => matchesStatus(list, status))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(matchesStatus({ ...list, not: true }, 200)).toBe(false);
    expect(matchesStatus({ kind: "rstatus", pattern: "^5..$", not: true }, 503)).toBe(false);
  });

  test("[F11] the body can be expected to have a text or match a pattern", () => {
    const text: Expect = { kind: "string", pattern: "ready", not: false };
    expect(matchesStatus(text, 503)).toBeNull();
    expect(matchesBody(text, "all ready now")).toBe(true);
    expect(matchesBody({ ...text, not: true }, "all ready now")).toBe(false);
    expect(matchesBody({ kind: "rstring", pattern: "^OK\\b", not: false }, "OK fine")).toBe(true);
  });
});
