// The rows of tables about prices: of all documented meshes, of one bill, of the limits of Workers Free, and of the
// check of the model.

import type { Estimate } from "./estimate.ts";
import type { Prediction } from "./fit.ts";
import type { BilledItem } from "./prices.ts";
import { amountText, dollars, percent } from "./text.ts";
import type { Scenario } from "./usage.ts";

const itemNames: Readonly<Record<BilledItem, string>> = {
  requests: "Worker requests",
  cpuMs: "CPU, ms",
  objectRequests: "object requests",
  gbSeconds: "object duration, GB-s",
  rowsRead: "rows read",
  rowsWritten: "rows written",
  storedGb: "stored, GB",
};

type Rows = readonly (readonly string[])[];

/** One row for each mesh. */
export function overviewRows(estimates: readonly Estimate[]): Rows {
  return [
    ["mesh", "object requests/s", "dollars a month", "of it Waggle's own", "HAProxy", "Load Balancing"],
    ...estimates.map((made) => [
      scenarioText(made.scenario),
      amountText(made.usage.objectRequests),
      totalText(made),
      percent(made.bill.ownShare),
      dollars(made.haproxy),
      loadBalancingText(made),
    ]),
  ];
}

/** The same with a column for each of two releases. */
export function comparisonRows(before: readonly Estimate[], after: readonly Estimate[]): Rows {
  return [
    [
      "mesh",
      "object requests/s before",
      "after",
      "a month before",
      "after",
      "Waggle's own before",
      "after",
      "HAProxy",
      "Load Balancing",
    ],
    ...before.flatMap((earlier, index) => {
      const later = after[index];
      if (later === undefined) return [];
      return [
        [
          scenarioText(earlier.scenario),
          amountText(earlier.usage.objectRequests),
          amountText(later.usage.objectRequests),
          totalText(earlier),
          totalText(later),
          percent(earlier.bill.ownShare),
          percent(later.bill.ownShare),
          dollars(later.haproxy),
          loadBalancingText(later),
        ],
      ];
    }),
  ];
}

export function scenarioText({ nodes, requestsPerSecond, isolates, transport }: Scenario): string {
  const traffic =
    requestsPerSecond === 0
      ? "idle"
      : `${amountText(requestsPerSecond)} req/s, ${amountText(isolates)} isolates`;
  return `${amountText(nodes)} nodes, ${traffic}${transport === "direct" ? "" : `, ${transport}`}`;
}

/** The price, unless one object gets more requests than it takes. */
function totalText({ bill, overloaded }: Estimate): string {
  return overloaded === null ? dollars(bill.total) : `${dollars(bill.total)}, overloads the ${overloaded}`;
}

function loadBalancingText({ loadBalancing }: Estimate): string {
  return loadBalancing === null ? "–" : dollars(loadBalancing);
}

/** The bill of one mesh. */
export function billRows({ bill }: Estimate): Rows {
  return [
    ["of a month", "amount", "dollars"],
    ...bill.lines.map(({ item, amount, dollars: price }) => [
      itemNames[item],
      amountText(amount),
      price === 0 ? "included" : dollars(price),
    ]),
    ["Workers Paid", "", dollars(bill.total - bill.lines.reduce((sum, line) => sum + line.dollars, 0))],
    ["total", "", dollars(bill.total)],
  ];
}

/** The limits of Workers Free. */
export function freeRows({ free }: Estimate): Rows {
  return [
    ["of a day", "used", "Workers Free", "share"],
    ...free.map(({ item, amount, limit, share }) => [
      item === "cpuMs" ? "CPU of a request, ms" : itemNames[item],
      amountText(amount),
      amountText(limit),
      percent(share),
    ]),
  ];
}

/** The limits of Workers Free, with a column for each of two releases. */
export function freeComparisonRows(before: Estimate, after: Estimate): Rows {
  return [
    ["of a day", "Workers Free", "before", "share", "after", "share"],
    ...before.free.flatMap(({ item, amount, limit, share }, index) => {
      const later = after.free[index];
      if (later === undefined) return [];
      const name = item === "cpuMs" ? "CPU of a request, ms" : itemNames[item];
      return [
        [
          name,
          amountText(limit),
          amountText(amount),
          percent(share),
          amountText(later.amount),
          percent(later.share),
        ],
      ];
    }),
  ];
}

/** What the model says about the run that it was not made of. */
export function predictionRows(predictions: readonly Prediction[]): Rows {
  return [
    ["of a second", "predicted", "measured", "may differ by", ""],
    ...predictions.map(({ item, predicted, measured, tolerance, holds }) => [
      itemNames[item],
      amountText(predicted),
      amountText(measured),
      tolerance === 1 ? "a factor of 2" : percent(tolerance),
      holds ? "holds" : "FAILS",
    ]),
  ];
}
