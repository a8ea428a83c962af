import { expect, test } from "vitest";
import { canSendToken } from "../../../src/cli/trace/trace.ts";
import type { RouteExplanation } from "../../../src/protocol/route.ts";
import { fakeMesh, type Reply, type Routes, runOn } from "./support.ts";

const explanation: RouteExplanation = {
  request: { method: "GET", host: "127.0.0.2:8080", port: 8080, path: "/" },
  tableVersion: 12,
  entry: { role: "edge", node: null, why: "127.0.0.1 is no node's, so it is the balancer's" },
  match: { by: "port", why: "port 8080 is published by my-web" },
  services: [{ id: "s1", name: "my-web", policy: "roundrobin", target: 80, mode: "ingress", options: [] }],
  nodes: [
    { id: "n1", name: "node1", up: true, picked: true, why: "it is up: it takes its turn" },
    { id: "n2", name: "node2", up: false, picked: false, why: "it is down" },
  ],
  tasks: [
    { id: "t1", name: "my-web.1", node: "node1", origin: "http://a", picked: true, why: "it takes its turn" },
    { id: "t2", name: "my-web.2", node: "node2", origin: null, picked: false, why: "it is stopping" },
  ],
  sending: "GET goes on",
  response: { by: "task", why: "the one task that can" },
};

const debugHeaders = {
  "x-waggle-entry": "edge",
  "x-waggle-node": "node1",
  "x-waggle-service": "my-web",
  "x-waggle-attempts": "2",
  "x-waggle-trace":
    "t1;slot=1;node=node2;at=0;ms=2;outcome=failed, t2;slot=2;node=node1;at=2;ms=4;outcome=200",
  "x-waggle-table-version": "12",
  "x-waggle-table-age-ms": "340",
};

function meshWith(response: Reply, more: Routes = {}) {
  return fakeMesh({ "GET /mesh/route": { json: explanation }, "GET /cart": response, ...more });
}

/** The text with its times replaced by N. */
function timeless(text: string): string {
  return text.replaceAll(/\d+(\.\d+)? ms( *)/g, (_match, _part, spaces) => `N ms${spaces === "" ? "" : " "}`);
}

test("[L17] each step of a request is shown: entry, node, service, every attempt, table, response, time", async () => {
  await using mesh = await meshWith({ text: "hello", headers: debugHeaders });
  const { code, out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect(code).toBe(0);
  expect(timeless(out)).toBe(`GET ${mesh.url}/cart
 1  entry    the balancer
 2  node     node1: roundrobin over the nodes that are up
 3  service  my-web: port 8080 is published by my-web
 4  task     my-web.1 on node2: connection failed in N ms
             my-web.2 on node1: 200 in N ms
 5  table    version 12, N ms old
 6  response 200 OK, 5 bytes, HTTP/1.1
 7  time     connected N ms, first byte N ms, total N ms
`);
});

test("[U589] the age of a table that has not changed for long is in seconds", async () => {
  const headers = { ...debugHeaders, "x-waggle-table-age-ms": "132331" };
  await using mesh = await meshWith({ text: "hello", headers });
  const { out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect(out).toContain("table    version 12, 132 s old\n");
});

test("[X93] without an explanation, the service is shown with its path rule", async () => {
  const headers = { ...debugHeaders, "x-waggle-path": "/cart", "x-waggle-taken-from": "front" };
  await using mesh = await meshWith(
    { text: "hello", headers },
    { "GET /mesh/route": { json: { ...explanation, match: { by: "nothing", why: "" } } } },
  );
  const { out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect(out).toContain("service  my-web: path /cart of front\n");
});

test("[Y28] ejected tasks, panic, and a table that could not be refreshed are shown", async () => {
  const headers = {
    ...debugHeaders,
    "x-waggle-ejected": "t1;for=1500, t3;for=0",
    "x-waggle-panic": "2 of 3 tasks fail: all are used",
    "x-waggle-table-problem": "it does not respond",
  };
  await using mesh = await meshWith({ text: "hello", headers });
  const { out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect(timeless(out)).toContain(` 5  ejected  t1 for N ms, t3 until its trial ends
 6  panic    2 of 3 tasks fail: all are used
 7  table    version 12, N ms old; registry: it does not respond
`);
});

test("[L17] hedges and responses by the mesh are marked", async () => {
  const trace =
    "t1;slot=0;node=node2;at=0;ms=180;outcome=none, t2;slot=0;node=node1;at=100;ms=80;outcome=none";
  await using mesh = await meshWith({
    status: 504,
    text: "",
    headers: { ...debugHeaders, "x-waggle-trace": trace },
  });
  const { code, out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect(code).toBe(0);
  expect(out).toContain("my-web.node2 on node2: no response in 180 ms\n");
  expect(out).toContain("my-web.node1 on node1: no response in 80 ms, hedge after 100 ms\n");
  expect(out).toContain("504 Gateway Timeout by the mesh, 0 bytes");
});

test("[O109] an attempt shows how the gateway of its task's node was reached", async () => {
  const trace =
    "t1;slot=1;node=node2;transport=direct;at=0;ms=2;outcome=failed, t2;slot=2;node=node1;transport=tunnel;at=2;ms=4;outcome=200";
  await using mesh = await meshWith({ text: "hello", headers: { ...debugHeaders, "x-waggle-trace": trace } });
  const { out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect(out).toContain("my-web.1 on node2 (direct): connection failed in 2 ms\n");
  expect(out).toContain("my-web.2 on node1 (tunnel): 200 in 4 ms\n");
});

test("[L74] an attempt at a static server shows its name and no node", async () => {
  const trace = "s1;server=web1;at=0;ms=4;outcome=failed, t2;slot=2;node=node1;at=4;ms=4;outcome=200";
  await using mesh = await meshWith({ text: "hello", headers: { ...debugHeaders, "x-waggle-trace": trace } });
  const { out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect(out).toContain("server   my-web/web1: connection failed in 4 ms\n");
  expect(out).toContain("task     my-web.2 on node1: 200 in 4 ms\n");
});

test("[L75] a refusal by the mesh is shown with its reason; a similar response of a task is not", async () => {
  const refused = (message: string) => ({
    status: 503,
    text: JSON.stringify({ status: 503, message, requestId: "r1" }),
    headers: { ...debugHeaders, "x-waggle-attempts": "0", "x-waggle-trace": "", "x-request-id": "r1" },
  });
  await using mesh = await meshWith(refused("service my-web has no live task\u001b[2J"));
  expect((await runOn(mesh, ["trace", `${mesh.url}/cart`])).out).toMatch(
    /503 Service Unavailable by the mesh, \d+ bytes, HTTP\/1\.1: service my-web has no live task\?\[2J\n/,
  );
  const trace = "t1;slot=1;node=node2;at=0;ms=2;outcome=503";
  const { headers, ...rest } = refused("it is the task's");
  await using other = await meshWith({ ...rest, headers: { ...headers, "x-waggle-trace": trace } });
  expect((await runOn(other, ["trace", `${other.url}/cart`])).out).not.toContain("it is the task's");
});

test("[L17] method, headers and body are sent as given; the token has its own header, not Authorization", async () => {
  const received: { headers: NodeJS.Dict<string | string[]>; method: string | undefined }[] = [];
  await using mesh = await fakeMesh({
    "GET /mesh/route": { json: explanation },
    "POST /cart": { text: "", headers: debugHeaders },
  });
  mesh.server.on("request", ({ headers, method }) => received.push({ headers, method }));
  const header = ["-H", "Host: www.example.com", "-H", "content-type: application/json"];
  expect(await runOn(mesh, ["trace", ...header, "-d", '{"a":1}', `${mesh.url}/cart`])).toMatchObject({
    code: 0,
  });
  expect(mesh.calls.map(({ method, body }) => [method, body])).toEqual([
    ["GET", undefined],
    ["POST", { a: 1 }],
  ]);
  expect(mesh.calls[0]?.query.get("host")).toBe("www.example.com");
  expect(received[1]?.headers).toMatchObject({
    host: "www.example.com",
    "content-type": "application/json",
    "x-waggle-debug": "1",
    "x-waggle-token": "secret",
  });
  expect(received[1]?.headers.authorization).toBeUndefined();
});

test("[L17] the route is shown even if the registry is unreachable", async () => {
  await using mesh = await fakeMesh({
    "GET /mesh/route": { status: 200, text: "<p>" },
    "GET /cart": { text: "", headers: debugHeaders },
  });
  const { code, out } = await runOn(mesh, ["trace", `${mesh.url}/cart`]);
  expect([code, out]).toEqual([0, expect.stringContaining("service  my-web\n")]);
});

test("[L18] the token goes only to URLs that the mesh knows, and to none less protected than the control URL", () => {
  const canSend = (url: string, control: string, known: Partial<RouteExplanation> | null = {}) =>
    canSendToken(new URL(url), control, known === null ? null : { ...explanation, ...known });
  const byHost = { match: { by: "host", why: "" } } as const;
  const atNode = { entry: { role: "ingress", node: "node1", why: "" } } as const;
  expect(canSend("http://127.0.0.2:8080/", "http://127.0.0.1:8787", null)).toBe(true);
  expect(canSend("https://mesh.example.com:8443/", "https://mesh.example.com", null)).toBe(true);
  expect(canSend("https://www.example.com/", "https://mesh.example.com", byHost)).toBe(true);
  expect(canSend("https://node1.example.com/", "https://mesh.example.com", atNode)).toBe(true);
  expect(canSend("http://node1.lan:8080/", "http://mesh.lan:8787", atNode)).toBe(true);
  expect(canSend("https://evil.example/", "https://mesh.example.com")).toBe(false);
  expect(canSend("https://www.example.com/", "https://mesh.example.com", null)).toBe(false);
  expect(canSend("http://www.example.com/", "https://mesh.example.com", byHost)).toBe(false);
  expect(canSend("http://mesh.example.com/", "https://mesh.example.com")).toBe(false);
});

test("[L18] without the token, the response is shown without its route, and why", async () => {
  await using mesh = await fakeMesh({ "GET /mesh/route": { json: explanation } });
  await using other = await fakeMesh({ "GET /cart": { text: "hi" } });
  const url = other.url.replace("127.0.0.1", "0.0.0.0");
  const { code, out, err } = await runOn(mesh, ["trace", `${url}/cart`]);
  expect(code).toBe(0);
  expect(err).toContain("the mesh does not know 0.0.0.0");
  expect(out).toContain("the response has no trace headers");
});

test("[L19] with a count, each request has a line, and the shares of the tasks follow", async () => {
  let turn = 0;
  await using mesh = await meshWith(
    {},
    {
      "GET /cart": () => {
        turn += 1;
        const slot = (turn % 2) + 1;
        const trace = `t${slot};slot=${slot};node=node${slot};at=0;ms=1;outcome=200`;
        return { text: "", headers: { ...debugHeaders, "x-waggle-trace": trace } };
      },
    },
  );
  const { out } = await runOn(mesh, ["trace", "-n", "4", `${mesh.url}/cart`]);
  expect(timeless(out).replaceAll(/ +$/gm, "")).toBe(`GET ${mesh.url}/cart
#         STATUS    ENTRY             TASK       NODE      ATTEMPTS   TIME
1         200       balancer, node1   my-web.2   node2     1          N ms
2         200       balancer, node1   my-web.1   node1     1          N ms
3         200       balancer, node1   my-web.2   node2     1          N ms
4         200       balancer, node1   my-web.1   node1     1          N ms

TASK       RESPONSES   SHARE     MEDIAN    MAX
my-web.1   2           50%       N ms N ms
my-web.2   2           50%       N ms N ms
`);
});

test("[L20] --explain sends nothing and shows what would happen", async () => {
  await using mesh = await fakeMesh({ "GET /mesh/route": { json: explanation } });
  const { code, out } = await runOn(mesh, [
    "trace",
    "--explain",
    "--node",
    "node2",
    "http://127.0.0.1:8080/",
  ]);
  expect(code).toBe(0);
  expect(out).toBe(`GET / on 127.0.0.2:8080, published port 8080
 1  entry    the balancer: 127.0.0.1 is no node's, so it is the balancer's
 2  service  my-web: port 8080 is published by my-web
 3  node     + node1: it is up: it takes its turn
             - node2: it is down
 4  policy   roundrobin, target port 80
 5  task     + my-web.1 on node1: it takes its turn
             - my-web.2 on node2: it is stopping
 6  sending  GET goes on
 7  table    version 12
 8  response the one task that can
`);
  expect(Object.fromEntries(mesh.calls[0]?.query ?? [])).toEqual({
    url: "http://127.0.0.1:8080/",
    method: "GET",
    node: "node2",
  });
});

test("[L20] an unreachable URL is explained, and ends with 3", async () => {
  await using mesh = await fakeMesh({ "GET /mesh/route": { json: explanation } });
  const { code, out, err } = await runOn(mesh, ["trace", "http://127.0.0.1:1/"]);
  expect(code).toBe(3);
  expect(out).toContain(" 8  response the one task that can\n");
  expect(err).toContain("waggle: cannot reach 127.0.0.1:1: connection refused");
});

test("[L20] --json prints the explanation and every response with its route", async () => {
  await using mesh = await meshWith({ text: "hello", headers: debugHeaders });
  const { out } = await runOn(mesh, ["trace", "--json", `${mesh.url}/cart`]);
  const { explanation: printed, traced } = JSON.parse(out);
  expect(printed).toEqual(explanation);
  expect(traced[0].route.attempts).toEqual([
    { taskId: "t1", task: "my-web.1", node: "node2", atMs: 0, tookMs: 2, outcome: "failed" },
    { taskId: "t2", task: "my-web.2", node: "node1", atMs: 2, tookMs: 4, outcome: "200" },
  ]);
  expect(traced[0].response).toMatchObject({ status: 200, bytes: 5 });
});

test.each([
  [["trace", "ftp://a/"], 'cannot read the URL "ftp://a/"'],
  [
    ["trace", "-X", "CONNECT", "http://a/"],
    'invalid argument "CONNECT" for "-X, --request" flag: opens a tunnel',
  ],
  [["trace", "-H", "nonsense", "http://a/"], "must be NAME: VALUE"],
  [["trace", "-n", "0", "http://a/"], "must be between 1 and 1000"],
  [["trace", "--node", "node1", "http://a/"], "--node needs --explain"],
])("[L1] a trace with unreadable arguments is refused: %j", async (args, message) => {
  await using mesh = await fakeMesh({});
  const { code, err } = await runOn(mesh, args);
  expect([code, err]).toEqual([2, expect.stringContaining(message)]);
  expect(mesh.calls).toEqual([]);
});
