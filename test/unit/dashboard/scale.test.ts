import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { unwrap } from "../../../src/domain/model/error.ts";
import { buildDashboardAssets } from "../../../src/local/dashboard-assets.ts";
import type { Delta } from "../../../src/telemetry/delta.ts";
import { fillLarge } from "../../support/large-mesh.ts";
import { TestMesh } from "../registry/harness.ts";
import { delta, entryDelta, taskDelta } from "../telemetry/deltas.ts";
import { TestDashboard } from "./support.ts";

test("[G15] the pages of a mesh of 1,000 nodes and 10,000 tasks stay small and render quickly", async () => {
  const mesh = new TestMesh();
  fillLarge(mesh);
  const dashboard = new TestDashboard(0, {}, mesh);
  dashboard.telemetry.count(trafficOf(mesh));
  mesh.nowMs += 10_000;
  await dashboard.signIn();
  for (const path of ["", "services", "services/service-7", "nodes", "nodes/node7", "events", "routing"]) {
    const startedMs = performance.now();
    const { status, text } = await dashboard.ask(`GET /dashboard/${path}`);
    const tookMs = performance.now() - startedMs;
    const compressed = gzipSync(text).length;
    expect(status, path).toBe(200);
    expect(text.length, path).toBeLessThan(400_000);
    expect(compressed, path).toBeLessThan(40_000);
    // Ten times the duration on an idle machine: the limit catches growth, not slowness.
    expect(tookMs, path).toBeLessThan(2_000);
    dashboard.mesh.nowMs += 1_000;
  }
}, 20_000);

/** Ten seconds of traffic for every node and task. */
function trafficOf(mesh: TestMesh): Delta {
  const services = mesh.registry.services().map(({ id, spec }) => ({ id, name: spec.name }));
  const latenciesMs = Array.from({ length: 20 }, (_, index) => 2 + ((index * 7) % 60));
  const entries = mesh.registry.nodes().map(({ id, hostname }, index) => {
    const service = services[index % services.length] ?? null;
    return entryDelta({ requests: 20 }, latenciesMs, { service, node: { id, name: hostname } });
  });
  const tasks = unwrap(mesh.registry.tasks({})).map((task) => {
    const ofTask = { id: task.id, slot: task.slot, nodeId: task.nodeId ?? "", serviceId: task.serviceId };
    return taskDelta({ attempts: 2 + (task.slot % 9) }, [], ofTask);
  });
  return delta(1, { entries, tasks });
}

test("[G15] all scripts together are under 60 KB compressed, the style sheet under 10 KB", async () => {
  const { live, charts, style } = await buildDashboardAssets();
  expect(gzipSync(live.text).length + gzipSync(charts.text).length).toBeLessThan(60_000);
  expect(gzipSync(style.text).length).toBeLessThan(10_000);
});
