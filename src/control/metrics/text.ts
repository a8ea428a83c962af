// Families as Prometheus reads them, by prom-client's registry. Values are known in sum when they are asked for, so its
// counters, which count in the process, are not what is needed.

/// <reference path="./prom-client.d.ts" />
import Registry from "prom-client/lib/registry.js";
import type { MetricFamily } from "./family.ts";

/** The text exposition format 0.0.4, and its Content-Type. A family without values is left out. */
export async function metricsText(
  families: readonly MetricFamily[],
): Promise<{ readonly text: string; readonly contentType: string }> {
  const registry = new Registry();
  for (const family of families) {
    if (family.values.length > 0) registry.registerMetric({ name: family.name, get: () => family });
  }
  return { text: await registry.metrics(), contentType: registry.contentType };
}
