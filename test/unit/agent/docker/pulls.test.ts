import { expect, test } from "vitest";
import { compareVersions, errorText } from "../../../../src/agent/runtimes/docker/daemon.ts";
import { pullFailure } from "../../../../src/agent/runtimes/docker/pull-failure.ts";
import { PullProgress } from "../../../../src/agent/runtimes/docker/pull-progress.ts";

test.each([
  ["manifest for web:9 not found: manifest unknown: manifest unknown", /^No such image: web:9: /, false],
  [
    "pull access denied for web, repository does not exist or may require 'docker login': denied",
    /^the registry refused access to web:9: .*--with-registry-auth/,
    false,
  ],
  ['Get "https://r/v2/": unauthorized: authentication required', /^the registry refused access/, false],
  ['Get "http://r/v2/": no basic auth credentials', /^the registry refused access/, false],
  ["no matching manifest for linux/arm64 in the manifest list entries", /^No such image: web:9: /, false],
  ['Get "https://r/v2/": dial tcp 10.0.0.1:443: connect: connection refused', /^cannot pull web:9: /, true],
  ['Get "https://r/v2/": dial tcp: lookup r: no such host', /^cannot pull web:9: /, true],
  ["received unexpected HTTP status: 503 Service Unavailable", /^cannot pull web:9: /, true],
])("[N122] a pull that fails with %j has a reason, and may be tried again or not", (text, reason, retry) => {
  const failure = pullFailure("web:9", text, false);
  expect(failure.reason).toMatch(reason);
  expect(failure.retry).toBe(retry);
});

test("[N122] a daemon that does not respond is no failure of the image", () => {
  const { reason, retry } = pullFailure("web:9", "connect ENOENT /var/run/docker.sock", true);
  expect([reason.startsWith("the Docker daemon does not respond: "), retry]).toEqual([true, true]);
});

test("[N122] the progress of a pull is the share of all layers of a known size", () => {
  const progress = new PullProgress("web:9");
  expect(progress.text).toBe("pulling web:9");
  for (const line of [
    '{"status":"Pulling from web","id":"9"}',
    '{"status":"Downloading","progressDetail":{"current":50,"total":100},"id":"a"}',
    '{"status":"Downloading","progressDetail":{"current":0,"total":300},"id":"b"}',
    "not JSON",
    '{"status":"Download complete","progressDetail":{},"id":"a"}',
  ])
    progress.read(line);
  expect([progress.text, progress.error]).toEqual(["pulling web:9: 25 %", null]);
  progress.read('{"errorDetail":{"message":"x"},"error":"manifest unknown"}');
  expect(progress.error).toBe("manifest unknown");
});

test("[N124] API versions compare by their numbers", () => {
  expect(compareVersions("1.41", "1.9")).toBeGreaterThan(0);
  expect(compareVersions("1.41", "1.41")).toBe(0);
  expect(compareVersions("1.40", "1.41")).toBeLessThan(0);
});

test("[N124] an error of the daemon is quoted without dockerode's status line", () => {
  const message = "(HTTP code 404) no such container - No such image: web:9";
  expect(errorText(Object.assign(new Error(message), { statusCode: 404 }))).toBe("No such image: web:9");
  expect(errorText(Object.assign(new Error(message), { json: { message: "as sent" } }))).toBe("as sent");
});
