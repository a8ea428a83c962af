// Serves GET /metrics in Prometheus' text format. Metrics of the registry do not depend on telemetry.

/// <reference path="./prom-client.d.ts" />
import { Hono } from "hono";
import Registry from "prom-client/lib/registry.js";
import { othersId } from "../../telemetry/items.ts";
import type { Snapshot } from "../../telemetry/snapshot.ts";
import type { ControlDeps, ControlEnv, ControlRoutes } from "../context.ts";
import { type MeshView, readMeshView } from "../mesh-view.ts";
import { judgedTraffic, readProblemContext } from "../problem-inputs.ts";
import { snapshotOrNull } from "../remote-telemetry.ts";
import { gaugeFamily, type MetricFamily, sample } from "./family.ts";
import { meshFamilies, metricTargets } from "./mesh-families.ts";
import { trafficFamilies } from "./traffic-families.ts";

export function metricsRoutes(deps: ControlDeps): ControlRoutes {
  const { mesh, telemetry } = deps;
  const routes = new Hono<ControlEnv>();
  routes.get("/", async (c) => {
    const [view, traffic, context] = await Promise.all([
      readMeshView(mesh),
      // Prometheus reads a falling counter as a restart from 0, so no counter may fall after a reset of the
      // object.
      snapshotOrNull(telemetry, { saveFirst: true }),
      readProblemContext(deps),
    ]);
    const targets = metricTargets(view);
    const judged = traffic === null ? [] : judgedTraffic(view, traffic);
    const { text, contentType } = await metricsText([
      ...meshFamilies(view, targets, judged, context, traffic?.leftOut),
      gaugeFamily("waggle_telemetry_up", "1 if telemetry could be read", [sample(traffic === null ? 0 : 1)]),
      ...(traffic === null ? [] : [ageFamily(traffic)]),
      ...(traffic === null ? [] : trafficFamilies(currentTraffic(traffic, view), targets)),
    ]);
    return c.body(text, 200, { "content-type": contentType, "cache-control": "no-store" });
  });
  return routes;
}

/**
 * The snapshot without removed services, whose names may be in use again, and with the registry's names. What
 * telemetry counts together stays, as `(others)`.
 */
function currentTraffic(traffic: Snapshot, { services, nodes }: MeshView): Snapshot {
  const serviceNames = new Map(services.map(({ id, spec }) => [id, spec.name]));
  const nodeNames = new Map(nodes.map(({ id, hostname }) => [id, hostname]));
  return {
    ...traffic,
    services: traffic.services.flatMap((service) => {
      const name = service.id === othersId ? service.name : serviceNames.get(service.id);
      return name === undefined ? [] : [{ ...service, name }];
    }),
    nodes: traffic.nodes.map((node) => ({ ...node, name: nodeNames.get(node.id) ?? node.name })),
  };
}

/** A scrape does not have routers report sooner, so that it costs the same whatever scrapes. */
function ageFamily({ atMs, completeMs }: Snapshot): MetricFamily {
  const help = "Age of the traffic counters: requests that ended before it are counted";
  return gaugeFamily("waggle_telemetry_age_seconds", help, [sample((atMs - completeMs) / 1_000)]);
}

/**
 * The families in the text exposition format 0.0.4, with its Content-Type. A family without values is left
 * out. Only prom-client's registry is used: its counters count in the process, and these values are known in
 * sum.
 *
 * @see docs/decisions/0034-prometheus-text.md
 */
async function metricsText(
  families: readonly MetricFamily[],
): Promise<{ readonly text: string; readonly contentType: string }> {
  const registry = new Registry();
  for (const family of families) {
    if (family.values.length > 0) registry.registerMetric({ name: family.name, get: () => family });
  }
  return { text: await registry.metrics(), contentType: registry.contentType };
}
