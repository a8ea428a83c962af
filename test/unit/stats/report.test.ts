import { expect, test } from "vitest";
import type { HealthReport } from "../../../src/domain/task.ts";
import { proxyIds } from "../../../src/stats/proxy-id.ts";
import { aNode, aService, aTask, healthy, now } from "../../support/world.ts";
import { aReport, rowsOf, valuesOf } from "./support.ts";

const web = aService();

test("[Z5] the balancer over the nodes comes first, then every service that publishes a port, by name", () => {
  const other = (name: string) => aService({ name });
  const report = aReport({
    services: [web, other("api"), aService({ name: "worker", ports: [] })],
    tasks: [],
  });
  expect(report.proxies.map(({ name }) => name)).toEqual(["waggle.nodes", "api", "my-web"]);
});

test("[Z5] each proxy is its frontend, its servers in their order, its backend", () => {
  const tasks = [10, 2, 1].map((slot) => aTask(web, { slot }));
  expect(rowsOf(aReport({ tasks }), "my-web")).toEqual([
    "FRONTEND",
    "my-web.1",
    "my-web.2",
    "my-web.10",
    "BACKEND",
  ]);
});

test("[Z6] a proxy's number is its own, and stays when others come and go", () => {
  const ids = Array.from({ length: 500 }, (_, index) => `service${index}`);
  const all = proxyIds(ids);
  expect(new Set(all.values()).size).toBe(500);
  for (const id of ["service0", "service250", "service499"]) expect(proxyIds([id]).get(id)).toBe(all.get(id));
  expect([...all.values()].every((number) => number > 1 && number < 2 ** 31)).toBe(true);
});

test("[Z6] of two ids with one number the younger takes the next", () => {
  // Both hash to the same 31 bits under FNV-1a.
  const [older, younger] = ["collision-95988", "collision-622672"];
  const numbers = proxyIds([older, younger]);
  expect(new Set(numbers.values()).size).toBe(2);
  expect(numbers.get(older)).toBe(proxyIds([older]).get(older));
});

test("[Z7] a node is UP while it is heard, DRAIN while the operator drains it or it leaves, else DOWN", () => {
  const nodes = [
    aNode({ hostname: "a" }),
    aNode({ hostname: "b", availability: "drain" }),
    aNode({ hostname: "c", leaving: true }),
    aNode({ hostname: "d", state: "down", message: "heartbeat failure", availability: "drain" }),
    aNode({ hostname: "e", availability: "pause" }),
  ];
  const report = aReport({ nodes });
  const statuses = ["a", "b", "c", "d", "e"].map((name) => valuesOf(report, "waggle.nodes", name).status);
  expect(statuses).toEqual(["UP", "DRAIN", "DRAIN", "DOWN", "UP"]);
  expect(valuesOf(report, "waggle.nodes", "d").last_chk).toBe("heartbeat failure");
  expect(valuesOf(report, "waggle.nodes", "BACKEND")).toMatchObject({ status: "UP", act: 2, weight: 2 });
});

test("[Z7] of two nodes with one name, the machine that joined anew is shown", () => {
  const old = aNode({ id: "old".padEnd(25, "0"), state: "down", createdAtMs: now - 9_000 });
  const anew = aNode({ id: "new".padEnd(25, "0"), createdAtMs: now - 1_000 });
  for (const nodes of [
    [old, anew],
    [anew, old],
  ]) {
    expect(rowsOf(aReport({ nodes }), "waggle.nodes")).toEqual(["FRONTEND", "node1", "BACKEND"]);
    expect(valuesOf(aReport({ nodes }), "waggle.nodes", "node1").status).toBe("UP");
  }
});

test("[Z8] a slot is one server, shown by the task in it that takes requests", () => {
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

test("[Z8] a slot that was given up is no server once its task has stopped", () => {
  const leaving = aTask(web, { slot: 2, desired: "remove" });
  expect(valuesOf(aReport({ tasks: [leaving] }), "my-web", "my-web.2").status).toBe("DRAIN");
  const gone = { ...leaving, state: "shutdown" as const };
  expect(rowsOf(aReport({ tasks: [gone] }), "my-web")).toEqual(["FRONTEND", "BACKEND"]);
});

test("[Z8] a task that ended and is not followed is a server that is down, with its end as the reason", () => {
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
])("[Z9] the check %j is told in HAProxy's columns", (lastCheck, columns) => {
  const task = aTask(web, { health: { ...healthy, lastCheck } });
  expect(valuesOf(aReport({ tasks: [task] }), "my-web", "my-web.1")).toMatchObject(columns);
});

test("[Z9] a task on a node that is not heard is down, unless its service has nobody else", () => {
  const nodes = [aNode(), aNode({ hostname: "node2", state: "down" })];
  const lost = aTask(web, { slot: 2, nodeId: nodes[1]?.id ?? "" });
  const both = aReport({ nodes, tasks: [aTask(web), lost] });
  expect(valuesOf(both, "my-web", "my-web.2").status).toBe("DOWN");
  expect(valuesOf(both, "my-web", "BACKEND")).toMatchObject({ status: "UP", act: 1 });
  const alone = aReport({ nodes, tasks: [lost] });
  expect(valuesOf(alone, "my-web", "my-web.2").status).toBe("UP");
  expect(valuesOf(alone, "my-web", "BACKEND")).toMatchObject({ status: "UP", act: 1 });
});

test("[Z10] a backend is up while a server takes requests, and sums what they weigh", () => {
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

function unwell(verdict: HealthReport["verdict"], ok: boolean, length: number): HealthReport {
  return { ...healthy, verdict, streak: { ok, length }, lastCheck: "L7STS/503 in 1ms" };
}
