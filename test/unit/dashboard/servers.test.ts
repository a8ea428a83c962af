import { expect, test } from "vitest";
import { unwrap } from "../../../src/domain/model/error.ts";
import { serverDefaults } from "../../../src/domain/model/server.ts";
import { operatorToken, TestDashboard, viewerToken } from "./support.ts";

/** A mesh where `legacy` has two static servers and no tasks, and `my-web` two tasks. */
async function meshWithServers(token = operatorToken) {
  const dashboard = new TestDashboard();
  await dashboard.signIn(token);
  dashboard.service("my-web");
  const legacy = dashboard.service("legacy", { Mode: { Replicated: { Replicas: 0 } }, EndpointSpec: {} });
  const { registry } = dashboard.mesh;
  const servers = ["node1", "node2"].map((name, index) => {
    const spec = { ...serverDefaults, name, host: `172.31.46.${index + 1}`, port: 8080, check: null };
    return unwrap(registry.addServer(legacy, { spec, admin: "ready" }, "operator"));
  });
  return { dashboard, registry, servers };
}

test("[G37] the service's page and the map show static servers, in HAProxy's words", async () => {
  const { dashboard, servers } = await meshWithServers();
  const page = await dashboard.ask("GET /dashboard/services/legacy");
  expect(page.text).toContain("172.31.46.1:8080");
  expect(page.text).toMatch(/<\/svg> no check</);
  const overview = await dashboard.ask("GET /dashboard/");
  expect(overview.text).toContain("static servers");
  expect(overview.text).toContain(`href="/dashboard/services/legacy#${servers[0]?.id}"`);
  expect(overview.text).toContain('aria-label="legacy/node1: running and healthy"');
});

test("[G60] for a service with only static servers the pages show how many of them are up", async () => {
  const { dashboard, registry, servers } = await meshWithServers();
  unwrap(registry.setAdmin({ kind: "server", ref: servers[1]?.id ?? "" }, "maint", "operator"));
  const page = await dashboard.ask("GET /dashboard/services/legacy");
  expect(page.text).toMatch(/Servers up<\/dt><dd[^>]*>1\/2 servers/);
  const list = await dashboard.ask("GET /dashboard/services");
  expect(list.text).toContain('<td class="nowrap">1/2 servers</td>');
  const overview = await dashboard.ask("GET /dashboard/");
  for (const text of [page.text, list.text, overview.text]) expect(text).not.toContain("0/0");
});

test("[G61] an event of a static server links to its service's page", async () => {
  const { dashboard } = await meshWithServers();
  const { text } = await dashboard.ask("GET /dashboard/events");
  expect(text).toContain('<a href="/dashboard/services/legacy">legacy/node1</a>');
});

test("[G60] a task that has ended shows no rate", async () => {
  const { dashboard } = await meshWithServers();
  const { mesh } = dashboard;
  const [task] = mesh.running("my-web");
  if (task === undefined) throw new Error("no running task");
  mesh.report(task, { state: "failed", exitCode: 1, err: "task: non-zero exit (1)" });
  mesh.work();
  const { text } = await dashboard.ask("GET /dashboard/services/my-web");
  const rowOf = (id: string) => text.split("<tr").find((row) => row.includes(`id="${id}"`)) ?? "";
  expect(rowOf(task.id)).toContain('<td colspan="6">');
  const [alive] = mesh.running("my-web");
  expect(rowOf(alive?.id ?? "")).toContain('<td class="number">');
});

test("[G37] a service whose servers are all in maint is down; a mesh of static servers alone is not empty", async () => {
  const { dashboard, registry, servers } = await meshWithServers();
  for (const { id } of servers) unwrap(registry.setAdmin({ kind: "server", ref: id }, "maint", "operator"));
  const overview = await dashboard.ask("GET /dashboard/");
  expect(overview.text).toContain("legacy is down");
  expect(overview.text).toContain("None of its 2 static servers can take a request");

  const serversOnly = new TestDashboard(0);
  await serversOnly.signIn();
  const id = serversOnly.service("legacy", { Mode: { Replicated: { Replicas: 0 } } });
  const spec = { ...serverDefaults, name: "a", host: "172.31.46.1", port: 80, check: null };
  unwrap(serversOnly.mesh.registry.addServer(id, { spec, admin: "ready" }, "operator"));
  expect((await serversOnly.ask("GET /dashboard/")).text).not.toContain("No node has joined yet");
});

test("[G38] an operator sets a server to maint after a page with the effects", async () => {
  const { dashboard, registry, servers } = await meshWithServers();
  const path = `/dashboard/servers/${servers[0]?.id}/admin?to=maint`;
  const page = await dashboard.ask(`GET ${path}`);
  expect(page.text).toContain("Set legacy/node1 to maint?");
  expect(page.text).toContain("It receives no requests at all.");
  expect(page.text).toContain("Its health checks stop.");
  expect((await dashboard.confirm(path)).location).toBe("/dashboard/services/legacy");
  expect(unwrap(registry.servers(null))[0]?.admin).toBe("maint");
  expect((await dashboard.ask("GET /dashboard/services/legacy")).text).toMatch(/<\/svg> MAINT</);
});

test("[G38] a task and a node go to drain and back, and the pages show it", async () => {
  const { dashboard, registry } = await meshWithServers();
  const [task] = unwrap(registry.tasks({}));
  const [node] = registry.nodes();
  if (task === undefined || node === undefined) throw new Error("no running task");
  await dashboard.confirm(`/dashboard/tasks/${task.id}/admin?to=drain`);
  await dashboard.confirm(`/dashboard/nodes/${node.id}/admin?to=drain`);
  const page = await dashboard.ask("GET /dashboard/services/my-web");
  expect(page.text).toContain("running, in drain");
  const overview = await dashboard.ask("GET /dashboard/");
  expect(overview.text).toContain("in drain or maint: gets no new requests");
  expect(overview.text).toContain("admin state drain");
  expect((await dashboard.ask("GET /dashboard/nodes")).text).toContain("admin state drain");
  const nodePage = await dashboard.ask(`GET /dashboard/nodes/${node.hostname}`);
  expect(nodePage.text).toMatch(/Admin state<\/dt><dd[^>]*>drain</);
  await dashboard.confirm(`/dashboard/tasks/${task.id}/admin?to=ready`);
  expect(unwrap(registry.task(task.id)).admin).toBe("ready");
});

test("[G38] a viewer sees no such link and is refused; an unknown state is an error", async () => {
  const { dashboard, servers } = await meshWithServers(viewerToken);
  const path = `/dashboard/servers/${servers[0]?.id}/admin`;
  expect((await dashboard.ask(`GET ${path}?to=maint`)).status).toBe(403);
  expect((await dashboard.ask("GET /dashboard/services/legacy")).text).not.toContain("/admin");
  const { dashboard: operator, servers: own } = await meshWithServers();
  const unknownState = await operator.ask(`GET /dashboard/servers/${own[0]?.id}/admin?to=off`);
  expect([unknownState.status, unknownState.text.includes("ready, drain or maint")]).toEqual([400, true]);
  expect((await operator.ask("GET /dashboard/servers/nothing/admin?to=maint")).status).toBe(404);
});

test("[G8] the registry rejects a server name with markup", async () => {
  const { registry } = await meshWithServers();
  const spec = { ...serverDefaults, name: "<b>x", host: "a.example", port: 80, check: null };
  const added = registry.addServer("legacy", { spec, admin: "ready" }, "operator");
  expect(added).toMatchObject({ ok: false, problem: { code: "server/invalid" } });
});

test("[G85] a service of static servers shows servers, and neither tasks, replicas nor an image", async () => {
  const { dashboard } = await meshWithServers();
  const { text } = await dashboard.ask("GET /dashboard/services/legacy");
  expect(text).toContain("172.31.46.1:8080");
  expect(text).toMatch(/Mode<\/dt><dd[^>]*>static/);
  expect(text).not.toMatch(/Replicas|Restart…|No tasks\./);
});

test("[G85] a service whose update stopped shows the image that its tasks run, and the one that they do not", async () => {
  const { dashboard } = await meshWithServers();
  const { registry } = dashboard.mesh;
  const service = unwrap(registry.service("my-web"));
  const run = { ...service.spec.run, image: "nope:2" };
  const input = { spec: { ...service.spec, run }, document: service.document };
  unwrap(registry.updateService("my-web", service.version, input, "operator"));
  const { text } = await dashboard.ask("GET /dashboard/services");
  expect(text).toContain(`${service.spec.run.image} (not updated to nope:2)`);
});
