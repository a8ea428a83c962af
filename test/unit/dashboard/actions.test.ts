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

describe("[G5] a viewer cannot act", () => {
  test.each(actions)("[G5] GET and POST %s are 403 with the reason", async (path) => {
    const dashboard = await signedIn(viewerToken);
    const sent = await dashboard.ask(`POST ${path}`, { form: {} });
    for (const answer of [await dashboard.ask(`GET ${path}`), sent]) {
      expect(answer.status).toBe(403);
      expect(answer.text).toContain("Read-only. To make changes, sign in with the operator token.");
    }
    expect(dashboard.mesh.registry.nodes()[0]?.availability).toBe("active");
  });

  test("[G5] the pages show a viewer no actions, and say why", async () => {
    const dashboard = await signedIn(viewerToken);
    for (const path of ["/dashboard/nodes/node1", "/dashboard/services/my-web"]) {
      const { text } = await dashboard.ask(`GET ${path}`);
      expect(text).toContain("Read-only. To make changes");
      expect(text).not.toMatch(/availability|\/scale|\/restart/);
    }
  });
});

test("[G14] if services share the host name, an operator cannot act there either", async () => {
  const dashboard = await signedIn();
  dashboard.sharesOrigin = true;
  const refused = await dashboard.ask(`GET ${actions[1]}`);
  expect(refused.status).toBe(403);
  expect(refused.text).toContain("Give the control API its own host name with CONTROL_HOST");
});

describe("[G4] a form is accepted only from a page of the same sign-in", () => {
  test.each([
    ["without the page's token", { form: "" }, {}],
    ["with another sign-in's token", { form: "A".repeat(43) }, {}],
    ["from another site", {}, { origin: "https://evil.example" }],
    ["from a page without an origin", {}, { origin: "null" }],
  ])("[G4] a form %s changes nothing", async (_case, change, headers) => {
    const dashboard = await signedIn();
    const page = await dashboard.ask(`GET ${actions[0]}`);
    const form = { ...fieldsOf(page.text, "confirm"), ...change };
    const { status } = await dashboard.ask("POST /dashboard/nodes/node1/availability", { form, headers });
    expect(status).toBe(403);
    expect(dashboard.mesh.registry.nodes()[0]?.availability).toBe("active");
  });

  test("[G4] a form larger than any of the dashboard is rejected", async () => {
    const dashboard = await signedIn();
    const form = { form: "x".repeat(20_000) };
    expect((await dashboard.ask("POST /dashboard/sign-out", { form })).status).toBe(413);
  });
});

describe("[G12] an action shows its effects before it runs", () => {
  test("[G12] a drain is confirmed, changes the availability, and names its actor in the event", async () => {
    const dashboard = await signedIn();
    const path = actions[0] ?? "";
    expect((await dashboard.ask(`GET ${path}`)).text).toContain(
      "are replaced on other nodes before they stop",
    );
    const response = await dashboard.confirm(path);
    expect([response.status, response.location]).toEqual([303, "/dashboard/nodes/node1"]);
    expect(node(dashboard, "node1").availability).toBe("drain");
    expect(dashboard.mesh.registry.events(0, 1_000).at(-1)?.subject).toBeDefined();
    expect(eventsOf(dashboard, "node.update")).toMatchObject([
      { actor: "operator", subject: { name: "node1" } },
    ]);
  });

  test("[G12] scaling a service changes its replicas and nothing else of its spec", async () => {
    const dashboard = await signedIn();
    const before = service(dashboard);
    expect((await dashboard.ask(`GET ${actions[1]}`)).text).toContain("Scale my-web from 2 to 3 tasks?");
    await dashboard.confirm(actions[1] ?? "");
    const after = service(dashboard);
    expect(after.spec.mode).toEqual({ kind: "replicated", replicas: 3 });
    expect({ ...after.spec, mode: before.spec.mode }).toEqual(before.spec);
  });

  test("[G12] a restart replaces every task of an unchanged spec", async () => {
    const dashboard = await signedIn();
    const before = service(dashboard);
    await dashboard.confirm(actions[2] ?? "");
    expect(service(dashboard).spec.forceUpdate).toBe(before.spec.forceUpdate + 1);
    expect(service(dashboard).runHash).not.toBe(before.runHash);
  });

  test("[G12] a rollback restores the spec from before the last update, and fails without one", async () => {
    const dashboard = await signedIn();
    const early = await dashboard.ask(`GET ${actions[3]}`);
    expect([early.status, early.text.includes("no previous spec")]).toEqual([400, true]);
    await dashboard.confirm(actions[1] ?? "");
    await dashboard.confirm(actions[3] ?? "");
    expect(service(dashboard).spec.mode).toEqual({ kind: "replicated", replicas: 2 });
  });

  test("[G12] a confirmed action fails if its target has changed since", async () => {
    const dashboard = await signedIn();
    const { text } = await dashboard.ask(`GET ${actions[1]}`);
    await dashboard.confirm("/dashboard/services/my-web/scale?replicas=7");
    const form = fieldsOf(text, "confirm");
    const late = await dashboard.ask("POST /dashboard/services/my-web/scale", { form });
    expect(late.text).toContain("update out of sequence");
    expect(service(dashboard).spec.mode).toEqual({ kind: "replicated", replicas: 7 });
  });

  test.each(["", "-1", "1.5", "10001", "two"])("[G12] %j is not a number of tasks", async (replicas) => {
    const dashboard = await signedIn();
    const refused = await dashboard.ask(`GET /dashboard/services/my-web/scale?replicas=${replicas}`);
    expect([refused.status, refused.text.includes("write 0 to 10000")]).toEqual([400, true]);
  });

  test("[G12] a form sent after the session ended leads through sign-in to its confirmation page", async () => {
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
