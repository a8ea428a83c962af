import { describe, expect, test } from "vitest";
import { spec } from "../control/support.ts";
import { TestDashboard } from "./support.ts";

const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>'`;

async function opened(nodes = 2): Promise<TestDashboard> {
  const dashboard = new TestDashboard(nodes);
  await dashboard.signIn();
  return dashboard;
}

describe("[G8] text from outside stays text", () => {
  test("[G8] in labels, and in what an agent says went wrong", async () => {
    const dashboard = await opened();
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
  ])("[G8] in the address: %s", async (path) => {
    const { text } = await (await opened()).ask(`GET ${path}`);
    expect(markupOf(text)).toEqual([]);
  });
});

/** What of the hostile text became markup. */
function markupOf(html: string): string[] {
  const withoutValues = html.replaceAll(/="[^"]*"/g, "");
  return withoutValues.match(/<script>|<img|<[^>]*\son[a-z]+/gi) ?? [];
}

describe("[G10] one sentence says whether it is well", () => {
  const verdict = async (dashboard: TestDashboard) => {
    const { text } = await dashboard.ask("GET /dashboard/");
    const [, level, title] = /class="verdict is-(\w+)".*?<h1>([^<]*)<\/h1>/s.exec(text) ?? [];
    return `${level}: ${title}`;
  };

  test("[G10] no node, nodes without a service, services that run", async () => {
    expect(await verdict(await opened(0))).toBe("bad: No node has joined yet");
    const dashboard = await opened();
    expect(await verdict(dashboard)).toBe("ok: Ready for a first service");
    dashboard.service("my-web");
    dashboard.mesh.nowMs += 1_000;
    expect(await verdict(dashboard)).toBe("ok: All is well");
  });

  test("[G10] a service none of whose tasks can take a request comes before everything else", async () => {
    const dashboard = await opened();
    dashboard.service("api", { EndpointSpec: {} });
    dashboard.mesh.registry.createService(
      { spec: { ...modelOf("my-web"), constraints: ["node.hostname==none"] }, document: spec("my-web") },
      "operator",
    );
    expect(await verdict(dashboard)).toBe("bad: my-web does not answer");
  });

  test("[G10] a node that is drained is what the operator wants, and is not forgotten", async () => {
    const dashboard = await opened();
    await dashboard.confirm("/dashboard/nodes/node2/availability?to=drain");
    dashboard.service("my-web");
    dashboard.mesh.nowMs += 1_000;
    expect(await verdict(dashboard)).toBe("ok: All is well");
    expect((await dashboard.ask("GET /dashboard/")).text).toContain("node2 is drained.");
  });

  test("[G10] a node that is down wants a look while every service answers", async () => {
    const dashboard = await opened();
    dashboard.service("my-web");
    const [, node] = dashboard.mesh.nodes.values();
    if (node === undefined) throw new Error("no node");
    dashboard.mesh.registry.agents.goodbye(node.id, "");
    dashboard.mesh.work();
    dashboard.mesh.nowMs += 1_000;
    expect(await verdict(dashboard)).toBe("warn: Every service answers; one thing wants a look");
    const { text } = await dashboard.ask("GET /dashboard/");
    expect(text).toContain("down: left");
    expect(text).toContain("<code>waggle node rm node2</code>");
  });

  test("[G10] nodes that are all down are said to be", async () => {
    const dashboard = await opened(1);
    const [node] = dashboard.mesh.nodes.values();
    if (node === undefined) throw new Error("no node");
    dashboard.mesh.registry.agents.goodbye(node.id, "");
    expect(await verdict(dashboard)).toBe("bad: The only node is down");
  });
});

test("[G20] the routing page explains a request, and says what it cannot read", async () => {
  const dashboard = await opened();
  dashboard.service("my-web");
  const { text } = await dashboard.ask(
    `GET /dashboard/routing?url=${encodeURIComponent("127.0.0.2:8080/x")}&method=POST&node=`,
  );
  expect(text).toContain("127.0.0.2 is the address of node1");
  expect(text).toContain("port 8080 is published by my-web");
  expect(text).toContain("From one of 2 tasks, in turn.");
  const odd = await dashboard.ask("GET /dashboard/routing?url=http%3A%2F%2F");
  expect([odd.status, odd.text.includes("write it as http://HOST:PORT/PATH")]).toEqual([200, true]);
});

test("[G20] a request that finds nothing is explained with the mesh's own answer", async () => {
  const { text } = await (await opened()).ask(
    `GET /dashboard/routing?url=${encodeURIComponent("http://nowhere.example:9999/")}`,
  );
  expect(text).toMatch(/404 from the mesh itself|503 from the mesh itself/);
});

test.each(["nowhere", "services/none", "nodes/none", "assets/none.js"])(
  "[G1] /dashboard/%s is not found, in words",
  async (path) => {
    const answer = await (await opened()).ask(`GET /dashboard/${path}`);
    expect([answer.status, answer.text.includes("<h1>Not found</h1>")]).toEqual([404, true]);
  },
);

/** The mesh's own reading of what `spec` sends. */
function modelOf(name: string) {
  const dashboard = new TestDashboard(1);
  dashboard.service(name);
  const [service] = dashboard.mesh.registry.services();
  if (service === undefined) throw new Error("no service");
  return service.spec;
}
