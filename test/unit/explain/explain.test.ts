import { expect, test } from "vitest";
import type { Policy } from "../../../src/domain/table/policy.ts";
import type { RoutingTable, TableOptions, TableService } from "../../../src/domain/table/table.ts";
import { type EntrySettings, resolveEntry } from "../../../src/explain/entry.ts";
import { explainRoute } from "../../../src/explain/explain.ts";
import type { RouteExplanation } from "../../../src/protocol/route.ts";
import { idOf, serviceOf, tableOf } from "../../support/dataplane.ts";
import { inProcessPlane } from "../ingress/in-process-plane.ts";

const domain = "mesh.example.com";
const oneMachine: EntrySettings = { domain, balancerPort: 8000 };
const cloudflare: EntrySettings = { domain, balancerPort: null };

const table = tableOf(
  7,
  serviceOf("my-web", 8080, ["http://a", "http://b"]),
  serviceOf("shop", 9090, ["http://c", "http://d", "http://e"], { hosts: ["www.example.com"], mode: "host" }),
);

function explain(
  url: string,
  { settings = oneMachine, node = null, on = table }: ExplainOptions = {},
): RouteExplanation {
  const parsed = new URL(url);
  const request = { method: "GET", host: parsed.host, path: parsed.pathname, domain };
  return explainRoute(on, { ...request, entry: resolveEntry(on, parsed, node, settings) });
}

type ExplainOptions = {
  readonly settings?: EntrySettings;
  readonly node?: string | null;
  readonly on?: RoutingTable;
};

test.each([
  ["http://127.0.0.1:8080/", "port", "port 8080 is published by my-web"],
  ["http://www.example.com:8000/", "host", "www.example.com is a host name of shop"],
  [
    "http://my-web.mesh.example.com:8000/",
    "name",
    "my-web.mesh.example.com is the name of my-web in the domain mesh.example.com",
  ],
  ["http://127.0.0.1:8000/", "default", "no port or host name matches, and my-web is the default service"],
  [
    "http://127.0.0.1:81/",
    "nothing",
    "no service publishes port 81, and no service has the host name 127.0.0.1",
  ],
  ["http://no.mesh.example.com:8000/", "nothing", "no service has the host name no.mesh.example.com"],
])("[E2] the match of %s has its reason", (url, by, why) => {
  expect(explain(url).match).toEqual({ by, why });
});

test("[E2] the reason says that there is no default service", () => {
  const { match, response } = explain("http://127.0.0.1:8000/", { on: { ...table, defaultService: null } });
  expect(match.why).toBe("no service has the host name 127.0.0.1, and there is no default service");
  expect(response).toEqual({
    by: "mesh",
    status: 404,
    reason: "no service has the host name 127.0.0.1",
  });
});

test("[E3] an explanation at the edge has every node, with the reason why it is picked or not", () => {
  expect(nodesOf(explain("http://127.0.0.1:8080/"))).toEqual([
    "node1 picked: it is up: it takes its turn",
    "node2 picked: it is up: it takes its turn",
    "node3 not: it is down",
  ]);
  const shop = table.services.map((service) =>
    service.name === "shop" ? { ...service, tasks: service.tasks.slice(0, 1) } : service,
  );
  expect(nodesOf(explain("http://127.0.0.1:9090/", { on: { ...table, services: shop } }))).toEqual([
    "node1 picked: it is up and has a task: it takes its turn",
    "node2 not: it has no task of the service, whose port is published in host mode",
    "node3 not: it is down",
  ]);
  const allDown = { ...table, nodes: table.nodes.map((node) => ({ ...node, up: false })) };
  expect(nodesOf(explain("http://127.0.0.1:8080/", { on: allDown }))[0]).toBe(
    "node1 picked: all nodes are down: its entry point serves requests anyway",
  );
});

test("[E3] an explanation at a node's entry point has that node only", () => {
  expect(nodesOf(explain("http://127.0.0.2:8080/"))).toEqual(["node1 picked: the request comes in here"]);
  expect(nodesOf(explain("http://127.0.0.1:8080/", { node: "node3" }))).toEqual([
    "node3 picked: it is down; its entry point serves requests anyway",
  ]);
});

test("[E4] an explanation has every task of the service, with the reason why it is picked or not", () => {
  expect(tasksOf(explain("http://127.0.0.3:9090/"))).toEqual([
    "shop.1 on node1 not: in host mode a node sends to its own tasks only",
    "shop.2 on node2 picked: it takes its turn",
    "shop.3 on node3 not: in host mode a node sends to its own tasks only",
  ]);
  expect(tasksOf(explain("http://127.0.0.1:9090/"))[2]).toBe(
    "shop.3 on node3 not: its node is not picked, and in host mode a node sends to its own tasks only",
  );
  const [first, second, third] = serviceOf("my-web", 8080, ["http://a", "http://b", "http://c"]).tasks;
  const tasks = [{ ...first, weight: 0 }, { ...second, endpoints: [[81, "http://b"]] }, third];
  const services = [
    { ...serviceOf("my-web", 8080, []), tasks: tasks as (typeof table.services)[number]["tasks"] },
  ];
  expect(tasksOf(explain("http://127.0.0.1:8080/", { on: { ...table, services } }))).toEqual([
    "my-web.1 on node1 not: its weight is 0",
    "my-web.2 on node2 not: it does not listen on target port 80",
    "my-web.3 on node3 picked: it takes its turn, although its node is down",
  ]);
});

test("[E1] a refusal has the data plane's status and reason", () => {
  expect(explain("http://127.0.0.1:8080/", { node: "node9" }).response).toEqual({
    by: "mesh",
    status: 404,
    reason: "this mesh has no node node9",
  });
  const services = [serviceOf("my-web", 8080, [])];
  expect(explain("http://127.0.0.1:8080/", { on: { ...table, services } }).response).toEqual({
    by: "mesh",
    status: 503,
    reason: "service my-web has no live task",
  });
  expect(explain("http://127.0.0.1:8080/").response).toEqual({ by: "task", why: "one of 2 tasks, in turn" });
});

test("[K31] an explanation states what the labels for attempts set", () => {
  const of = (options: TableOptions) => {
    const [service, ...others] = table.services;
    const changed = { ...table, services: [{ ...service, options } as TableService, ...others] };
    const url = new URL("http://127.0.0.1:8080/");
    const entry = resolveEntry(changed, url, null, oneMachine);
    const { services, sending } = explainRoute(changed, {
      method: "GET",
      host: url.host,
      path: "/",
      domain,
      entry,
    });
    return [...(services[0]?.options ?? []), sending];
  };
  expect(
    of({ headTimeoutMs: 90_000, silenceMs: 0, hedge: false, replayBytes: 10, bodyTimeoutMs: 5_000 }),
  ).toEqual([
    "a response must begin within 90 s, else 504",
    "no task counts as frozen",
    "no request is at two tasks at once",
    "bodies of up to 10 bytes are held to be sent again",
    "a client that sends no byte of its body for 5 s gets 408",
    "GET is retried on another task if one cannot be reached",
  ]);
  expect(of({ retries: 0, silenceMs: 2_000, bodyTimeoutMs: 0 })).toEqual([
    "a task without any response for 2 s counts as frozen",
    "a request is sent once",
    "a client may pause its body for any time",
    "GET is sent to one task, because waggle.retries is 0",
  ]);
  expect(of({ retries: 1, maxconn: 2, queue: "unlimited" })).toContain(
    "a request is sent to at most 2 tasks",
  );
  expect(of({ maxconn: 2, queue: "unlimited" })).toContain(
    "at most 2 open requests per task and isolate, and any number waits up to 5 s",
  );
});

test.each([
  [
    "GET",
    "GET is retried on another task if one cannot be reached, and hedged on a second task if the first is silent",
  ],
  ["PUT", "PUT is retried on another task if one cannot be reached"],
  ["POST", "POST is sent to one task; with an Idempotency-Key header it may be retried on another"],
])("[E7] the explanation of a %s says whether it is retried or hedged", (method, sending) => {
  const url = new URL("http://127.0.0.1:8080/");
  const request = { method, host: url.host, path: "/", domain };
  const entry = resolveEntry(table, url, null, oneMachine);
  expect(explainRoute(table, { ...request, entry }).sending).toBe(sending);
});

test.each([
  ["http://127.0.0.3:8080/", oneMachine, "node2", 8080, "127.0.0.3 is the address of node2"],
  ["http://two.example.com/", oneMachine, "node2", 80, "two.example.com is a host name of node2"],
  ["http://127.0.0.1:8000/", oneMachine, null, null, "127.0.0.1 belongs to no node"],
  ["https://two.example.com/", cloudflare, "node2", null, "two.example.com is a host name of node2"],
  [
    "https://node1.nodes.mesh.example.com/",
    cloudflare,
    "node1",
    null,
    "node1.nodes.mesh.example.com is the host name of a node",
  ],
  ["https://www.example.com:8443/", cloudflare, null, 8443, "www.example.com belongs to no node"],
  ["https://127.0.0.3/", cloudflare, null, null, "127.0.0.3 belongs to no node"],
])("[E5] the entry point of %s has its reason", (url, settings, node, port, why) => {
  const entry = resolveEntry(table, new URL(url), null, settings);
  const id = node === null ? null : node === "node1" ? "node1" : idOf(node);
  expect(entry).toEqual({ role: node === null ? "edge" : "ingress", node: id, port, why });
});

test("[E5][L140] the entry point that NODE-nodes.DOMAIN names has its reason", () => {
  const url = new URL("https://node1-nodes.mesh.example.com/");
  expect(resolveEntry(table, url, null, cloudflare)).toEqual({
    role: "ingress",
    node: idOf("node1"),
    port: null,
    why: "node1-nodes.mesh.example.com is a host name of node1",
  });
});

test("[E5] an address that nodes share names none of them", () => {
  const shared = { ...table, nodes: table.nodes.map((node) => ({ ...node, address: "127.0.0.1" })) };
  expect(resolveEntry(shared, new URL("http://127.0.0.1:18080/"), null, oneMachine).role).toBe("edge");
});

function nodesOf({ nodes }: RouteExplanation): string[] {
  return nodes.map(({ name, picked, why }) => `${name} ${picked ? "picked" : "not"}: ${why}`);
}

function tasksOf({ tasks }: RouteExplanation): string[] {
  return tasks.map(
    ({ name, node, picked, why }) => `${name} on ${node} ${picked ? "picked" : "not"}: ${why}`,
  );
}

const balanced = (policy: Policy, options: TableOptions = {}, weights = [1, 1]) => {
  const service = serviceOf("my-web", 8080, ["http://a", "http://b"], { policy, options });
  const tasks = service.tasks.map((task, index) => ({ ...task, weight: weights[index] ?? 1 }));
  return tableOf(
    7,
    { ...service, tasks },
    serviceOf("next", 9090, ["http://c"]),
    serviceOf("bare", 9091, []),
  );
};

test.each<[Policy, number[], string, string]>([
  ["roundrobin", [1, 1], "it takes its turn", "one of 2 tasks, in turn"],
  ["roundrobin", [3, 1], "it takes its turn, with weight 3 of 4", "one of 2 tasks, in turn"],
  [
    "leastconn",
    [1, 1],
    "it is picked while it has the fewest open requests",
    "the one of 2 tasks with the fewest open requests for its weight",
  ],
  ["random", [1, 1], "it is drawn at random", "the less loaded of two random tasks of 2"],
  [
    "source",
    [1, 1],
    "the client's address may hash to it",
    "the one of 2 tasks that the client's address hashes to",
  ],
  [
    "hdr(x-user)",
    [3, 1],
    "header x-user may hash to it, with weight 3 of 4",
    "the one of 2 tasks that header x-user hashes to",
  ],
])("[W19] %s with weights %j is explained", (policy, weights, why, responseWhy) => {
  const explained = explain("http://127.0.0.1:8080/", { on: balanced(policy, {}, weights) });
  expect(explained.tasks[0]?.why).toBe(why);
  expect(explained.response).toEqual({ by: "task", why: responseWhy });
});

test("[W19] a hash of the path names the task that the data plane picks", async () => {
  const on = balanced("uri");
  for (const path of ["/", "/a", "/b/c", "/d?query=1"]) {
    const { tasks } = explain(`http://127.0.0.1:8080${path}`, { on });
    const hashed = tasks.filter(({ why }) => why === "the path hashes to it");
    expect(await (await inProcessPlane(on).send({ path })).text()).toBe(hashed[0]?.origin);
    expect(hashed).toHaveLength(1);
  }
});

test("[E8] the explanation reads a path as the data plane does", () => {
  const paths = { at: ["my-web"], rules: [{ host: null, path: "/admin", exact: false }] };
  const on = {
    ...table,
    services: [serviceOf("admin", 9091, ["http://f"], { options: { paths } }), ...table.services],
  };
  const entry = resolveEntry(on, new URL("http://127.0.0.1:8080/"), null, oneMachine);
  const explained = (path: string) =>
    explainRoute(on, { method: "GET", host: "127.0.0.1:8080", path, domain, entry });
  for (const path of ["/x/../admin", "/%2e/admin", "/x\\..\\admin"]) {
    const { request, services } = explained(path);
    expect([request.path, services[0]?.name]).toEqual(["/admin", "admin"]);
  }
  expect(explained("//admin").services[0]?.name).toBe("my-web");
});

test("[W19] routing options are explained, and a canary that gets no requests", () => {
  const textsOf = (options: TableOptions) =>
    explain("http://127.0.0.1:8080/", { on: balanced("roundrobin", options) }).services[0]?.options;
  expect(textsOf({})).toEqual([]);
  expect(textsOf({ sticky: "SRV", maxconn: 20, queue: 5, slowStartMs: 30_000 })).toEqual([
    "a client stays with the task that its cookie SRV names",
    "at most 20 open requests per task and isolate, and 5 more wait up to 5 s",
    "a new task reaches its full weight over 30 s",
  ]);
  expect(textsOf({ via: true })).toEqual(["its tasks get Via with the mesh's name"]);
  expect(textsOf({ maxconn: 1, queue: 0 })).toEqual([
    "at most 1 open requests per task and isolate, and no queue",
  ]);
  expect(textsOf({ canary: { service: "next", percent: 10 } })).toEqual([
    "10% of requests go to its canary next",
  ]);
  expect(
    textsOf({
      canary: { service: "next", percent: 5, header: { name: "x-c", value: "1" }, cookie: { name: "beta" } },
    }),
  ).toEqual(["requests with header x-c=1 or cookie beta=always go to its canary next, and 5% of the others"]);
  expect(textsOf({ canary: { service: "bare", percent: 5 } })).toEqual([
    "its canary bare has no live task and gets no requests",
  ]);
  expect(textsOf({ canary: { service: "typo", percent: 5 } })).toEqual([
    "its canary typo is not published and gets no requests",
  ]);
});

test("[X93] the explanation names the path rule that decides, and the service it takes the request from", () => {
  const rules = [
    { host: null, path: "/api/v2", exact: false },
    { host: "x.example.com", path: "/api", exact: true },
  ];
  const api = serviceOf("api", 9091, ["http://f"], { options: { paths: { at: ["my-web", "typo"], rules } } });
  const shop = table.services.find(({ name }) => name === "shop");
  const on = { ...table, services: [api, ...table.services] };
  expect(explain("http://127.0.0.1:8080/api/v2/x", { on }).match).toEqual({
    by: "port",
    why: "port 8080 is published by my-web; path rule /api/v2 of api takes the request",
    path: { rule: "/api/v2", from: "my-web" },
  });
  const { services, tasks, match } = explain("http://x.example.com:8000/api", { on });
  expect(match.why).toBe(
    "no port or host name matches, and my-web is the default service; path rule x.example.com=/api of api takes the request",
  );
  expect(services[0]?.options).toEqual([
    "it takes requests for /api/v2, x.example.com=/api of my-web and of typo, which is not published",
  ]);
  expect(tasks.filter(({ picked }) => picked).map(({ origin }) => origin)).toEqual(["http://f"]);
  expect(explain("http://127.0.0.1:8080/api", { on }).match).not.toHaveProperty("path");

  const named = { ...api, options: { paths: { at: [], rules: rules.slice(1) } } };
  const byHost = explain("http://x.example.com:8000/api", { on: { ...on, services: [named, shop ?? api] } });
  expect(byHost.match).toEqual({
    by: "host",
    why: "x.example.com and the path match x.example.com=/api of api",
    path: { rule: "x.example.com=/api", from: null },
  });
});
