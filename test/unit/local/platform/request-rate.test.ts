import { expect, test } from "vitest";
import { overloadedError, RequestRate } from "../../../../src/local/platform/request-rate.ts";

/** How many of `count` requests at one time an object takes. */
function admitted(rate: RequestRate, count: number, nowMs: number): number {
  return Array.from({ length: count }, () => rate.take(nowMs)).filter(Boolean).length;
}

test("[U437] an object takes its requests of one second at once, and then as many as time passes", () => {
  const rate = new RequestRate(1_000, 0);
  expect(admitted(rate, 1_500, 0)).toBe(1_000);
  expect(admitted(rate, 1_500, 10)).toBe(10);
  expect(admitted(rate, 1_500, 60_000)).toBe(1_000);
});

test("[U437] a clock that goes back gives no requests", () => {
  const rate = new RequestRate(10, 5_000);
  expect(admitted(rate, 10, 5_000)).toBe(10);
  expect(admitted(rate, 1, 0)).toBe(0);
});

test("[U437] the error of an overloaded object says so in the platform's way", () => {
  expect(overloadedError()).toMatchObject({ overloaded: true });
  expect(overloadedError().message).toMatch(/^Durable Object is overloaded\./);
});
