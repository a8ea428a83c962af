// The bill of a month on Workers Paid, the share of each limit of Workers Free, and what others take. Pure.

import { type BilledItem, billedItems, type Prices } from "./prices.ts";
import type { Scenario, Usage } from "./usage.ts";

/** A month of the price list. */
const monthSeconds = 30 * 86_400;
const daySeconds = 86_400;

type BillLine = {
  readonly item: BilledItem;
  /** Units of a month. */
  readonly amount: number;
  /** US dollars, for what is above the included amount. */
  readonly dollars: number;
};

export type Bill = {
  readonly lines: readonly BillLine[];
  /** US dollars, with the plan itself. */
  readonly total: number;
  /** Share of the total that is for Durable Objects, 0 to 1. The rest is for the plan and any Worker's requests. */
  readonly ownShare: number;
};

const objectItems: ReadonlySet<BilledItem> = new Set([
  "objectRequests",
  "gbSeconds",
  "rowsRead",
  "rowsWritten",
  "storedGb",
]);

/** The bill of a month with this usage. */
export function billOf(usage: Usage, { paid }: Pick<Prices, "paid">): Bill {
  const lines = billedItems.map((item): BillLine => {
    const { included, price, per } = paid.items[item];
    const amount = item === "storedGb" ? usage[item] : usage[item] * monthSeconds;
    return { item, amount, dollars: (Math.max(0, amount - included) / per) * price };
  });
  const total = sumOf(lines) + paid.monthly;
  return { lines, total, ownShare: sumOf(lines.filter(({ item }) => objectItems.has(item))) / total };
}

function sumOf(lines: readonly BillLine[]): number {
  return lines.reduce((sum, { dollars }) => sum + dollars, 0);
}

/** A limit of Workers Free. */
export type LimitShare = {
  readonly item: BilledItem;
  /** Units of a day; of a request for CPU time. */
  readonly amount: number;
  readonly limit: number;
  /** 1: all of the limit. */
  readonly share: number;
};

/** The share of each limit of Workers Free. */
export function freeShares(
  usage: Usage,
  { freePerDay, freeCpuMsPerRequest }: Pick<Prices, "freePerDay" | "freeCpuMsPerRequest">,
): readonly LimitShare[] {
  return billedItems.map((item) => {
    const limit = item === "cpuMs" ? freeCpuMsPerRequest : freePerDay[item];
    const amount = amountOfDay(usage, item);
    return { item, amount, limit, share: amount / limit };
  });
}

function amountOfDay(usage: Usage, item: BilledItem): number {
  if (item === "storedGb") return usage.storedGb;
  if (item === "cpuMs") return usage.requests === 0 ? 0 : usage.cpuMs / usage.requests;
  return usage[item] * daySeconds;
}

/** HAProxy on your own machines, US dollars a month. */
export function haproxyDollars(
  { requestsPerSecond }: Pick<Scenario, "requestsPerSecond">,
  { haproxy, responseKb }: Pick<Prices, "haproxy" | "responseKb">,
): number {
  const gib = (requestsPerSecond * monthSeconds * responseKb * 1_000) / 2 ** 30;
  const included = haproxy.machines * haproxy.transferGibPerMachine;
  return haproxy.machines * haproxy.monthlyPerMachine + Math.max(0, gib - included) * haproxy.pricePerGib;
}

/** Cloudflare Load Balancing, US dollars a month; null if it does not take as many endpoints without a contract. */
export function loadBalancingDollars(
  { nodes }: Pick<Scenario, "nodes">,
  { loadBalancing }: Pick<Prices, "loadBalancing">,
): number | null {
  const { monthly, includedEndpoints, monthlyPerEndpoint, maxEndpoints } = loadBalancing;
  if (nodes > maxEndpoints) return null;
  return monthly + Math.max(0, nodes - includedEndpoints) * monthlyPerEndpoint;
}

/**
 * The highest value up to `highest` for which `holds` is true, to 0.1 %; null if it is true for none that is greater
 * than 0. `holds` must not become true again.
 */
export function highestThatHolds(holds: (value: number) => boolean, highest: number): number | null {
  if (holds(highest)) return highest;
  let [low, high] = [0, highest];
  while (high - low > high / 1_000 && high > highest * 1e-9) {
    const middle = (low + high) / 2;
    if (holds(middle)) low = middle;
    else high = middle;
  }
  return low === 0 ? null : low;
}
