import fc from "fast-check";
import { expect, test } from "vitest";
import { mayChangeInUrl, normalPath } from "../../../../src/domain/model/normal-path.ts";
import { pathOf } from "../../../../src/proxy/http/host.ts";

test.each([
  ["/x/../admin", "/admin"],
  ["/%2e/admin", "/admin"],
  ["/x/%2E%2e/admin", "/admin"],
  ["/.%2E/admin", "/admin"],
  ["/.//admin", "//admin"],
  ["/x;a=b/../admin", "/admin"],
  ["/x\\..\\admin", "/admin"],
  ["/../../admin?/../x", "/admin?/../x"],
  ["/x/..", "/"],
  ["/%2e?", "/?"],
  ["/?a=\\'^{}|", "/?a=\\%27^{}|"],
  ["/a^{}\"|'", "/a%5E%7B%7D%22|'"],
])("[X120] %s is %s for path rules, hashes and the task", (path, normal) => {
  expect(pathOf(`http://www.example.com${path}`)).toBe(normal);
});

test.each([
  "//admin",
  "/..;/admin",
  "/x/..%2fadmin",
  "/%252e%252e/admin",
  "/%2Fadmin",
  "/ADMIN",
  "/%61dmin",
  "/...",
  "/.well-known/x",
  "/a/..b",
  "/%00",
  "/%zz",
  "/a|b?c|d",
])("[X121] %s stays as it is: nothing else is decoded, merged or encoded", (path) => {
  expect(pathOf(`http://www.example.com${path}`)).toBe(path);
});

const piece = fc.constantFrom(
  "/",
  ".",
  "..",
  "%2e",
  "%2E",
  "\\",
  ";",
  "a",
  "%2f",
  "%25",
  "?",
  "{",
  "'",
  "^",
  "é",
);
const paths = fc.array(piece, { maxLength: 12 }).map((pieces) => `/${pieces.join("")}`);

test("[X120] a normal path is what the URL standard sends, and stays so", () => {
  fc.assert(
    fc.property(paths, (path) => {
      const normal = normalPath(path);
      expect(normal).toBe(new URL(`http://127.0.0.1:8080${path}`).href.slice("http://127.0.0.1:8080".length));
      expect(normalPath(normal)).toBe(normal);
      if (!mayChangeInUrl.test(path)) expect(normal).toBe(path);
    }),
    { numRuns: 2_000 },
  );
});
