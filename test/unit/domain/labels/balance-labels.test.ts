import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { compileTable } from "../../../../src/domain/compile/compile-table.ts";
import { checkLabels, knownLabels } from "../../../../src/domain/labels/labels.ts";
import type { Task } from "../../../../src/domain/model/task.ts";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { verdict } from "../../../support/labels.ts";
import { aNode, aService, aTask, aWorld, healthy, now } from "../../../support/world.ts";

const large = aNode({ hostname: "node1", labels: { size: "large" } });
const small = aNode({ hostname: "node2", address: "127.0.0.3", labels: { zone: "b" } });

/** The service in the table, by default with one task on each of two nodes. */
function compiled(labels: Record<string, string>, over: Partial<Task> = {}, nodes = [large, small]) {
  const service = aService({ labels });
  const tasks = nodes.map(({ id }, index) => aTask(service, { slot: index + 1, nodeId: id, ...over }));
  const table = compileTable(aWorld(nodes, [service], tasks), 1);
  expect(readTable(printTable(table))).toEqual(table);
  return table.services[0];
}

const weights = (labels: Record<string, string>) =>
  compiled(labels)
    ?.tasks.toSorted((a, b) => a.slot - b.slot)
    .map(({ weight, backup }) => `${weight}${backup === true ? " backup" : ""}`);

test("[K36] waggle.via is true or false, and without it tasks get no Via of the mesh", () => {
  expect(compiled({ "waggle.via": "true" })?.options).toEqual({ via: true });
  expect(compiled({ "waggle.via": "false" })).not.toHaveProperty("options");
  expect(verdict({ "waggle.via": "yes" })).toBe("label 'waggle.via' is 'yes': write true or false");
});

test("[W5] labels set the policy and the options", () => {
  expect(compiled({})).not.toHaveProperty("options");
  expect(compiled({})?.policy).toBe("roundrobin");
  expect(compiled({ "waggle.balance": "path" })?.policy).toBe("uri");
  expect(compiled({ "waggle.balance": "hdr(X-User)" })?.policy).toBe("hdr(x-user)");
  expect(
    compiled({
      "waggle.balance": "cookie(Session)",
      "waggle.sticky": "WAGGLE",
      "waggle.maxconn": "20",
      "waggle.queue": "0",
      "waggle.queue-timeout": "250",
      "waggle.slowstart": "2m",
      "waggle.marker": "X-Served-By",
      "waggle.canary": "my-web-next",
      "waggle.canary.weight": "10%",
      "waggle.canary.header": "X-Canary=1",
      "waggle.canary.cookie": "beta",
    }),
  ).toMatchObject({
    policy: "cookie(Session)",
    options: {
      sticky: "WAGGLE",
      maxconn: 20,
      queue: 0,
      queueTimeoutMs: 250,
      slowStartMs: 120_000,
      marker: "x-served-by",
      canary: {
        service: "my-web-next",
        percent: 10,
        header: { name: "x-canary", value: "1" },
        cookie: { name: "beta" },
      },
    },
  });
});

test("[K30] labels set how requests are timed and sent", () => {
  expect(
    compiled({
      "waggle.head-timeout": "90s",
      "waggle.silence": "0",
      "waggle.hedge": "false",
      "waggle.retries": "0",
      "waggle.replay": "64k",
      "waggle.body-timeout": "2m",
      "waggle.maxconn": "2",
      "waggle.queue": "unlimited",
    })?.options,
  ).toEqual({
    maxconn: 2,
    queue: "unlimited",
    headTimeoutMs: 90_000,
    silenceMs: 0,
    hedge: false,
    retries: 0,
    replayBytes: 65_536,
    bodyTimeoutMs: 120_000,
  });
});

test.each([
  [{ "waggle.head-timeout": "0" }, /is '0': write a duration such as 500ms, 30s or 5m, up to 24h$/],
  [{ "waggle.silence": "long" }, /is 'long': write a duration such as .*, or 0 for never/],
  [{ "waggle.body-timeout": "25h" }, /is '25h': write a duration .* up to 24h/],
  [{ "waggle.hedge": "no" }, /is 'no': write true or false/],
  [{ "waggle.retries": "4" }, /is '4': write a whole number from 0 to 3/],
  [{ "waggle.retries": "-1" }, /is '-1': write a whole number from 0 to 3/],
  [{ "waggle.replay": "2m" }, /is '2m': write a size in bytes from 0 to 1m, such as 65536 or 64k/],
  [{ "waggle.maxconn": "1", "waggle.queue": "all" }, /is 'all': write a whole number from 0, or unlimited/],
])("[K30] %j is refused with what would work", (labels, message) => {
  expect(verdict(labels)).toMatch(message);
});

test("[W5] a task shows since when it is healthy only if its service has a slow start", () => {
  const health = { ...healthy, sinceMs: now - 5_000 };
  expect(compiled({ "waggle.slowstart": "30s" }, { health })?.tasks[0]?.sinceMs).toBe(now - 5_000);
  expect(compiled({ "waggle.slowstart": "30s" }, { health: null, ranSinceMs: 7 })?.tasks[0]?.sinceMs).toBe(7);
  expect(compiled({}, { health })?.tasks[0]).not.toHaveProperty("sinceMs");
});

test.each([
  [{ "waggle.balance": "fastest" }, /is 'fastest': write roundrobin, leastconn, random, source, uri, hdr/],
  [{ "waggle.balance": "hdr(a b)" }, /write roundrobin/],
  [{ "waggle.sticky": "a;b" }, /write a cookie name/],
  [{ "waggle.marker": "a b" }, /write a header name/],
  [{ "waggle.maxconn": "0" }, /is '0': write a whole number from 1/],
  [{ "waggle.queue": "5" }, /'waggle.queue' needs 'waggle.maxconn'/],
  [
    { "waggle.maxconn": "5", "waggle.queue-timeout": "soon" },
    /is 'soon': write a duration such as 500ms, 30s/,
  ],
  [{ "waggle.slowstart": "25h" }, /up to 24h/],
  [{ "waggle.weight": "node1" }, /has 'node1': write CONDITION:WEIGHT/],
  [{ "waggle.weight": "slot==1:257" }, /weights from 0 to 256/],
  [{ "waggle.weight": "zone==a:2" }, /key 'zone' is invalid: use node.id, .*; or slot==N/],
  [{ "waggle.backup": "" }, /constraint expected one operator from ==, !=; or slot==N/],
  [{ "waggle.canary": "no service" }, /write a service name/],
  [{ "waggle.canary.weight": "10" }, /'waggle.canary.weight' needs 'waggle.canary'/],
  [
    { "waggle.canary": "next", "waggle.canary.weight": "101%" },
    /write a share of the requests from 0% to 100%/,
  ],
  [{ "waggle.canary": "next", "waggle.canary.header": "X=" }, /write a header name, or NAME=VALUE/],
])("[W5] %j is refused with what would work", (labels, message) => {
  expect(verdict(labels)).toMatch(message);
});

test("[W5] docs/labels.md lists exactly the labels the mesh reads", () => {
  const text = readFileSync(new URL("../../../../docs/labels.md", import.meta.url), "utf8");
  const rows = [...text.matchAll(/^\| `(waggle\.[a-z.-]+)` \|/gm)].map((found) => found[1]);
  expect(rows.toSorted()).toEqual(knownLabels.toSorted());
});

test("[W6] a task has the first weight whose condition holds, else 1", () => {
  expect(weights({})).toEqual(["1", "1"]);
  expect(weights({ "waggle.weight": "node.labels.size==large:4" })).toEqual(["4", "1"]);
  expect(weights({ "waggle.weight": "slot==2:0, node.hostname!=node9:3" })).toEqual(["3", "0"]);
  expect(weights({ "waggle.weight": "node.hostname==node1:2,5" })).toEqual(["2", "5"]);
  expect(weights({ "waggle.backup": "node.labels.zone==b,slot==9" })).toEqual(["1", "1 backup"]);
});

test.each(["waggle", "waggle-8787", "__Host-waggle"])(
  "[X151] %s, a name of the dashboard's session cookie, cannot be a sticky cookie",
  (name) => {
    expect(() => checkLabels({ "waggle.sticky": name })).toThrow(/a name of the dashboard's session cookie/);
  },
);

test.each([
  { "waggle.host": "www.example.com, Control.localhost" },
  { "waggle.host": "a.control.localhost" },
  { "waggle.path": "control.localhost/api" },
])("[X154] %j is refused: the host name is the control API's own", (labels) => {
  expect(() => checkLabels(labels)).toThrow(/is the control API's own/);
});

test("[W7] tasks on a draining node get no new sticky clients, unless there are no other tasks", () => {
  const drains = (sticky: boolean, ...leaving: string[]) =>
    compiled(sticky ? { "waggle.sticky": "w" } : {}, {}, [
      { ...large, availability: leaving.includes("node1") ? "drain" : "active" },
      { ...small, ...(leaving.includes("node2") && { leaving: true }) },
    ])
      ?.tasks.toSorted((a, b) => a.slot - b.slot)
      .map(({ drain }) => drain === true);
  expect(drains(true)).toEqual([false, false]);
  expect(drains(true, "node1")).toEqual([true, false]);
  expect(drains(true, "node1", "node2")).toEqual([false, false]);
  expect(drains(false, "node1")).toEqual([false, false]);
});

test("[W30] backups share the requests by default; with waggle.allbackups=false the first available slot gets them", () => {
  const backups = { "waggle.backup": "slot==1,slot==2" };
  expect(weights(backups)).toEqual(["1 backup", "1 backup"]);
  expect(weights({ ...backups, "waggle.allbackups": "true" })).toEqual(["1 backup", "1 backup"]);
  const standby = (labels: Record<string, string>) =>
    compiled({ ...backups, "waggle.allbackups": "false", ...labels })
      ?.tasks.toSorted((a, b) => a.slot - b.slot)
      .map((task) => task.standby ?? false);
  expect(standby({})).toEqual([false, true]);
  expect(standby({ "waggle.weight": "slot==1:0" })).toEqual([true, false]);
  expect(verdict({ "waggle.allbackups": "yes" })).toBe(
    "label 'waggle.allbackups' is 'yes': write true or false",
  );
});

test("[O85] waggle.host-header is a host name or address, with a port or without one", () => {
  for (const host of ["app.internal", "App.internal:8080", "10.0.0.5", "[fd00::5]:80"]) {
    expect(compiled({ "waggle.host-header": host })?.options).toEqual({ hostHeader: host });
  }
  for (const host of ["", "a b", "http://a", "a:99999", "a/b", "[::1", "a\r\nx: y"]) {
    expect(verdict({ "waggle.host-header": host })).toContain("write a host name with or without a port");
  }
});
