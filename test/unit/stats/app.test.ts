import { expect, test } from "vitest";
import { MeshError, unwrap } from "../../../src/domain/model/error.ts";
import { type StatsApp, statsApp } from "../../../src/stats/app.ts";
import type { StatsDeps } from "../../../src/stats/context.ts";
import { emptyTraffic } from "../../../src/stats/input.ts";
import { statsPage } from "../../../src/stats/page.tsx";
import { readStatsQuery } from "../../../src/stats/uri.ts";
import { csvRow, readCsv } from "../../support/haproxy-csv.ts";
import { aServerSpec } from "../../support/servers.ts";
import { aNode, aService, aTask } from "../../support/world.ts";
import { TestMesh } from "../registry/harness.ts";
import { aReport } from "./support.ts";

const origin = "http://127.0.0.1:8080";
const page = `${origin}/haproxy?stats`;
const operator = basic("admin", "stats-operator-token");
const viewer = basic("waggle", "stats-viewer-token");

function aMesh(over: Partial<StatsDeps> = {}): { readonly mesh: TestMesh; readonly app: StatsApp } {
  const mesh = new TestMesh();
  mesh.node("node1");
  mesh.node("node2");
  mesh.service("my-web");
  mesh.work();
  const app = statsApp({
    mesh: mesh.registry,
    traffic: async () => emptyTraffic,
    operatorToken: "stats-operator-token",
    viewerToken: "stats-viewer-token",
    uri: "/haproxy?stats",
    sharesOrigin: true,
    now: () => mesh.nowMs,
    newId: () => "a-nonce",
    ...over,
  });
  return { mesh, app };
}

function basic(user: string, password: string): Record<string, string> {
  return { authorization: `Basic ${btoa(`${user}:${password}`)}` };
}

const get = (app: StatsApp, rest: string, headers: Record<string, string> = {}, method = "GET") =>
  app(new Request(page + rest, { method, headers }), null);

function post(app: StatsApp, form: Record<string, string>, headers: Record<string, string>, rest = "") {
  return app(new Request(page + rest, { method: "POST", headers, body: new URLSearchParams(form) }), null);
}

test.each([
  ["no credentials", {}],
  ["a wrong password", basic("admin", "guess")],
  ["the token as user", basic("stats-operator-token", "")],
  ["an empty password", basic("admin", "")],
  ["no base64", { authorization: "Basic %%%" }],
  ["another scheme", { authorization: "Digest stats-operator-token" }],
  ["a wrong bearer", { authorization: "Bearer guess" }],
])("[Z14] with %s the response is a 401 for HTTP Basic without content", async (_what, headers) => {
  const { app } = aMesh();
  for (const rest of ["", ";csv", ";json", ";json-schema"]) {
    const response = await get(app, rest, headers);
    expect(response.status).toBe(401);
    expect(response.headers.get("www-authenticate")).toMatch(/^Basic realm="/);
    expect(await response.text()).not.toContain("my-web");
  }
});

test.each([
  ["the viewer's token as any user's password", viewer],
  ["the operator's", operator],
  ["a user without a name", basic("", "stats-viewer-token")],
  ["a bearer token", { authorization: "Bearer stats-viewer-token" }],
])("[Z14] %s is accepted, and the response may not be cached", async (_what, headers) => {
  const { app } = aMesh();
  const response = await get(app, ";csv", headers);
  expect(response.status).toBe(200);
  expect(response.headers.get("cache-control")).toBe("no-store");
  expect(response.headers.get("content-type")).toMatch(/^text\/plain/);
  expect(csvRow(readCsv(await response.text()), "my-web", "my-web.1").status).toBe("UP");
});

test("[Z14] a mesh without tokens refuses every request, even with an empty password", async () => {
  const { app } = aMesh({ operatorToken: "", viewerToken: "" });
  expect((await get(app, ";csv", basic("admin", ""))).status).toBe(503);
  const { app: withoutViewer } = aMesh({ viewerToken: "" });
  expect((await get(withoutViewer, ";csv", basic("admin", ""))).status).toBe(401);
});

test("[Z14] HEAD is GET without a body; other methods are refused", async () => {
  const { app } = aMesh();
  const head = await get(app, ";csv", viewer, "HEAD");
  expect([head.status, await head.text()]).toEqual([200, ""]);
  const put = await get(app, "", operator, "PUT");
  expect([put.status, put.headers.get("allow")]).toEqual([405, "GET, HEAD, POST"]);
});

test("[Z15] an operator's form sets servers, and the redirect has HAProxy's outcome code", async () => {
  const { mesh, app } = aMesh();
  const drain = { s: "node2", action: "drain", b: "#1" };
  const response = await post(app, drain, operator, ";up;norefresh?scope=nodes");
  expect(response.status).toBe(303);
  expect(response.headers.get("location")).toBe("/haproxy?stats;st=DONE;up;norefresh?scope=nodes");
  expect(unwrap(mesh.registry.node("node2")).admin).toBe("drain");
  expect(mesh.events("node.state")).toEqual(["node2: ready -> drain"]);
  expect(await outcome(app, drain)).toBe("NONE");
  expect(await outcome(app, { ...drain, action: "ready", b: "waggle.nodes" })).toBe("DONE");
  expect(unwrap(mesh.registry.node("node2")).admin).toBe("ready");
});

test("[Z15] tasks and static servers are set in the same way", async () => {
  const { mesh, app } = aMesh();
  mesh.registry.addServer("my-web", { spec: aServerSpec({ name: "legacy" }), admin: "ready" }, "operator");
  const status = async (server: string) =>
    csvRow(readCsv(await (await get(app, ";csv", viewer)).text()), "my-web", server).status;
  for (const [server, before] of [
    ["my-web.1", "UP"],
    ["legacy", "no check"],
  ] as const) {
    expect(await status(server)).toBe(before);
    for (const [action, after] of [
      ["drain", "DRAIN"],
      ["maint", "MAINT"],
      ["ready", before],
    ] as const) {
      expect(await outcome(app, { s: server, action, b: "my-web" })).toBe("DONE");
      expect(await status(server)).toBe(after);
    }
  }
});

test.each([
  ["an unknown action", { s: "node2", action: "explode", b: "#1" }, "ERRP"],
  ["an unknown proxy", { s: "node2", action: "drain", b: "#77" }, "ERRP"],
  ["an unknown server", { s: "nope", action: "drain", b: "#1" }, "ERRP"],
  ["no server", { action: "drain", b: "#1" }, "NONE"],
  ["no fields", {}, "NONE"],
  ["too many bytes", { s: "n".repeat(70_000), action: "drain", b: "#1" }, "EXCD"],
])("[Z15] a form with %s changes nothing, and has its outcome code", async (_what, form, expected) => {
  const { mesh, app } = aMesh();
  expect(await outcome(app, form as Record<string, string>)).toBe(expected);
  expect(mesh.events("node.state")).toEqual([]);
});

test("[Z15] a form without Content-Length is read only up to the limit", async () => {
  const { app } = aMesh();
  let pulled = 0;
  const body = new ReadableStream({
    pull(controller) {
      pulled += 1;
      controller.enqueue(new Uint8Array(16 * 1024).fill(0x61));
    },
  });
  const request = new Request(page, { method: "POST", headers: viewer, body, duplex: "half" });
  expect((await app(request, null)).headers.get("location")).toContain("st=EXCD");
  expect(pulled).toBeLessThan(10);
});

test("[Z15] a form with known and unknown servers sets the known ones, with the outcome PART", async () => {
  const { mesh, app } = aMesh();
  const body = new URLSearchParams([
    ["s", "node1"],
    ["s", "nope"],
    ["action", "drain"],
    ["b", "#1"],
  ]);
  const response = await app(new Request(page, { method: "POST", headers: operator, body }), null);
  expect(response.headers.get("location")).toBe("/haproxy?stats;st=PART");
  expect(unwrap(mesh.registry.node("node1")).admin).toBe("drain");
});

const drain = { s: "node1", action: "drain", b: "#1" };
const sameOrigin = { origin, "sec-fetch-site": "same-origin" };

test.each([
  ["a viewer", {}, viewer, "DENY"],
  ["a viewer with a wrong token in the form", { token: "guess" }, viewer, "DENY"],
  ["an operator's own program", {}, operator, "DONE"],
  ["a browser's page of another site", {}, { ...operator, origin: "http://evil.example" }, "DENY"],
  ["a browser's page without an origin", {}, { ...operator, "sec-fetch-site": "cross-site" }, "DENY"],
  ["a browser's page of this origin, which services share", {}, { ...operator, ...sameOrigin }, "DENY"],
  [
    "the operator's token in the form",
    { token: "stats-operator-token" },
    { ...viewer, ...sameOrigin },
    "DONE",
  ],
])("[Z16] on the balancer, %s: %j", async (_what, token, headers, expected) => {
  const { mesh, app } = aMesh();
  const response = await post(app, { ...drain, ...token } as Record<string, string>, headers);
  expect(response.headers.get("location")).toBe(`/haproxy?stats;st=${expected}`);
  expect(unwrap(mesh.registry.node("node1")).admin).toBe(expected === "DONE" ? "drain" : undefined);
});

test.each([
  ["its own page", sameOrigin, "DONE"],
  ["a page of another site", { origin: "http://evil.example", "sec-fetch-site": "cross-site" }, "DENY"],
  ["a page of another port", { origin: "http://127.0.0.1:8081", "sec-fetch-site": "same-site" }, "DENY"],
  ["a sandboxed page", { origin: "null" }, "DENY"],
])(
  "[Z16] on an origin of its own, the operator's browser may send the form only from its own page: %s",
  async (_what, from, expected) => {
    const { app } = aMesh({ sharesOrigin: false });
    expect(await outcome(app, drain, { ...operator, ...from })).toBe(expected);
  },
);

test("[Z17] the page needs no script, refreshes unless disabled, and has a form", async () => {
  const { app } = aMesh();
  const response = await get(app, "", viewer);
  const html = await response.text();
  expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
  expect(response.headers.get("content-security-policy")).toMatch(
    /^default-src 'none'; style-src 'nonce-a-nonce';/,
  );
  expect(html).toContain('<meta http-equiv="refresh" content="5;url=/haproxy?stats"/>');
  expect(html).not.toMatch(/<script|<form method="post"/);
  const withForm = await (await get(app, ";norefresh", viewer)).text();
  expect(withForm).not.toContain('refresh" content');
  expect(withForm).toMatch(/<form method="post" action="\/haproxy\?stats;norefresh"/);
  expect(withForm).toContain('name="token"');
  const onOwnOrigin = aMesh({ sharesOrigin: false }).app;
  expect(await (await get(onOwnOrigin, ";norefresh", operator)).text()).not.toContain('name="token"');
});

test("[Z17] names are escaped on the page", async () => {
  const hostile = `"><script>alert(1)</script><img src=x onerror=alert(2)>`;
  const { app } = aMesh();
  // The registry refuses such names, but not such errors from an agent.
  const web = aService({ name: hostile });
  const task = aTask(web, { state: "failed", health: null, err: hostile });
  const report = aReport({ nodes: [aNode({ hostname: hostile })], services: [web], tasks: [task] });
  const query = readStatsQuery(`${page};norefresh`, "/haproxy?stats");
  const html = statsPage(report, { query, uri: "/haproxy?stats", nonce: "n", requiresToken: true });
  expect(html).toContain("&lt;script&gt;alert(1)");
  const scoped = await (await get(app, `?scope=${encodeURIComponent(hostile)}`, viewer)).text();
  for (const text of [html, scoped]) expect(text).not.toMatch(/<script|<img/);
});

test("[Z17] a page of more than a thousand rows refreshes only once a minute", () => {
  const web = aService({ replicas: 1_000 });
  const tasks = Array.from({ length: 1_000 }, (_, index) =>
    aTask(web, { slot: index + 1, id: `t${index}`.padEnd(25, "0") }),
  );
  const query = readStatsQuery(page, "/haproxy?stats");
  const html = statsPage(aReport({ tasks }), {
    query,
    uri: "/haproxy?stats",
    nonce: "n",
    requiresToken: true,
  });
  expect(html).toContain('content="60;url=/haproxy?stats"');
});

test("[Z17] an outcome is shown in words, until the page refreshes", async () => {
  const { app } = aMesh();
  const html = await (await get(app, ";st=DENY", viewer)).text();
  expect(html).toMatch(/role="status".*Denied: this needs the operator token/s);
  expect(html).toContain('content="5;url=/haproxy?stats"');
});

test("[Z17] while the registry is unavailable, the response is a 503 with its message", async () => {
  const { mesh } = aMesh();
  const unavailable = new Proxy(mesh.registry, {
    get: () => () =>
      Promise.reject(
        new MeshError("registry/unavailable", "the registry is away", { blame: "mesh", retry: "safe" }),
      ),
  });
  const response = await get(aMesh({ mesh: unavailable }).app, ";csv", viewer);
  expect([response.status, await response.text()]).toEqual([503, "the registry is away\n"]);
});

test("[Z42] after too many wrong tokens the statistics respond with 429, and the right token is still accepted", async () => {
  const { app } = aMesh();
  const ask = (headers: Record<string, string>, client = "192.0.2.1") =>
    app(new Request(`${page};csv`, { headers }), client);
  for (let guess = 0; guess < 10; guess += 1)
    expect(
      (await ask(guess % 2 === 0 ? basic("admin", "guess") : { authorization: "Bearer guess" })).status,
    ).toBe(401);
  const refused = await ask(basic("admin", "guess"));
  expect([refused.status, refused.headers.get("retry-after")]).toEqual([429, "6"]);
  expect(await refused.text()).toContain("too many wrong tokens");
  expect((await ask(viewer)).status).toBe(200);
  expect((await ask(basic("admin", "guess"), "192.0.2.2")).status).toBe(401);
  expect((await ask({})).status).toBe(401);
});

test("[Z42] a viewer cannot guess the operator's token by forms", async () => {
  const { mesh, app } = aMesh();
  for (let guess = 0; guess < 10; guess += 1)
    expect(await outcome(app, { ...drain, token: `guess${guess}` }, viewer)).toBe("DENY");
  expect((await post(app, { ...drain, token: "guess" }, viewer)).status).toBe(429);
  expect(mesh.events("node.state")).toEqual([]);
  expect(await outcome(app, { ...drain, token: "stats-operator-token" }, viewer)).toBe("DONE");
});

test("[Z43] a token that is too short opens no statistics, with the reason", async () => {
  const { app } = aMesh({ operatorToken: "short" });
  const response = await get(app, ";csv", basic("admin", "short"));
  expect([response.status, await response.text()]).toEqual([
    503,
    expect.stringContaining("OPERATOR_TOKEN has 5 bytes, and at least 16 are needed"),
  ]);
});

async function outcome(app: StatsApp, form: Record<string, string>, headers = operator): Promise<string> {
  const response = await post(app, form, headers);
  return /;st=(\w+)$/.exec(response.headers.get("location") ?? "")?.[1] ?? String(response.status);
}
