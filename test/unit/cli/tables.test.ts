// Whole screens against golden files. The lists were compared with those of the Docker CLI 28.2.2.

import { describe, expect, test } from "vitest";
import type { MeshStatus, StatusTask } from "../../../src/protocol/status.ts";
import { node, port, service, task } from "./engine-objects.ts";
import { fakeMesh, nowMs, type Routes, runOn, serverStatus } from "./support.ts";

const golden = (name: string) => `../../golden/cli/${name}.txt`;

const first = {
  ...node("node1"),
  Gateway: { Transport: "direct", URL: "http://127.0.0.2:7946", Reason: "" },
};
const second = node("node2", { Availability: "drain", State: "down" });
const tenth = {
  ...node("node10"),
  Gateway: {
    Transport: "tunnel",
    URL: "http://192.168.1.5:7946",
    Reason: "address 192.168.1.5 is not confirmed: waggle node update --advertise-addr 192.168.1.5 node10",
  },
};
const nodes = [tenth, second, first];
const web = service("web10", { ports: [port(80, 8080)], running: 1 });
const services = [
  web,
  service("web2", {
    image: `docker.io/library/nginx:1.2@sha256:${"a".repeat(64)}`,
    ports: [port(80, 81), port(81, 82), port(82, 83), port(90, 84)],
  }),
  service("api", { ports: [port(80, 8080), port(80, 8081), port(81, 8082)], maxPerNode: 1 }),
  service("agent", { global: true, ports: [port(9100, 9100, "host")] }),
];
const tasks = [
  task("a1", { service: web, slot: 1, node: tenth, ageSeconds: 8.5 }),
  task("a2", {
    service: web,
    slot: 1,
    node: second,
    state: "failed",
    desired: "shutdown",
    ageSeconds: 70,
    err: "task: non-zero exit (137): killed by signal 9",
  }),
  task("a3", {
    service: web,
    slot: 1,
    node: second,
    state: "rejected",
    desired: "shutdown",
    ageSeconds: 4_000,
    err: "no such image",
  }),
  task("b1", { service: web, slot: 2, node: first, ageSeconds: 0.2, ports: [port(80, 8090, "host")] }),
  task("c1", {
    service: web,
    slot: 10,
    state: "pending",
    ageSeconds: 200_000,
    err: "no suitable node (1 node not available for new tasks)",
  }),
];
const routes: Routes = {
  "GET /nodes": { json: nodes },
  "GET /services": { json: services },
  "GET /services/web10": { json: web },
  "GET /tasks": { json: tasks },
  "GET /nodes/node10": { json: tenth },
};

describe("[L5] lists have Docker's columns, spacing and order", () => {
  test.each([
    ["service-ls", ["service", "ls"]],
    ["service-ls-quiet", ["service", "ls", "-q"]],
    ["service-ps", ["service", "ps", "web10"]],
    ["service-ps-no-trunc", ["service", "ps", "--no-trunc", "web10"]],
    ["service-inspect-pretty", ["service", "inspect", "--pretty", "web10"]],
    ["node-ls", ["node", "ls"]],
  ])("[L5] %s", async (name, args) => {
    await using mesh = await fakeMesh(routes);
    const { code, out, err } = await runOn(mesh, args);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    await expect(out).toMatchFileSnapshot(golden(name));
  });
});

test.each([
  ["node-ls", ["node", "ls"]],
  ["node-inspect-pretty", ["node", "inspect", "--pretty", "node10"]],
])("[O108] %s shows how the mesh reaches a node's gateway", async (name, args) => {
  await using mesh = await fakeMesh(routes);
  await expect((await runOn(mesh, args)).out).toMatchFileSnapshot(golden(name));
});

test.each([
  ["services", ["service", "ls", "--json"], services],
  ["tasks", ["service", "ps", "--json", "web10"], tasks],
  ["nodes", ["node", "ls", "--json"], nodes],
  ["a service", ["service", "inspect", "web10"], [web]],
])("[L5] --json prints %s as the Engine API returns them", async (_title, args, expected) => {
  await using mesh = await fakeMesh(routes);
  expect(JSON.parse((await runOn(mesh, args)).out)).toEqual(expected);
});

test("[L5] filters are sent as sets of values by key", async () => {
  await using mesh = await fakeMesh(routes);
  await runOn(mesh, ["service", "ls", "-f", "name=a", "-f", "name=b", "-f", "label=team=web"]);
  const [call] = mesh.calls;
  expect(JSON.parse(call?.query.get("filters") ?? "")).toEqual({
    name: { a: true, b: true },
    label: { "team=web": true },
  });
  expect(call?.query.get("status")).toBe("true");
});

const health = {
  verdict: "healthy",
  streak: { ok: false, length: 1 },
  sinceMs: nowMs,
  rise: 2,
  fall: 3,
} as const;
const statusTask: StatusTask = {
  id: "t1",
  name: "my-web.1",
  slot: 1,
  node: "node1",
  desired: "running",
  state: "running",
  stateSinceMs: nowMs - 90_000,
  message: "started",
  err: "",
  health: { ...health, lastCheck: "L7STS/503 in 2ms" },
  heard: true,
  haproxy: "UP 2/3",
  endpoints: [{ target: 80, origin: "http://127.0.0.2:41233" }],
  pid: 4711,
  exitCode: null,
};
const statusNode = {
  id: "n1",
  name: "node1",
  address: "127.0.0.2",
  role: "worker",
  state: "ready",
  message: "",
  stateSinceMs: nowMs - 120_000,
  availability: "active",
  leaving: false,
  runtime: "process",
  engineVersion: "0.1.0",
  platform: { os: "linux", arch: "x86_64" },
  resources: { nanoCpus: 2e9, memoryBytes: 4e9 },
  running: 1,
} as const;
const status: MeshStatus = {
  mesh: { id: "m", name: "waggle", createdAtMs: 0, tableVersion: 42 },
  nowMs,
  nodes: [
    { ...statusNode, gateway: { transport: "direct", url: "http://127.0.0.2:7946", reason: "" } },
    {
      ...statusNode,
      name: "node2",
      address: "127.0.0.3",
      state: "down",
      message: "heartbeat failure",
      stateSinceMs: nowMs - 20_000,
      running: 0,
    },
    {
      ...statusNode,
      name: "node3",
      address: "127.0.0.4",
      leaving: true,
      running: 0,
      gateway: {
        transport: "tunnel",
        url: "http://127.0.0.4:7946",
        reason: "http://127.0.0.4:7946 was not checked yet",
      },
    },
  ],
  services: [
    {
      id: "s1",
      name: "my-web",
      image: "waggle/whoami:latest",
      mode: "replicated",
      running: 1,
      desired: 2,
      ports: [
        { target: 80, published: 8080, mode: "ingress" },
        { target: 81, published: 8090, mode: "host" },
      ],
      hosts: ["www.example.com"],
      tasks: [
        statusTask,
        {
          ...statusTask,
          id: "t2",
          name: "my-web.2",
          slot: 2,
          node: null,
          state: "pending",
          health: null,
          haproxy: "",
          endpoints: [],
          pid: null,
        },
        { ...statusTask, id: "t3", name: "my-web.3", slot: 3, node: "node2", heard: false, haproxy: "UP" },
        { ...statusTask, id: "t0", state: "failed", desired: "shutdown", err: "task: non-zero exit (1)" },
      ],
    },
  ],
  problems: [
    { what: "node node2", why: "down: heartbeat failure", next: "See it.", sinceMs: nowMs - 20_000 },
    {
      what: "service my-web",
      why: "1 of 2 tasks run: no suitable node (1 node is draining)",
      next: "",
      sinceMs: null,
    },
  ],
};

test("[L11] [O108] status shows nodes, services, tasks, and problems with their causes and next steps", async () => {
  await using mesh = await fakeMesh({ "GET /mesh/status": { json: status } });
  const { code, out } = await runOn(mesh, ["status"]);
  expect(code).toBe(0);
  await expect(out.replace(mesh.url, "http://MESH")).toMatchFileSnapshot(golden("status"));
});

test("[U532] status names the image that tasks run if an update has stopped", async () => {
  const [service] = status.services;
  const stopped = { ...service, image: "app:2", runningImages: [{ image: "app:1", tasks: 2 }] };
  await using mesh = await fakeMesh({ "GET /mesh/status": { json: { ...status, services: [stopped] } } });
  const { out } = await runOn(mesh, ["status"]);
  expect(out).toMatch(/^my-web .* app:1 \(not updated to app:2\) /m);
});

test("[L11] status of an empty mesh shows the first steps", async () => {
  const empty = { ...status, nodes: [], services: [], problems: [] };
  await using mesh = await fakeMesh({ "GET /mesh/status": { json: empty } });
  const { out } = await runOn(mesh, ["status"]);
  await expect(out.replace(mesh.url, "http://MESH")).toMatchFileSnapshot(golden("status-empty"));
});

test("[L70] status reports unavailable traffic statistics", async () => {
  await using mesh = await fakeMesh({
    "GET /mesh/status": { json: { ...status, problems: [], trafficKnown: false } },
  });
  const { out } = await runOn(mesh, ["status"]);
  expect(out).toContain("Traffic statistics are unavailable; failing requests are not shown.\n");
  expect(out).not.toContain("No problems.");
});

test("[L72] status shows how many static servers of a service are up, beside its tasks", async () => {
  const [web] = status.services;
  if (web === undefined) throw new Error("no service");
  const services = [web, { ...web, name: "legacy", running: 0, desired: 0, tasks: [] }];
  const servers = [serverStatus("node1", "UP 2/3"), serverStatus("node2", "DOWN")];
  await using mesh = await fakeMesh({ "GET /mesh/status": { json: { ...status, services, servers } } });
  const { out } = await runOn(mesh, ["status"]);
  expect(out).toMatch(/^my-web +replicated +1\/2 /m);
  expect(out).toMatch(/^legacy +replicated +1\/2 servers /m);
});

test("[L11] status --check ends with 1 if there are problems, else with 0", async () => {
  await using unhealthy = await fakeMesh({ "GET /mesh/status": { json: status } });
  expect(await runOn(unhealthy, ["status", "--check"])).toMatchObject({
    code: 1,
    err: "waggle: 2 problems\n",
  });
  await using healthy = await fakeMesh({ "GET /mesh/status": { json: { ...status, problems: [] } } });
  expect(await runOn(healthy, ["status", "--check"])).toMatchObject({ code: 0, err: "" });
});
