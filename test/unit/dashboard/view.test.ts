import { expect, test } from "vitest";
import { viewReader } from "../../../src/dashboard/view.ts";
import { TestMesh } from "../registry/harness.ts";

test("[G38] what was read while something was changed is not what the next page shows", async () => {
  const mesh = new TestMesh();
  mesh.node("node1");
  const telemetry = Promise.withResolvers<null>();
  const views = viewReader(
    mesh.registry,
    () => telemetry.promise,
    () => mesh.nowMs,
  );
  const before = views.read();
  mesh.registry.setAdmin({ kind: "node", ref: "node1" }, "maint", "operator");
  views.invalidate();
  telemetry.resolve(null);
  expect((await before).nodes[0]?.admin).toBeUndefined();
  expect((await views.read()).nodes[0]?.admin).toBe("maint");
  // From then on one reading serves all for a moment.
  expect(await views.read()).toBe(await views.read());
});
