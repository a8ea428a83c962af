import { expect, test } from "vitest";
import { redirectToHttps } from "../../../src/local/redirect-to-https.ts";

const request = (method: string, target: string, host = "www.test") => ({
  method,
  target,
  headers: ["accept", "*/*", "host", host, "x-waggle-entry", "facts"],
});

test.each([
  ["GET", "/a?b=1", "www.test", 443, "301 https://www.test/a?b=1"],
  ["HEAD", "/", "www.test:80", 443, "301 https://www.test/"],
  ["POST", "/a", "www.test", 443, "308 https://www.test/a"],
  ["GET", "/a", "www.test:8080", 8443, "301 https://www.test:8443/a"],
  ["GET", "/a", "[2001:db8::1]:80", 443, "301 https://[2001:db8::1]/a"],
  ["GET", "//evil.test/", "www.test", 443, "301 https://www.test//evil.test/"],
  ["OPTIONS", "*", "www.test", 443, "308 https://www.test/"],
  ["GET", "/.well-known/acme-challenge/token", "www.test", 443, "served"],
  ["GET", "/a", "www.test", null, "served"],
] as const)("[U496] %s %s of %s with the TLS port %s: %s", (method, target, host, port, expected) => {
  const redirect = redirectToHttps(request(method, target, host), port);
  expect(redirect === null ? "served" : `${redirect.status} ${redirect.location}`).toBe(expected);
});
