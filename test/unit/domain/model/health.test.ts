import { expect, test } from "vitest";
import type { RiseFall } from "../../../../src/domain/model/check-counter.ts";
import { type Health, haproxyStatus, observe, startingHealth } from "../../../../src/domain/model/health.ts";

const policy = { rise: 2, fall: 3 };

test("[H2] a pass between failures restarts the count", () => {
  expect(healthAfter("pass pass fail fail pass fail").verdict).toBe("healthy");
  expect(healthAfter("pass pass fail fail fail").verdict).toBe("unhealthy");
});

test("[H3] a starting task becomes healthy after rise passes in a row and unhealthy after fall failures in a row", () => {
  expect(healthAfter("pass").verdict).toBe("starting");
  expect(healthAfter("pass pass").verdict).toBe("healthy");
  expect(healthAfter("fail fail").verdict).toBe("starting");
  expect(healthAfter("fail fail fail").verdict).toBe("unhealthy");
});

test("[H4] the time of the verdict changes only with the verdict, the last check with every check", () => {
  const health = healthAfter("pass pass pass fail");
  expect(health.sinceMs).toBe(2);
  expect(health.lastCheck).toBe("fail 4");
});

test("[H5] the status has HAProxy's format", () => {
  expect(statusAfter("")).toBe("DOWN");
  expect(statusAfter("pass")).toBe("DOWN 1/2");
  expect(statusAfter("pass pass")).toBe("UP");
  expect(statusAfter("pass pass fail")).toBe("UP 2/3");
  expect(statusAfter("pass pass fail fail")).toBe("UP 1/3");
  expect(statusAfter("pass pass fail fail pass")).toBe("UP");
  expect(statusAfter("pass pass fail fail fail")).toBe("DOWN");
  expect(statusAfter("pass pass fail fail fail pass")).toBe("DOWN 1/2");
  expect(statusAfter("pass pass fail fail fail pass pass")).toBe("UP");
  expect(haproxyStatus(null)).toBe("no check");
});

function healthAfter(results: string, by: RiseFall = policy): Health {
  const list = results === "" ? [] : results.split(" ");
  return list.reduce(
    (health, result, n) =>
      observe(health, { ok: result === "pass", atMs: n + 1, text: `${result} ${n + 1}` }, by),
    startingHealth(0),
  );
}

function statusAfter(results: string): string {
  return haproxyStatus({ ...healthAfter(results), ...policy });
}
