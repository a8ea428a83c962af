import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { buildDashboardAssets } from "../../../src/local/dashboard-assets.ts";
import { fillLarge } from "../../support/large-mesh.ts";
import { TestMesh } from "../registry/harness.ts";
import { TestDashboard } from "./support.ts";

test("[G15] the pages of a mesh of 1,000 nodes and 10,000 tasks stay small and quick to make", async () => {
  const mesh = new TestMesh();
  fillLarge(mesh);
  const dashboard = new TestDashboard(0, {}, mesh);
  await dashboard.signIn();
  for (const path of ["", "services", "services/service-7", "nodes", "nodes/node7", "events", "routing"]) {
    const began = performance.now();
    const { status, text } = await dashboard.ask(`GET /dashboard/${path}`);
    const tookMs = performance.now() - began;
    const compressed = gzipSync(text).length;
    expect(status, path).toBe(200);
    expect(text.length, path).toBeLessThan(400_000);
    expect(compressed, path).toBeLessThan(40_000);
    // Ten times what a quiet machine takes: this is about growth, not about speed.
    expect(tookMs, path).toBeLessThan(2_000);
    dashboard.mesh.nowMs += 1_000;
  }
});

test("[G15] all scripts together are under 60 KB compressed, the style sheet under 10 KB", async () => {
  const { live, charts, style } = await buildDashboardAssets();
  expect(gzipSync(live.text).length + gzipSync(charts.text).length).toBeLessThan(60_000);
  expect(gzipSync(style.text).length).toBeLessThan(10_000);
});
