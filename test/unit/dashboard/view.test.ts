import { expect, test } from "vitest";
import { viewReader } from "../../../src/dashboard/view.ts";
import type { Snapshot, SnapshotFilter } from "../../../src/telemetry/snapshot.ts";
import { newTelemetry } from "../../support/telemetry.ts";
import { TestMesh } from "../registry/harness.ts";

test("[G38] a view whose read overlapped a change is not cached", async () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const telemetry = Promise.withResolvers<Snapshot>();
  const views = viewReader({
    mesh: mesh.registry,
    telemetry: { snapshot: () => telemetry.promise },
    now: () => mesh.nowMs,
    entrySettings: { domain: "", balancerPort: 8000 },
  });
  const before = views.read();
  mesh.registry.setAdmin({ kind: "node", ref: "node1" }, "maint", "operator");
  views.invalidate();
  telemetry.resolve(newTelemetry(() => mesh.nowMs).snapshot({}));
  expect((await before).nodes[0]?.admin).toBeUndefined();
  expect((await views.read()).nodes[0]?.admin).toBe("maint");
  // Later reads share the cached view.
  expect(await views.read()).toBe(await views.read());
});

test("[J411] every page reads live traffic, so that routers report sooner while it is open", async () => {
  const mesh = new TestMesh();
  const telemetry = newTelemetry(() => mesh.nowMs);
  const filters: SnapshotFilter[] = [];
  const views = viewReader({
    mesh: mesh.registry,
    telemetry: {
      snapshot: (filter) => {
        filters.push(filter);
        return telemetry.snapshot(filter);
      },
    },
    now: () => mesh.nowMs,
    entrySettings: { domain: "", balancerPort: 8000 },
  });
  await views.read();
  expect(filters).toMatchObject([{ live: true }]);
});
