import { expect, test } from "vitest";
import { problemsOf } from "../../../src/control/problems.ts";
import { meshStatus } from "../../../src/control/status.ts";
import { TestDashboard } from "../dashboard/support.ts";
import { viewOf } from "./problem-lines.ts";

const web = {
  name: "web",
  source: "compose",
  image: "nginx",
  labels: {},
  ports: [{ target: 80, published: 8080 }],
  warnings: ["middlewares without effect here: zip"],
  elsewhere: [],
} as const;

test("[A201] status and dashboard show where a discovered service lives, and its warnings are problems that say where to act", async () => {
  const dashboard = new TestDashboard(1);
  const { mesh } = dashboard;
  mesh.service("api");
  mesh.work();
  const [node] = mesh.nodes.values();
  mesh.send(node?.id ?? "", {
    type: "discovery",
    discovery: { services: [web, { ...web, name: "api" }], tasks: [] },
  });
  const view = viewOf(mesh);
  const { services } = meshStatus(view, [], mesh.nowMs);
  expect(services.map(({ name, discovered }) => [name, discovered])).toEqual([
    ["api", undefined],
    ["web", "compose on node1"],
  ]);
  expect(problemsOf(view, []).map(({ what, next }) => [what, next])).toEqual([
    ["node node1", "Change the labels on node1; the mesh follows at once."],
    ["service web", "It is discovered on node1 (compose): change it there."],
  ]);
  await dashboard.signIn();
  const { text } = await dashboard.ask("GET /dashboard/services/web");
  expect(text).toContain("Discovered (compose on node1): change it there.");
  expect(text).not.toContain("/dashboard/services/web/scale");
});
