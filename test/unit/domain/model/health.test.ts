import { expect, test } from "vitest";
import type { RiseFall } from "../../../../src/domain/model/check-counter.ts";
import { type Health, haproxyStatus, observe, startingHealth } from "../../../../src/domain/model/health.ts";

const policy = { rise: 2, fall: 3 };

test("[H2] a pass between failures restarts the count", () => {
  expect(after("pass pass fail fail pass fail").verdict).toBe("healthy");
  expect(after("pass pass fail fail fail").verdict).toBe("unhealthy");
});

test("[H3] a starting task becomes healthy after rise passes in a row and unhealthy after fall failures in a row", () => {
  expect(after("pass").verdict).toBe("starting");
  expect(after("pass pass").verdict).toBe("healthy");
  expect(after("fail fail").verdict).toBe("starting");
  expect(after("fail fail fail").verdict).toBe("unhealthy");
});

test("[H4] the time of the verdict changes only with the verdict, the last check with every check", () => {
  const health = after("pass pass pass fail");
  expect(health.sinceMs).toBe(2);
  expect(health.lastCheck).toBe("fail 4");
});

test("[H5] the status has HAProxy's format", () => {
  expect(shown("")).toBe("DOWN");
  expect(shown("pass")).toBe("DOWN 1/2");
  expect(shown("pass pass")).toBe("UP");
  expect(shown("pass pass fail")).toBe("UP 2/3");
  expect(shown("pass pass fail fail")).toBe("UP 1/3");
  expect(shown("pass pass fail fail pass")).toBe("UP");
  expect(shown("pass pass fail fail fail")).toBe("DOWN");
  expect(shown("pass pass fail fail fail pass")).toBe("DOWN 1/2");
  expect(shown("pass pass fail fail fail pass pass")).toBe("UP");
  expect(haproxyStatus(null)).toBe("no check");
});

function after(results: string, by: RiseFall = policy): Health {
  const list = results === "" ? [] : results.split(" ");
  return list.reduce(
    (health, result, n) =>
      observe(health, { ok: result === "pass", atMs: n + 1, text: `${result} ${n + 1}` }, by),
    startingHealth(0),
  );
}

function shown(results: string): string {
  return haproxyStatus({ ...after(results), ...policy });
}
