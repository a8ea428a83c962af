import fc from "fast-check";
import { expect, test } from "vitest";
import { cookieOf, withJoinedLines, withoutCookie } from "../../../../src/proxy/http/cookies.ts";

test.each([
  ["a=1; SRV=t1.sig; b=2", "t1.sig", "a=1; b=2"],
  ["a=1, SRV=t1.sig", "t1.sig", "a=1"],
  ["SRV=t1.sig, a=1; b=2", "t1.sig", "a=1; b=2"],
  ["a=1, SRV=t1.sig; b=2, c=3", "t1.sig", "a=1; b=2, c=3"],
  ["SRV=t1.sig", "t1.sig", null],
  ["SRV=x;SRV=y, SRV=z", "x", null],
  ["a=x, SRV=t1.sig; SRV=t2.sig", "t1.sig", "a=x"],
  ["xSRV=1; a=SRV=2", null, "xSRV=1; a=SRV=2"],
  ['a={"k":1,"SRV":2}, b c=3', null, 'a={"k":1,"SRV":2}, b c=3'],
])("[W47] in %s the cookie SRV is %j, and without it the header is %j", (header, value, rest) => {
  expect(cookieOf(header, "SRV")).toBe(value);
  expect(withoutCookie(header, "SRV")).toBe(rest);
});

const pair = fc.tuple(fc.constantFrom("a", "SRV", "b.c"), fc.stringMatching(/^[!#-+\--:<-~]{0,5}$/));
const lines = fc.array(fc.array(pair, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 });

test("[W47] cookies of several lines are found, removed and joined as those of one line", () => {
  fc.assert(
    fc.property(lines, (list) => {
      const text = (pairs: [string, string][]) => pairs.map((cookie) => cookie.join("=")).join("; ");
      const [oneLine, asRuntime] = [text(list.flat()), list.map(text).join(", ")];
      expect(withJoinedLines(asRuntime)).toBe(oneLine);
      expect(withoutCookie(oneLine, "SRV")).toBe(
        text(list.flat().filter(([name]) => name !== "SRV")) || null,
      );
      expect(cookieOf(oneLine, "SRV")).toBe(list.flat().find(([name]) => name === "SRV")?.[1] ?? null);
      const rest = withoutCookie(asRuntime, "SRV");
      expect(rest === null ? null : withJoinedLines(rest)).toBe(withoutCookie(oneLine, "SRV"));
    }),
  );
});
