import { expect, test } from "vitest";
import { unwrap } from "../../../src/domain/model/error.ts";
import { changeText, recordedChanges, specChanges } from "../../../src/domain/model/spec-changes.ts";
import { aSpec } from "../../support/world.ts";
import { input } from "../registry/harness.ts";
import { TestDashboard } from "./support.ts";

async function withUpdate(): Promise<TestDashboard> {
  const dashboard = new TestDashboard();
  await dashboard.signIn();
  const { mesh } = dashboard;
  const run = input("my-web").spec.run;
  mesh.service("my-web", { run: { ...run, env: ["LOG=info", "OLD=1"] } });
  mesh.work();
  const service = unwrap(mesh.registry.service("my-web"));
  const next = input("my-web", { run: { ...run, image: "my/app:2", env: ["LOG=debug"] } });
  unwrap(mesh.registry.updateService("my-web", service.version, next, "operator"));
  return dashboard;
}

test("[G88] the newest update of a service lists each field that it changed, old and new", async () => {
  const dashboard = await withUpdate();
  const { text } = await dashboard.ask("GET /dashboard/events");
  for (const change of [
    "image: waggle/whoami → my/app:2",
    "env LOG: info → debug",
    "env OLD: removed, was 1",
  ])
    expect(text).toContain(`<span class="change">${change}</span>`);
});

test("[G88] a search finds events by what they changed, within the kind that is chosen", async () => {
  const dashboard = await withUpdate();
  const eventsOf = async (query: string) => {
    const { text } = await dashboard.ask(`GET /dashboard/events?${query}`);
    return [...text.matchAll(/<span class="action">([^<]*)</g)].map(([, action]) => action);
  };
  expect(await eventsOf("q=my%2Fapp")).toEqual(["service.update"]);
  expect(await eventsOf("kind=operators")).toEqual(["service.update", "service.create"]);
  expect(await eventsOf("kind=node&q=node1")).toEqual(expect.arrayContaining(["node.ready"]));
  expect(await eventsOf("kind=node&q=my-web")).toEqual([]);
  expect(await eventsOf("kind=nonsense&q=service.create")).toEqual(["service.create"]);
});

test.each([
  [aSpec(), aSpec(), []],
  [aSpec({ replicas: 2 }), aSpec({ replicas: 5 }), ["replicas: 2 → 5"]],
  [aSpec(), aSpec({ labels: { a: "b" } }), ["label a: b (new)"]],
  [
    aSpec({ constraints: ["node.role==worker"] }),
    aSpec({ constraints: ["node.role==manager"] }),
    ["constraints: node.role==worker → node.role==manager"],
  ],
  [aSpec(), aSpec({ update: { parallelism: 3 } }), ["update.parallelism: 1 → 3"]],
  [aSpec(), aSpec({ mode: { kind: "global" } }), ["mode.kind: global (new)", "replicas: removed, was 2"]],
])("[G88] the changes between two specs are their fields that differ", (before, after, changes) => {
  expect(specChanges(before, after).map(changeText)).toEqual(changes);
});

test("[U531] an earlier update keeps what it changed, without the values of environment variables", async () => {
  const dashboard = await withUpdate();
  const { registry } = dashboard.mesh;
  const service = unwrap(registry.service("my-web"));
  unwrap(
    registry.updateService(
      "my-web",
      service.version,
      input("my-web", { mode: { kind: "replicated", replicas: 5 } }),
      "operator",
    ),
  );
  const { text } = await dashboard.ask("GET /dashboard/events");
  const changes = [...text.matchAll(/<span class="change">([^<]*)</g)].map(([, change]) => change);
  expect(changes).toEqual(expect.arrayContaining(["replicas: 1 → 5", "image: my/app:2 → waggle/whoami"]));
  expect(changes).toEqual(
    expect.arrayContaining(["image: waggle/whoami → my/app:2", "env LOG: changed", "env OLD: removed"]),
  );
});

test("[U531] after a rollback both events have their changes", async () => {
  const dashboard = await withUpdate();
  const { registry } = dashboard.mesh;
  const service = unwrap(registry.service("my-web"));
  unwrap(registry.updateService("my-web", service.version, "rollback", "operator"));
  const { text } = await dashboard.ask("GET /dashboard/events");
  for (const change of ["image: my/app:2 → waggle/whoami", "image: waggle/whoami → my/app:2"])
    expect(text).toContain(`<span class="change">${change}</span>`);
});

test("[U531] what an event records of a large change is bounded", () => {
  const labels = Object.fromEntries(
    Array.from({ length: 50 }, (_, index) => [`l${index}`, "x".repeat(9_000)]),
  );
  const changes = recordedChanges(aSpec(), aSpec({ labels }));
  expect(changes.at(-1)).toBe("and 38 more");
  expect(JSON.stringify(changes).length).toBeLessThan(2_200);
});
