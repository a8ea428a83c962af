import { describe, expect, test } from "vitest";
import { fieldsOf, operatorToken, TestDashboard, viewerToken } from "./support.ts";

async function signedIn(token = operatorToken): Promise<TestDashboard> {
  const dashboard = new TestDashboard();
  dashboard.service("my-web");
  await dashboard.signIn(token);
  return dashboard;
}

const actions = [
  "/dashboard/nodes/node1/availability?to=drain",
  "/dashboard/services/my-web/scale?replicas=3",
  "/dashboard/services/my-web/restart",
  "/dashboard/services/my-web/rollback",
];

describe("[G5] a viewer looks and may not act", () => {
  test.each(actions)("[G5] %s is 403 in words, asked for and sent", async (path) => {
    const dashboard = await signedIn(viewerToken);
    const sent = await dashboard.ask(`POST ${path}`, { form: {} });
    for (const answer of [await dashboard.ask(`GET ${path}`), sent]) {
      expect(answer.status).toBe(403);
      expect(answer.text).toContain("Read-only: to act, sign in with the operator&#39;s token.");
    }
    expect(dashboard.mesh.registry.nodes()[0]?.availability).toBe("active");
  });

  test("[G5] the pages show a viewer no button that acts, and say why", async () => {
    const dashboard = await signedIn(viewerToken);
    for (const path of ["/dashboard/nodes/node1", "/dashboard/services/my-web"]) {
      const { text } = await dashboard.ask(`GET ${path}`);
      expect(text).toContain("Read-only: to act");
      expect(text).not.toMatch(/availability|\/scale|\/restart/);
    }
  });
});

test("[G14] where services answer under the same host name, an operator may not act there either", async () => {
  const dashboard = await signedIn();
  dashboard.sharesOrigin = true;
  const refused = await dashboard.ask(`GET ${actions[1]}`);
  expect(refused.status).toBe(403);
  expect(refused.text).toContain("Give control a host name of its own with CONTROL_HOST");
});

describe("[G4] a form counts only from this sign-in's own pages", () => {
  test.each([
    ["without the page's token", { form: "" }, {}],
    ["with another sign-in's token", { form: "A".repeat(43) }, {}],
    ["from another site", {}, { origin: "https://evil.example" }],
    ["from a page without an origin", {}, { origin: "null" }],
  ])("[G4] a form %s changes nothing", async (_what, change, headers) => {
    const dashboard = await signedIn();
    const page = await dashboard.ask(`GET ${actions[0]}`);
    const form = { ...fieldsOf(page.text, "confirm"), ...change };
    const { status } = await dashboard.ask("POST /dashboard/nodes/node1/availability", { form, headers });
    expect(status).toBe(403);
    expect(dashboard.mesh.registry.nodes()[0]?.availability).toBe("active");
  });

  test("[G4] a form larger than any of ours is refused", async () => {
    const dashboard = await signedIn();
    const form = { form: "x".repeat(20_000) };
    expect((await dashboard.ask("POST /dashboard/sign-out", { form })).status).toBe(413);
  });
});

describe("[G12] an action says first what would happen, and then does it", () => {
  test("[G12] draining a node", async () => {
    const dashboard = await signedIn();
    const path = actions[0] ?? "";
    expect((await dashboard.ask(`GET ${path}`)).text).toContain(
      "are replaced on other nodes before they stop",
    );
    const done = await dashboard.confirm(path);
    expect([done.status, done.location]).toEqual([303, "/dashboard/nodes/node1"]);
    expect(node(dashboard, "node1").availability).toBe("drain");
    expect(dashboard.mesh.registry.events(0, 1_000).at(-1)?.subject).toBeDefined();
    expect(eventsOf(dashboard, "node.update")).toMatchObject([
      { actor: "operator", subject: { name: "node1" } },
    ]);
  });

  test("[G12] scaling a service changes its replicas and nothing else of what was sent", async () => {
    const dashboard = await signedIn();
    const before = service(dashboard);
    expect((await dashboard.ask(`GET ${actions[1]}`)).text).toContain("Scale my-web from 2 to 3 tasks?");
    await dashboard.confirm(actions[1] ?? "");
    const after = service(dashboard);
    expect(after.spec.mode).toEqual({ kind: "replicated", replicas: 3 });
    expect({ ...after.spec, mode: before.spec.mode }).toEqual(before.spec);
  });

  test("[G12] restarting replaces every task though nothing changed", async () => {
    const dashboard = await signedIn();
    const before = service(dashboard);
    await dashboard.confirm(actions[2] ?? "");
    expect(service(dashboard).spec.forceUpdate).toBe(before.spec.forceUpdate + 1);
    expect(service(dashboard).runHash).not.toBe(before.runHash);
  });

  test("[G12] rolling back gives the spec before the last update; without one it says so", async () => {
    const dashboard = await signedIn();
    const early = await dashboard.ask(`GET ${actions[3]}`);
    expect([early.status, early.text.includes("no previous spec")]).toEqual([400, true]);
    await dashboard.confirm(actions[1] ?? "");
    await dashboard.confirm(actions[3] ?? "");
    expect(service(dashboard).spec.mode).toEqual({ kind: "replicated", replicas: 2 });
  });

  test("[G12] what was confirmed is not done to what is another thing by now", async () => {
    const dashboard = await signedIn();
    const { text } = await dashboard.ask(`GET ${actions[1]}`);
    await dashboard.confirm("/dashboard/services/my-web/scale?replicas=7");
    const form = fieldsOf(text, "confirm");
    const late = await dashboard.ask("POST /dashboard/services/my-web/scale", { form });
    expect(late.text).toContain("update out of sequence");
    expect(service(dashboard).spec.mode).toEqual({ kind: "replicated", replicas: 7 });
  });

  test.each(["", "-1", "1.5", "10001", "two"])("[G12] %j is no number of tasks", async (replicas) => {
    const dashboard = await signedIn();
    const refused = await dashboard.ask(`GET /dashboard/services/my-web/scale?replicas=${replicas}`);
    expect([refused.status, refused.text.includes("write 0 to 10000")]).toEqual([400, true]);
  });

  test("[G12] a form sent after the session ended goes back to its question once one has signed in", async () => {
    const dashboard = await signedIn();
    const { text } = await dashboard.ask(`GET ${actions[1]}`);
    dashboard.cookies.clear();
    const sent = await dashboard.ask("POST /dashboard/services/my-web/scale", {
      form: fieldsOf(text, "confirm"),
    });
    expect(sent.location).toBe(`/dashboard/sign-in?to=${encodeURIComponent(actions[1] ?? "")}`);
  });
});

function node(dashboard: TestDashboard, name: string) {
  const found = dashboard.mesh.registry.nodes().find(({ hostname }) => hostname === name);
  if (found === undefined) throw new Error(`no ${name}`);
  return found;
}

function service(dashboard: TestDashboard) {
  const [found] = dashboard.mesh.registry.services();
  if (found === undefined) throw new Error("no service");
  return found;
}

function eventsOf(dashboard: TestDashboard, action: string) {
  return dashboard.mesh.registry.events(0, 1_000).filter((event) => event.action === action);
}
