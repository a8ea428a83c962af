// Who sees logs on the dashboard. test/system/logs.test.ts has the pane in Chromium, with real lines.

import { expect, test } from "vitest";
import { operatorToken, TestDashboard, viewerToken } from "./support.ts";

/** A dashboard whose gateways count how often they are asked. */
function dashboardOf() {
  let asked = 0;
  const dashboard: TestDashboard = new TestDashboard(2, {
    dialGateway: async () => {
      asked += 1;
      return new Response(null, { status: 503 });
    },
  });
  dashboard.service("web");
  const id = dashboard.mesh.tasks()[0]?.id ?? "";
  return { dashboard, id, paths: ["/dashboard/services/web", `/dashboard/tasks/${id}`], asked: () => asked };
}

test("[G70] the pages of a service and of a task have a pane with the path of their logs", async () => {
  const { dashboard, paths } = dashboardOf();
  await dashboard.signIn();
  for (const path of paths) {
    const { status, text } = await dashboard.ask(`GET ${path}`);
    expect(status).toBe(200);
    expect(text).toContain(`data-logs="${path}/logs"`);
  }
});

test("[G70] the page of a task shows its state and links to its service and node; the service's links to it", async () => {
  const { dashboard, id } = dashboardOf();
  await dashboard.signIn();
  const { text } = await dashboard.ask(`GET /dashboard/tasks/${id}`);
  expect(text).toContain("<h1>web.1</h1>");
  expect(text).toContain('href="/dashboard/services/web"');
  expect(text).toContain('href="/dashboard/nodes/node1"');
  expect((await dashboard.ask("GET /dashboard/services/web")).text).toContain(
    `href="/dashboard/tasks/${id}"`,
  );
  expect((await dashboard.ask("GET /dashboard/tasks/nope")).status).toBe(404);
});

test("[G71] a viewer sees who may read logs, and no log", async () => {
  const { dashboard, paths, asked } = dashboardOf();
  await dashboard.signIn(viewerToken);
  for (const path of paths) {
    const { text } = await dashboard.ask(`GET ${path}`);
    expect(text).toContain("Logs are for operators");
    expect(text).not.toContain("data-logs");
    expect((await dashboard.ask(`GET ${path}/logs`)).status).toBe(403);
  }
  expect(asked()).toBe(0);
});

test("[G71] where services share the host name no log is sent: their pages could read it", async () => {
  const { dashboard, paths, asked } = dashboardOf();
  dashboard.sharesOrigin = true;
  await dashboard.signIn(operatorToken);
  for (const path of paths) {
    expect((await dashboard.ask(`GET ${path}`)).text).toContain("services share this host name");
    const { status, text } = await dashboard.ask(`GET ${path}/logs`);
    expect(status).toBe(403);
    expect(text).toContain("services share this host name");
  }
  expect(asked()).toBe(0);
});

test("[G71] without a session there are no logs", async () => {
  const { dashboard, paths, asked } = dashboardOf();
  for (const path of paths) expect((await dashboard.ask(`GET ${path}/logs`)).location).toContain("sign-in");
  expect(asked()).toBe(0);
});
