// The price of a mesh: its usage, its bill, the limits of Workers Free, and what others take for the same. Pure.

import {
  type Bill,
  billOf,
  freeShares,
  haproxyDollars,
  highestThatHolds,
  type LimitShare,
  loadBalancingDollars,
} from "./bill.ts";
import type { Prices } from "./prices.ts";
import { type ObjectLoads, type Rates, type Scenario, type Usage, usageOf } from "./usage.ts";

export type Estimate = {
  readonly scenario: Scenario;
  readonly usage: Usage;
  readonly loads: ObjectLoads;
  readonly bill: Bill;
  readonly free: readonly LimitShare[];
  /** Requests a second up to which half of each limit of Workers Free is left; null if not even an idle mesh leaves it. */
  readonly freeRate: number | null;
  /** The object with more requests than one object takes; null if there is no such object. */
  readonly overloaded: keyof ObjectLoads | null;
  /** US dollars a month. */
  readonly haproxy: number;
  /** US dollars a month; null if it does not take as many endpoints without a contract. */
  readonly loadBalancing: number | null;
};

export function estimate(scenario: Scenario, rates: Rates, prices: Prices): Estimate {
  const { usage, loads } = usageOf(scenario, rates, prices);
  return {
    scenario,
    usage,
    loads,
    bill: billOf(usage, prices),
    free: freeShares(usage, prices),
    freeRate: freeRate(scenario, rates, prices),
    overloaded: overloadedObject(loads, prices),
    haproxy: haproxyDollars(scenario, prices),
    loadBalancing: loadBalancingDollars(scenario, prices),
  };
}

/** The share of each limit that has to be left. */
const sharesLeft = 0.5;

function freeRate(scenario: Scenario, rates: Rates, prices: Prices): number | null {
  const highest = (prices.freePerDay.requests * sharesLeft) / 86_400;
  const fits = (requestsPerSecond: number): boolean => {
    const { usage } = usageOf({ ...scenario, requestsPerSecond }, rates, prices);
    return freeShares(usage, prices).every(({ share }) => share <= sharesLeft * (1 + 1e-9));
  };
  return highestThatHolds(fits, highest);
}

function overloadedObject(loads: ObjectLoads, { objects }: Prices): keyof ObjectLoads | null {
  const names = Object.keys(loads) as (keyof ObjectLoads)[];
  return names.find((name) => loads[name] > objects.maxRequestsPerSecond) ?? null;
}
