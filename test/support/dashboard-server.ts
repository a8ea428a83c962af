// The dashboard of a mesh in memory, served by Node for a browser.

import { dashboardApp } from "../../src/dashboard/app.ts";
import { buildDashboardAssets } from "../../src/local/dashboard-assets.ts";
import type { Telemetry } from "../../src/telemetry/telemetry.ts";
import type { TestMesh } from "../unit/registry/harness.ts";
import { serve, type TestServer } from "./serve.ts";

export const serverToken = "an-operator-secret";

/** Refuses WebSockets, so its pages poll. Sets the mesh's clock, by which sessions expire, to the system's. */
export async function serveDashboard(mesh: TestMesh, telemetry: Telemetry): Promise<TestServer> {
  mesh.nowMs = Date.now();
  const app = dashboardApp({
    mesh: mesh.registry,
    telemetry,
    counters: telemetry,
    meshName: "test",
    operatorToken: serverToken,
    assets: await buildDashboardAssets(),
    access: null,
    entrySettings: { domain: "", balancerPort: null },
    now: () => Date.now(),
    newId: () => "test",
    dialGateway: async () => new Response(null, { status: 503 }),
    forward: async () => new Response(null, { status: 503 }),
  });
  return serve((request) => app.fetch(request, { sharesOrigin: false, client: null }));
}
