import { describe, expect, test } from "vitest";
import { readExpectation } from "../../../../src/domain/model/check-expect.ts";
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

function meetsStatus(expect: Expect | null, status: number): boolean | null {
  const expectation = readExpectation(expect);
  return expectation.of === "status" ? expectation.isMet(status) : null;
}

function hasInBody(expect: Expect, body: string): boolean | null {
  const expectation = readExpectation(expect);
  return expectation.of === "body" ? expectation.matches(body) : null;
}

describe("a pattern", () => {
  const rstring = (pattern: string) => errorOf(expecting({ kind: "rstring", pattern, not: false }));

  test("[F36] with a construct that is not linear is refused by its name, with what would work", () => {
    const refusals: Record<string, string> = {
      "a(?=b)": "lookahead (?= is not in RE2's syntax",
      "a(?!b)": "lookahead (?! is not",
      "(?<=a)b": "lookbehind (?<=a)b is not",
      "(?<!a)b": "lookbehind (?<!a)b is not",
      "(a)\\1": "reference to a group \\1 is not",
      "(?P<n>a)\\k<n>": "reference to a group \\k is not",
      "(?P<n>a)(?P=n)": "reference to a group (?P is not",
      "a++": "possessive quantifier ++ is not",
      "(?>a)": "atomic group (?> is not",
      "(a(?R)?b)": "recursion or condition (?R is not",
      "\\u0041":
        "escape \\u is not in RE2's syntax, which matches in linear time: write the character's code as \\x",
      "\\h": "write [ \\t]",
      "OK\\Z": "write $",
      "(?x)a": "use i, m, s and U only",
      "(*UTF8)a": "control verb (*UTF8)a is not",
    };
    for (const [pattern, refusal] of Object.entries(refusals)) expect(rstring(pattern)).toContain(refusal);
    expect(errorOf(expecting({ kind: "rstatus", pattern: "(?=2)", not: false }))).toContain("lookahead (?=");
  });

  test("[F36] that cannot be read at all is refused with the part that was read", () => {
    expect(rstring("a)")).toBe('cannot use the pattern "a)": unexpected ): a)');
    expect(rstring("[z-a]")).toContain("invalid character class range: z-a");
    expect(rstring("a{2}{3}")).toContain("invalid nested repetition operator: {2}{3}");
    expect(rstring("x{5,2}")).toContain("invalid repeat count: {5,2}");
  });

  test("[F36] is at most 200 characters and 250 instructions long", () => {
    expect(rstring("a".repeat(200))).toBe("");
    expect(rstring("a".repeat(201))).toContain("1 to 200");
    expect(rstring(".{0,500}")).toContain(
      "it compiles to 1002 instructions, and 250 instructions is the maximum",
    );
    expect(rstring("a{1001}")).toContain("{1001} makes more than 1000 repetitions");
    expect(rstring("(a{100}){100}")).toContain("the pattern is too large");
    expect(rstring("([0-9a-f]{2}:){5}[0-9a-f]{2}")).toBe("");
  });

  test("[F39] that is stored already is not checked again when other settings change", () => {
    const stored = aServer(expecting({ kind: "rstring", pattern: "(?=a)b", not: false }));
    expect(() => validateServer({ ...stored, weight: 5 }, stored)).not.toThrow();
    const negated = aServer(expecting({ kind: "rstring", pattern: "(?=a)b", not: true }));
    expect(() => validateServer(negated, stored)).not.toThrow();
    const other = aServer(expecting({ kind: "rstring", pattern: "(?=c)d", not: false }));
    expect(() => validateServer(other, stored)).toThrow("lookahead");
    expect(() => validateServer({ ...stored, weight: 500 }, stored)).toThrow("weight is 500");
  });

  test("[F37] reads $ as PCRE does: at the end, or before a newline there", () => {
    const matches = (pattern: string, body: string) =>
      hasInBody({ kind: "rstring", pattern, not: false }, body);
    expect(matches("^OK$", "OK")).toBe(true);
    expect(matches("^OK$", "OK\n")).toBe(true);
    expect(matches("^OK$", "OK\n\n")).toBe(false);
    expect(matches("^OK$", "all\nOK\n")).toBe(false);
    expect(matches("(?m)^OK$", "all\nOK\nfine\n")).toBe(true);
    expect(matches("^OK\\z", "OK\n")).toBe(false);
    expect(matches("a.b", "a\rb")).toBe(true);
    expect(matches("a.b", "a\nb")).toBe(false);
  });
});

describe("expect", () => {
  test("[F11] without expect, a status of 2xx or 3xx passes", () => {
    expect([199, 200, 399, 400].map((status) => meetsStatus(null, status))).toEqual([
      false,
      true,
      true,
      false,
    ]);
  });

  test("[F11] a status can be expected by list, range or pattern, or excluded", () => {
    const list: Expect = { kind: "status", pattern: "200,300-302", not: false };
    expect([200, 201, 301, 303].map((status) => meetsStatus(list, status))).toEqual([
      true,
      false,
      true,
      false,
    ]);
    expect(meetsStatus({ ...list, not: true }, 200)).toBe(false);
    expect(meetsStatus({ kind: "rstatus", pattern: "^5..$", not: true }, 503)).toBe(false);
  });

  test("[F11] the body can be expected to have a text or match a pattern", () => {
    const text: Expect = { kind: "string", pattern: "ready", not: false };
    expect(meetsStatus(text, 503)).toBeNull();
    expect(hasInBody(text, "all ready now")).toBe(true);
    expect(hasInBody(text, "all asleep")).toBe(false);
    expect(hasInBody({ kind: "rstring", pattern: "^OK\\b", not: false }, "OK fine")).toBe(true);
  });
});
