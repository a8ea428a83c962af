import { describe, expect, test } from "vitest";
import { spec } from "../control/support.ts";
import { TestDashboard } from "./support.ts";

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'`;

async function signedIn(nodes = 2): Promise<TestDashboard> {
  const dashboard = new TestDashboard(nodes);
  await dashboard.signIn();
  return dashboard;
}

describe("[G8] text from outside is never markup", () => {
  test("[G8] in labels and in error texts of an agent", async () => {
    const dashboard = await signedIn();
    dashboard.service("my-web", { Labels: { [`k${hostile}`]: hostile } });
    const [task] = dashboard.mesh.tasks("my-web");
    if (task === undefined) throw new Error("no task");
    dashboard.mesh.report(task, { state: "failed", err: hostile });
    const { registry } = dashboard.mesh;
    const [node] = registry.nodes();
    if (node === undefined) throw new Error("no node");
    registry.updateNode(
      node.id,
      node.version,
      { availability: "drain", role: "worker", labels: { zone: hostile } },
      hostile,
    );
    for (const path of ["", "services", "services/my-web", "nodes", "nodes/node1", "events"]) {
      const { status, text } = await dashboard.ask(`GET /dashboard/${path}`);
      expect(status).toBe(200);
      expect(markupOf(text)).toEqual([]);
    }
    expect((await dashboard.ask("GET /dashboard/services/my-web")).text).toContain("&lt;script&gt;alert(1)");
    expect((await dashboard.ask("GET /dashboard/nodes/node1")).text).toContain("&lt;script&gt;alert(1)");
    expect((await dashboard.ask("GET /dashboard/events")).text).toContain("&lt;script&gt;alert(1)");
  });

  test.each([
    `/dashboard/events?q=${encodeURIComponent(hostile)}`,
    `/dashboard/services?q=${encodeURIComponent(hostile)}&page=${encodeURIComponent(hostile)}`,
    `/dashboard/routing?url=${encodeURIComponent(hostile)}&method=${encodeURIComponent(hostile)}`,
    `/dashboard/routing?url=${encodeURIComponent(`http://x/${hostile}`)}&node=${encodeURIComponent(hostile)}`,
    `/dashboard/services/${encodeURIComponent(hostile)}`,
    `/dashboard/nodes/node1/availability?to=${encodeURIComponent(hostile)}`,
    `/dashboard/sign-in?to=${encodeURIComponent(`/dashboard/${hostile}`)}`,
    `/dashboard/sign-in?code=${encodeURIComponent(hostile)}`,
  ])("[G8] in the URL %s", async (path) => {
    const { text } = await (await signedIn()).ask(`GET ${path}`);
    expect(markupOf(text)).toEqual([]);
  });
});

test("[A72] a flood of the mesh's events hides no event of an operator from the dashboard", async () => {
  const dashboard = await signedIn();
  dashboard.service("my-web");
  const [{ id = "" } = {}] = dashboard.mesh.registry.nodes();
  for (let round = 0; round < 1_200; round += 1) {
    dashboard.mesh.nowMs += 1_000;
    dashboard.mesh.send(id, { type: "goodbye", reason: `round ${round}` });
  }
  const { text } = await dashboard.ask("GET /dashboard/events?q=service.create");
  expect(text).toContain("by operator");
});

test("[M83] a page that quotes a URL has no character that reverses or hides text", async () => {
  const { status, text } = await (await signedIn()).ask("GET /dashboard/services/%E2%80%AEgnp%C2%9B");
  expect(status).toBe(404);
  expect(text).toContain("\\u202egnp\\x9b");
  expect(text).not.toMatch(/[\u202e\x9b]/);
});

/** The markup that the hostile text has become. */
function markupOf(html: string): string[] {
  const withoutValues = html.replaceAll(/="[^"]*"/g, "");
  return withoutValues.match(/<script>|<img|<[^>]*\son[a-z]+/gi) ?? [];
}

test("[O108] the pages of nodes show the transport, and why it is not a better one", async () => {
  const dashboard = await signedIn(1);
  const [node] = dashboard.mesh.nodes.values();
  const problem = "no answer from http://127.0.0.2:7946";
  dashboard.mesh.registry.recordGatewayCheck(node?.id ?? "", {
    transport: "direct",
    url: "http://127.0.0.2:7946",
    problem,
  });
  for (const path of ["nodes", "nodes/node1"]) {
    const { text } = await dashboard.ask(`GET /dashboard/${path}`);
    expect(text).toContain("Transport");
    expect(text).toContain(problem);
  }
});

describe("[G10] the overview states the health of the mesh in one sentence", () => {
  const healthOf = async (dashboard: TestDashboard) => {
    const { text } = await dashboard.ask("GET /dashboard/");
    const [, severity, title] = /class="health is-(\w+)".*?<h1>([^<]*)<\/h1>/s.exec(text) ?? [];
    return `${severity}: ${title}`;
  };

  test("[G10] for a mesh without nodes, without services, and with running services", async () => {
    expect(await healthOf(await signedIn(0))).toBe("bad: No node has joined yet");
    const dashboard = await signedIn();
    expect(await healthOf(dashboard)).toBe("ok: Ready for the first service");
    dashboard.service("my-web");
    dashboard.mesh.nowMs += 1_000;
    expect(await healthOf(dashboard)).toBe("ok: All services are healthy");
  });

  test("[G10] a service without an available task comes before every other problem", async () => {
    const dashboard = await signedIn();
    dashboard.service("api", { EndpointSpec: {} });
    dashboard.mesh.registry.createService(
      { spec: { ...modelOf("my-web"), constraints: ["node.hostname==none"] }, document: spec("my-web") },
      "operator",
    );
    expect(await healthOf(dashboard)).toBe("bad: my-web is down");
  });

  test("[G10] a drained node is not a problem, but is mentioned", async () => {
    const dashboard = await signedIn();
    await dashboard.confirm("/dashboard/nodes/node2/availability?to=drain");
    dashboard.service("my-web");
    dashboard.mesh.nowMs += 1_000;
    expect(await healthOf(dashboard)).toBe("ok: All services are healthy");
    expect((await dashboard.ask("GET /dashboard/")).text).toContain("node2 is drained.");
  });

  test("[G10] a node that is down is a problem while every service is up", async () => {
    const dashboard = await signedIn();
    dashboard.service("my-web");
    const [, node] = dashboard.mesh.nodes.values();
    if (node === undefined) throw new Error("no node");
    dashboard.mesh.send(node.id, { type: "goodbye", reason: "" });
    dashboard.mesh.work();
    dashboard.mesh.nowMs += 1_000;
    expect(await healthOf(dashboard)).toBe("warn: Every service is up; 1 problem");
    const { text } = await dashboard.ask("GET /dashboard/");
    expect(text).toContain("down: left");
    expect(text).toContain("<code>waggle node rm node2</code>");
  });

  test("[G10] if all nodes are down, the sentence says so", async () => {
    const dashboard = await signedIn(1);
    const [node] = dashboard.mesh.nodes.values();
    if (node === undefined) throw new Error("no node");
    dashboard.mesh.send(node.id, { type: "goodbye", reason: "" });
    expect(await healthOf(dashboard)).toBe("bad: The only node is down");
  });
});

test("[G20] the routing page explains a request, and reports a URL that it cannot read", async () => {
  const dashboard = await signedIn();
  dashboard.service("my-web");
  const { text } = await dashboard.ask(
    `GET /dashboard/routing?url=${encodeURIComponent("127.0.0.2:8080/x")}&method=POST&node=`,
  );
  expect(text).toContain("127.0.0.2 is the address of node1");
  expect(text).toContain("port 8080 is published by my-web");
  expect(text).toContain("From one of 2 tasks, in turn.");
  const unreadable = await dashboard.ask("GET /dashboard/routing?url=http%3A%2F%2F");
  expect([unreadable.status, unreadable.text.includes("write it as http://HOST:PORT/PATH")]).toEqual([
    200,
    true,
  ]);
});

test("[G20] the explanation of an unroutable request ends with the mesh's own response", async () => {
  const { text } = await (await signedIn()).ask(
    `GET /dashboard/routing?url=${encodeURIComponent("http://nowhere.example:9999/")}`,
  );
  expect(text).toMatch(/404 from the mesh itself|503 from the mesh itself/);
});

test.each(["nowhere", "services/none", "nodes/none", "assets/none.js"])(
  "[G1] /dashboard/%s is a 404 with a page that says so",
  async (path) => {
    const response = await (await signedIn()).ask(`GET /dashboard/${path}`);
    expect([response.status, response.text.includes("<h1>Not found</h1>")]).toEqual([404, true]);
  },
);

/** The parsed form of the document from `spec`. */
function modelOf(name: string) {
  const dashboard = new TestDashboard(1);
  dashboard.service(name);
  const [service] = dashboard.mesh.registry.services();
  if (service === undefined) throw new Error("no service");
  return service.spec;
}
