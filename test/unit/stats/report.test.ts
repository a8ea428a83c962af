import { expect, test } from "vitest";
import { withCheckDefaults } from "../../../src/domain/model/server.ts";
import { initialServerHealth } from "../../../src/domain/model/server-health.ts";
import type { HealthReport } from "../../../src/domain/model/task.ts";
import { proxyIds } from "../../../src/stats/proxy-id.ts";
import { aServer, aServerSpec } from "../../support/servers.ts";
import { aNode, aService, aTask, healthy, now } from "../../support/world.ts";
import { aReport, rowsOf, valuesOf } from "./support.ts";

const web = aService();

test("[Z5] the balancer over the nodes is first, then every service that publishes a port, by name", () => {
  const other = (name: string) => aService({ name });
  const report = aReport({
    services: [web, other("api"), aService({ name: "worker", ports: [] })],
    tasks: [],
  });
  expect(report.proxies.map(({ name }) => name)).toEqual(["waggle.nodes", "api", "my-web"]);
});

test("[Z5] each proxy has its frontend, its servers in order, its backend", () => {
  const tasks = [10, 2, 1].map((slot) => aTask(web, { slot }));
  expect(rowsOf(aReport({ tasks }), "my-web")).toEqual([
    "FRONTEND",
    "my-web.1",
    "my-web.2",
    "my-web.10",
    "BACKEND",
  ]);
});

test("[Z6] a proxy's number is unique, and does not change when others are added or removed", () => {
  const ids = Array.from({ length: 500 }, (_, index) => `service${index}`);
  const all = proxyIds(ids);
  expect(new Set(all.values()).size).toBe(500);
  for (const id of ["service0", "service250", "service499"]) expect(proxyIds([id]).get(id)).toBe(all.get(id));
  expect([...all.values()].every((number) => number > 1 && number < 2 ** 31)).toBe(true);
});

test("[Z6] if two ids have the same number, the newer one gets the next", () => {
  // Both hash to the same 31 bits under FNV-1a.
  const [older, younger] = ["collision-95988", "collision-622672"];
  const numbers = proxyIds([older, younger]);
  expect(new Set(numbers.values()).size).toBe(2);
  expect(numbers.get(older)).toBe(proxyIds([older]).get(older));
});

test("[Z7] a reachable node is UP, or DRAIN or MAINT by its admin state, or DRAIN while its tasks move; else DOWN", () => {
  const nodes = [
    aNode({ hostname: "a" }),
    aNode({ hostname: "b", availability: "drain" }),
    aNode({ hostname: "c", leaving: true }),
    aNode({ hostname: "d", state: "down", message: "heartbeat failure", availability: "drain" }),
    aNode({ hostname: "e", availability: "pause" }),
    aNode({ hostname: "f", admin: "drain" }),
    aNode({ hostname: "g", admin: "maint", state: "down" }),
  ];
  const report = aReport({ nodes });
  const statuses = ["a", "b", "c", "d", "e", "f", "g"].map(
    (name) => valuesOf(report, "waggle.nodes", name).status,
  );
  expect(statuses).toEqual(["UP", "DRAIN", "DRAIN", "DOWN", "UP", "DRAIN", "MAINT"]);
  expect(valuesOf(report, "waggle.nodes", "d").last_chk).toBe("heartbeat failure");
  expect(valuesOf(report, "waggle.nodes", "b").last_chk).toBe("availability drain");
  // The balancer still picks nodes whose tasks move: their entry points serve requests with other nodes'
  // tasks.
  expect(valuesOf(report, "waggle.nodes", "BACKEND")).toMatchObject({ status: "UP", act: 4, weight: 4 });
});

test("[Z7] if a machine joined again, only its newer node is shown", () => {
  const old = aNode({ id: "old".padEnd(25, "0"), state: "down", createdAtMs: now - 9_000 });
  const rejoined = aNode({ id: "new".padEnd(25, "0"), createdAtMs: now - 1_000 });
  for (const nodes of [
    [old, rejoined],
    [rejoined, old],
  ]) {
    expect(rowsOf(aReport({ nodes }), "waggle.nodes")).toEqual(["FRONTEND", "node1", "BACKEND"]);
    expect(valuesOf(aReport({ nodes }), "waggle.nodes", "node1").status).toBe("UP");
  }
});

test("[Z8] a slot is one server, represented by the task that gets requests", () => {
  const failed = aTask(web, {
    id: "a".repeat(25),
    state: "failed",
    desired: "shutdown",
    createdAtMs: now - 9,
  });
  const outgoing = aTask(web, { id: "b".repeat(25), createdAtMs: now - 8 });
  const starting = aTask(web, { id: "c".repeat(25), state: "starting", health: null, createdAtMs: now - 7 });
  const tasks = [failed, outgoing, starting];
  const report = aReport({ tasks });
  expect(rowsOf(report, "my-web")).toEqual(["FRONTEND", "my-web.1", "BACKEND"]);
  expect(valuesOf(report, "my-web", "my-web.1").status).toBe("UP");
  const alone = aReport({ tasks: [failed, starting] });
  expect(valuesOf(alone, "my-web", "my-web.1")).toMatchObject({ status: "DOWN", last_chk: "starting" });
});

test("[Z8] a removed slot is no server once its task has stopped", () => {
  const leaving = aTask(web, { slot: 2, desired: "remove" });
  expect(valuesOf(aReport({ tasks: [leaving] }), "my-web", "my-web.2").status).toBe("DRAIN");
  const stopped = { ...leaving, state: "shutdown" as const };
  expect(rowsOf(aReport({ tasks: [stopped] }), "my-web")).toEqual(["FRONTEND", "BACKEND"]);
});

test("[Z8] an ended task without a replacement is a server that is down, with its error as the reason", () => {
  const task = aTask(web, { state: "failed", err: "exit 137", health: null });
  expect(valuesOf(aReport({ tasks: [task] }), "my-web", "my-web.1")).toMatchObject({
    status: "DOWN",
    check_status: "UNK",
    last_chk: "failed: exit 137",
  });
});

test.each([
  [null, "no check", undefined],
  [healthy, "UP", 4],
  [unwell("healthy", false, 1), "UP 2/3", 3],
  [unwell("healthy", false, 2), "UP 1/3", 2],
  [unwell("unhealthy", false, 3), "DOWN", 0],
  [unwell("unhealthy", true, 1), "DOWN 1/2", 1],
] as const)("[Z9] a task's health %j reads %s, with HAProxy's counter", (health, status, counter) => {
  const values = valuesOf(aReport({ tasks: [aTask(web, { health })] }), "my-web", "my-web.1");
  expect(values.status).toBe(status);
  expect(values.check_health).toBe(counter);
});

test.each([
  ["L7OK/200 in 3ms", { check_status: "L7OK", check_code: 200, check_duration: 3, last_chk: "" }],
  ["L4CON in 0ms", { check_status: "L4CON", check_duration: 0, check_desc: "Layer4 connection problem" }],
  ["L4TOUT in 1001ms (port 443)", { check_status: "L4TOUT", check_duration: 1001, last_chk: "port 443" }],
  ["", { check_status: "INI" }],
  ["answered, but oddly", { check_status: "UNK", last_chk: "answered, but oddly" }],
])("[Z9] the check %j fills HAProxy's columns", (lastCheck, columns) => {
  const task = aTask(web, { health: { ...healthy, lastCheck } });
  expect(valuesOf(aReport({ tasks: [task] }), "my-web", "my-web.1")).toMatchObject(columns);
});

test("[Z9] a task on an unreachable node is down, unless its service has no other", () => {
  const nodes = [aNode(), aNode({ hostname: "node2", state: "down" })];
  const lost = aTask(web, { slot: 2, nodeId: nodes[1]?.id ?? "" });
  const both = aReport({ nodes, tasks: [aTask(web), lost] });
  expect(valuesOf(both, "my-web", "my-web.2").status).toBe("DOWN");
  expect(valuesOf(both, "my-web", "BACKEND")).toMatchObject({ status: "UP", act: 1 });
  const alone = aReport({ nodes, tasks: [lost] });
  expect(valuesOf(alone, "my-web", "my-web.2").status).toBe("UP");
  expect(valuesOf(alone, "my-web", "BACKEND")).toMatchObject({ status: "UP", act: 1 });
});

test("[Z10] a backend is up while a server gets requests, and sums their weights", () => {
  const sick = aTask(web, { slot: 2, health: unwell("unhealthy", false, 3) });
  expect(valuesOf(aReport({ tasks: [aTask(web), sick] }), "my-web", "BACKEND")).toMatchObject({
    status: "UP",
    weight: 1,
    act: 1,
    bck: 0,
  });
  expect(valuesOf(aReport({ tasks: [sick] }), "my-web", "BACKEND").status).toBe("DOWN");
  expect(valuesOf(aReport({ tasks: [] }), "my-web", "BACKEND").status).toBe("DOWN");
});

test("[Z9] a task in drain or maint has that status, and gets no new requests", () => {
  const drained = aTask(web, { admin: "drain" });
  const failing = aTask(web, { slot: 2, admin: "drain", health: unwell("healthy", false, 1) });
  const set = aTask(web, { slot: 3, admin: "maint" });
  const report = aReport({ tasks: [drained, failing, set] });
  const statuses = [1, 2, 3].map((slot) => valuesOf(report, "my-web", `my-web.${slot}`).status);
  expect(statuses).toEqual(["DRAIN", "DRAIN 2/3", "MAINT"]);
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject({ status: "DOWN", act: 0 });
});

test("[Z9] a static server fills HAProxy's own columns", () => {
  const check = withCheckDefaults({ interMs: 1_000 }, { tls: false });
  const spec = aServerSpec({ name: "s1", host: "10.0.0.1", port: 8080, weight: 3, maxConn: 50, check });
  const last = { word: "L7STS", code: 503, durationMs: 4 } as const;
  const health = {
    ...initialServerHealth(check, now - 9_000),
    counter: 0,
    up: false,
    last,
    fails: 5,
    downs: 2,
    downMs: 1_000,
  };
  const server = { ...aServer(web, spec), health };
  const report = aReport({
    servers: [server, aServer(web, aServerSpec({ name: "b", backup: true }))],
  });
  expect(valuesOf(report, "my-web", "s1")).toMatchObject({
    status: "DOWN",
    weight: 3,
    slim: 50,
    addr: "10.0.0.1:8080",
    check_status: "L7STS",
    check_code: 503,
    chkfail: 5,
    chkdown: 2,
    lastchg: 9,
    downtime: 10,
  });
  expect(valuesOf(report, "my-web", "b")).toMatchObject({ status: "no check", act: 0, bck: 1 });
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject({ act: 2, bck: 1 });
});

test("[Z10] weights, backups, limits and policy from labels are in HAProxy's columns", () => {
  const labels = {
    "waggle.balance": "leastconn",
    "waggle.weight": "slot==1:4",
    "waggle.backup": "slot==3",
    "waggle.maxconn": "10",
    "waggle.queue": "20",
    "waggle.slowstart": "2m",
    "waggle.sticky": "SRV",
  };
  const balanced = aService({ labels });
  const sick = aTask(balanced, { slot: 3, health: unwell("unhealthy", false, 3) });
  const report = aReport({
    services: [balanced],
    tasks: [aTask(balanced), aTask(balanced, { slot: 2 }), sick],
  });
  expect(valuesOf(report, "my-web", "my-web.1")).toMatchObject({
    weight: 4,
    slim: 10,
    qlimit: 20,
    throttle: 50,
  });
  expect(valuesOf(report, "my-web", "my-web.3")).toMatchObject({ status: "DOWN", act: 0, bck: 1 });
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject({
    algo: "leastconn",
    cookie: "SRV",
    weight: 5,
    act: 2,
    bck: 0,
  });
});

test("[Z9] a task that gets no new clients because it will soon be replaced is DRAIN", () => {
  const sticky = aService({ labels: { "waggle.sticky": "SRV" } });
  const nodes = [aNode(), aNode({ hostname: "node2", availability: "drain" })];
  const leaving = aTask(sticky, { slot: 2, nodeId: nodes[1]?.id ?? "" });
  const report = aReport({ nodes, services: [sticky], tasks: [aTask(sticky), leaving] });
  expect(valuesOf(report, "my-web", "my-web.2").status).toBe("DRAIN");
  expect(valuesOf(report, "my-web", "BACKEND")).toMatchObject({ status: "UP", act: 1 });
});

test("[Z5] the rows of a proxy have unique names, whatever the names of its servers", () => {
  const servers = ["my-web.1", "BACKEND"].map((name) => aServer(web, aServerSpec({ name })));
  const names = rowsOf(aReport({ tasks: [aTask(web)], servers }), "my-web");
  expect(names).toEqual(["FRONTEND", "my-web.1", "BACKEND'", "my-web.1'", "BACKEND"]);
});

test("[Z5] a mesh without nodes has no balancer proxy", () => {
  expect(aReport({ nodes: [] }).proxies.map(({ name }) => name)).toEqual(["my-web"]);
});

function unwell(verdict: HealthReport["verdict"], ok: boolean, length: number): HealthReport {
  return { ...healthy, verdict, streak: { ok, length }, lastCheck: "L7STS/503 in 1ms" };
}
