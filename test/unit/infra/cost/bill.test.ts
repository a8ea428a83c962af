// The bill: examples of the platform's pricing pages, and the limits of Workers Free.

import { expect, test } from "vitest";
import {
  billOf,
  freeShares,
  haproxyDollars,
  highestThatHolds,
  loadBalancingDollars,
} from "../../../../infra/cost/bill.ts";
import { readPrices } from "../../../../infra/cost/prices.ts";
import type { Usage } from "../../../../infra/cost/usage.ts";

const prices = readPrices();
const monthSeconds = 30 * 86_400;

/** The usage of a month, of which the examples state amounts. */
function ofMonth(amounts: Partial<Usage>): Usage {
  const names = ["requests", "cpuMs", "objectRequests", "gbSeconds", "rowsRead", "rowsWritten"] as const;
  const means = Object.fromEntries(names.map((name) => [name, (amounts[name] ?? 0) / monthSeconds]));
  return { ...means, storedGb: amounts.storedGb ?? 0 } as Usage;
}

test.each([
  { example: "Workers 1", amounts: { requests: 15e6, cpuMs: 7 * 15e6 }, total: 8 },
  { example: "Workers 4", amounts: { requests: 100e6, cpuMs: 7 * 100e6 }, total: 45.4 },
  // The page rounds half a million requests up to a million.
  { example: "Durable Objects 1", amounts: { objectRequests: 1.5e6, gbSeconds: 128_000 }, total: 5.075 },
  {
    example: "Durable Objects 3",
    amounts: { objectRequests: 12_960_100, gbSeconds: 33_177_600 },
    total: 5 + 11.960_1 * 0.15 + 32.777_6 * 12.5,
  },
  { example: "rows", amounts: { rowsRead: 26e9, rowsWritten: 51e6 }, total: 5 + 1 + 1 },
  { example: "stored data", amounts: { storedGb: 10 }, total: 5 + 1 },
])("the bill is that of the pricing page: $example", ({ amounts, total }) => {
  expect(billOf(ofMonth(amounts), prices).total).toBeCloseTo(total, 6);
});

test("included amounts cost nothing beyond the plan", () => {
  const { included } = prices.paid.items.rowsWritten;
  expect(billOf(ofMonth({ rowsWritten: included }), prices).total).toBe(prices.paid.monthly);
});

test("Waggle's own share is that of its objects", () => {
  const { total, ownShare } = billOf(ofMonth({ requests: 20e6, objectRequests: 21e6 }), prices);
  expect(total).toBeCloseTo(5 + 3 + 3);
  expect(ownShare).toBeCloseTo(3 / 11);
});

test("shares of Workers Free are those of a day, of CPU time those of a request", () => {
  const usage = { ...ofMonth({ requests: 30 * 50_000, cpuMs: 30 * 50_000 * 2 }), storedGb: 1 };
  const shares = Object.fromEntries(freeShares(usage, prices).map(({ item, share }) => [item, share]));
  expect(shares.requests).toBeCloseTo(0.5);
  expect(shares.cpuMs).toBeCloseTo(0.2);
  expect(shares.storedGb).toBeCloseTo(0.2);
  expect(shares.rowsWritten).toBe(0);
});

test("HAProxy's machines cost the same at any rate, until their transfer is used", () => {
  const machines = prices.haproxy.machines * prices.haproxy.monthlyPerMachine;
  expect(haproxyDollars({ requestsPerSecond: 1 }, prices)).toBe(machines);
  const gib = (5_000 * monthSeconds * prices.responseKb * 1_000) / 2 ** 30;
  const above = gib - prices.haproxy.machines * prices.haproxy.transferGibPerMachine;
  expect(haproxyDollars({ requestsPerSecond: 5_000 }, prices)).toBeCloseTo(
    machines + above * prices.haproxy.pricePerGib,
  );
});

test("Load Balancing takes as many endpoints as it does without a contract", () => {
  expect(loadBalancingDollars({ nodes: 1 }, prices)).toBe(5);
  expect(loadBalancingDollars({ nodes: 3 }, prices)).toBe(10);
  expect(loadBalancingDollars({ nodes: 21 }, prices)).toBeNull();
});

test("the highest value that holds is found to 0.1 %, and null if there is no such value", () => {
  expect(highestThatHolds((value) => value <= 3, 8)).toBeCloseTo(3, 1);
  expect(highestThatHolds(() => true, 8)).toBe(8);
  expect(highestThatHolds(() => false, 8)).toBeNull();
});
