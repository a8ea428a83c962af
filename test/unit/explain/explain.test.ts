import { expect, test } from "vitest";
import type { Policy } from "../../../src/domain/table/policy.ts";
import type { RoutingTable, TableOptions } from "../../../src/domain/table/table.ts";
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
  { around = oneMachine, node = null, on = table }: ExplainOptions = {},
): RouteExplanation {
  const read = new URL(url);
  const question = { method: "GET", host: read.host, path: read.pathname, domain };
  return explainRoute(on, { ...question, entry: resolveEntry(on, read, node, around) });
}

type ExplainOptions = {
  readonly around?: EntrySettings;
  readonly node?: string | null;
  readonly on?: RoutingTable;
};

test.each([
  ["http://127.0.0.1:8080/", "port", "port 8080 is published by my-web"],
  ["http://www.example.com:8000/", "host", "www.example.com is a host name of shop"],
  [
    "http://my-web.mesh.example.com:8000/",
    "name",
    "my-web.mesh.example.com is my-web in the mesh's domain mesh.example.com",
  ],
  [
    "http://127.0.0.1:8000/",
    "default",
    "neither port nor host name says which, and my-web is the default service",
  ],
  [
    "http://127.0.0.1:81/",
    "nothing",
    "port 81 is published by no service, and 127.0.0.1 is no host name of a service",
  ],
  ["http://no.mesh.example.com:8000/", "nothing", "no.mesh.example.com is no host name of a service"],
])("[E2] what leads %s to its service is said", (url, by, why) => {
  expect(explain(url).match).toEqual({ by, why });
});

test("[E2] where there is no default service either, that is said too", () => {
  const { match, answer } = explain("http://127.0.0.1:8000/", { on: { ...table, defaultService: null } });
  expect(match.why).toBe("127.0.0.1 is no host name of a service, and there is no default service");
  expect(answer).toEqual({
    by: "mesh",
    status: 404,
    reason: "no service answers to the host name 127.0.0.1",
  });
});

test("[E3] at the balancer every node is there, with why it is picked or not", () => {
  expect(nodesOf(explain("http://127.0.0.1:8080/"))).toEqual([
    "node1 picked: it is up: it takes its turn",
    "node2 picked: it is up: it takes its turn",
    "node3 not: it is down",
  ]);
  const shop = table.services.map((one) =>
    one.name === "shop" ? { ...one, tasks: one.tasks.slice(0, 1) } : one,
  );
  expect(nodesOf(explain("http://127.0.0.1:9090/", { on: { ...table, services: shop } }))).toEqual([
    "node1 picked: it is up and has a task: it takes its turn",
    "node2 not: it has no task of the service, whose port is published in host mode",
    "node3 not: it is down",
  ]);
  const allDown = { ...table, nodes: table.nodes.map((node) => ({ ...node, up: false })) };
  expect(nodesOf(explain("http://127.0.0.1:8080/", { on: allDown }))[0]).toBe(
    "node1 picked: it is down, and so are the others: its entry point answers all the same",
  );
});

test("[E3] at a node's entry point only that node is there", () => {
  expect(nodesOf(explain("http://127.0.0.2:8080/"))).toEqual(["node1 picked: the request comes in here"]);
  expect(nodesOf(explain("http://127.0.0.1:8080/", { node: "node3" }))).toEqual([
    "node3 picked: it is down; its entry point answers all the same",
  ]);
});

test("[E4] every task of the service is there, with why it takes requests or not", () => {
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
    "my-web.3 on node3 picked: it takes its turn, though its node is not heard",
  ]);
});

test("[E1] an answer of the mesh's own has the data plane's status and reason", () => {
  expect(explain("http://127.0.0.1:8080/", { node: "node9" }).answer).toEqual({
    by: "mesh",
    status: 404,
    reason: "this mesh has no node node9",
  });
  const services = [serviceOf("my-web", 8080, [])];
  expect(explain("http://127.0.0.1:8080/", { on: { ...table, services } }).answer).toEqual({
    by: "mesh",
    status: 503,
    reason: "service my-web has no live task",
  });
  expect(explain("http://127.0.0.1:8080/").answer).toEqual({ by: "task", why: "one of 2 tasks, in turn" });
});

test.each([
  [
    "GET",
    "GET goes on to another task when one cannot be reached, and to a second one while the first keeps it waiting",
  ],
  ["PUT", "PUT goes on to another task when one cannot be reached"],
  ["POST", "POST is sent to one task; with an Idempotency-Key header it may go on to another"],
])("[E7] %s: it is said to how many tasks it may be sent", (method, sending) => {
  const read = new URL("http://127.0.0.1:8080/");
  const question = { method, host: read.host, path: "/", domain };
  expect(
    explainRoute(table, { ...question, entry: resolveEntry(table, read, null, oneMachine) }).sending,
  ).toBe(sending);
});

test.each([
  ["http://127.0.0.3:8080/", oneMachine, "node2", 8080, "127.0.0.3 is the address of node2"],
  ["http://two.example.com/", oneMachine, "node2", 80, "two.example.com is a host name of node2"],
  ["http://127.0.0.1:8000/", oneMachine, null, null, "127.0.0.1 is no node's, so it is the balancer's"],
  ["https://two.example.com/", cloudflare, "node2", null, "two.example.com is a host name of node2"],
  [
    "https://node1.nodes.mesh.example.com/",
    cloudflare,
    "node1",
    null,
    "node1.nodes.mesh.example.com is a node's own host name",
  ],
  [
    "https://www.example.com:8443/",
    cloudflare,
    null,
    8443,
    "www.example.com is no node's, so it is the balancer's",
  ],
  ["https://127.0.0.3/", cloudflare, null, null, "127.0.0.3 is no node's, so it is the balancer's"],
])("[E5] %s says where it comes in", (url, around, node, port, why) => {
  const found = resolveEntry(table, new URL(url), null, around);
  const id = node === null ? null : node === "node1" ? "node1" : idOf(node);
  expect(found).toEqual({ role: node === null ? "edge" : "ingress", node: id, port, why });
});

test("[E5] nodes that share an address are not told apart by it", () => {
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
    "it is asked while it has the fewest open requests",
    "the one of 2 tasks with the fewest open requests for its weight",
  ],
  ["random", [1, 1], "it is drawn at random", "the less busy of two drawn from 2 tasks"],
  [
    "source",
    [1, 1],
    "the client's address leads to it",
    "the one of 2 tasks that the client's address leads to",
  ],
  [
    "hdr(x-user)",
    [3, 1],
    "header x-user leads to it, as often as its weight says, with weight 3 of 4",
    "the one of 2 tasks that header x-user leads to",
  ],
])("[W19] %s with weights %j is explained", (policy, weights, why, answer) => {
  const said = explain("http://127.0.0.1:8080/", { on: balanced(policy, {}, weights) });
  expect(said.tasks[0]?.why).toBe(why);
  expect(said.answer).toEqual({ by: "task", why: answer });
});

test("[W19] a hash of the path names the task that the data plane asks", async () => {
  const on = balanced("uri");
  for (const path of ["/", "/a", "/b/c", "/d?query=1"]) {
    const said = explain(`http://127.0.0.1:8080${path}`, { on });
    const led = said.tasks.filter(({ why }) => why === "the path leads to it");
    expect(await (await inProcessPlane(on).send({ path })).text()).toBe(led[0]?.origin);
    expect(led).toHaveLength(1);
  }
});

test("[W19] what options do is said, and which canary gets nothing", () => {
  const said = (options: TableOptions) =>
    explain("http://127.0.0.1:8080/", { on: balanced("roundrobin", options) }).services[0]?.options;
  expect(said({})).toEqual([]);
  expect(said({ sticky: "SRV", maxconn: 20, queue: 5, slowStartMs: 30_000 })).toEqual([
    "a client stays with the task that its cookie SRV names",
    "at most 20 open requests a task and isolate, and 5 more wait up to 5 s",
    "a new task comes to its weight over 30 s",
  ]);
  expect(said({ maxconn: 1, queue: 0 })).toEqual([
    "at most 1 open requests a task and isolate, and none waits",
  ]);
  expect(said({ canary: { service: "next", percent: 10 } })).toEqual([
    "10% of requests go to next, its canary",
  ]);
  expect(
    said({
      canary: { service: "next", percent: 5, header: { name: "x-c", value: "1" }, cookie: { name: "beta" } },
    }),
  ).toEqual([
    "requests with header x-c=1 or cookie beta=always go to next, and 5% of the others go to it, its canary",
  ]);
  expect(said({ canary: { service: "bare", percent: 5 } })).toEqual([
    "its canary bare has no live task, and gets nothing",
  ]);
  expect(said({ canary: { service: "typo", percent: 5 } })).toEqual([
    "its canary typo is not published, and gets nothing",
  ]);
});

test("[X93] the path rule that decides is told, and whose request it is", () => {
  const rules = [
    { host: null, path: "/api/v2", exact: false },
    { host: "x.example.com", path: "/api", exact: true },
  ];
  const api = serviceOf("api", 9091, ["http://f"], { options: { paths: { at: ["my-web", "typo"], rules } } });
  const shop = table.services.find(({ name }) => name === "shop");
  const on = { ...table, services: [api, ...table.services] };
  expect(explain("http://127.0.0.1:8080/api/v2/x", { on }).match).toEqual({
    by: "port",
    why: "port 8080 is published by my-web; of its requests api takes /api/v2",
    path: { rule: "/api/v2", from: "my-web" },
  });
  const { services, tasks, match } = explain("http://x.example.com:8000/api", { on });
  expect(match.why).toBe(
    "neither port nor host name says which, and my-web is the default service; of its requests api takes x.example.com=/api",
  );
  expect(services[0]?.options).toEqual([
    "it takes /api/v2, x.example.com=/api of my-web and of typo, which is not published",
  ]);
  expect(tasks.filter(({ picked }) => picked).map(({ origin }) => origin)).toEqual(["http://f"]);
  expect(explain("http://127.0.0.1:8080/api", { on }).match).not.toHaveProperty("path");

  const named = { ...api, options: { paths: { at: [], rules: rules.slice(1) } } };
  const byHost = explain("http://x.example.com:8000/api", { on: { ...on, services: [named, shop ?? api] } });
  expect(byHost.match).toEqual({
    by: "host",
    why: "x.example.com and the path are what api takes: x.example.com=/api",
    path: { rule: "x.example.com=/api", from: null },
  });
});
