import { expect, test } from "vitest";
import { printTable, readTable } from "../../../../src/domain/table/text.ts";
import { serviceOf, tableOf } from "../../../support/dataplane.ts";
import { inProcessPlane, refused } from "../../ingress/in-process-plane.ts";

const origins = ["http://127.0.0.2:1", "http://127.0.0.3:1"];
const server = { id: "a-server", name: "legacy", weight: 1, origin: "http://10.0.0.7:8080" };
const at = (node: string | null) => ({ entry: { node, role: node === null ? "edge" : "ingress" } }) as const;

/** The origins that get `count` requests in a row, sorted. */
async function spread(mesh: ReturnType<typeof inProcessPlane>, count: number, node: string | null = "node1") {
  const before = mesh.received.length;
  for (let i = 0; i < count; i += 1) await mesh.send(at(node));
  return mesh.origins().slice(before).sort();
}

test("[W2] a static server takes turns with the tasks, at every ingress port", async () => {
  const ports = [80, 81].map((target) => ({ target, published: 8000 + target, mode: "ingress" as const }));
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 1, origins, { ports, servers: [server] })));
  for (let i = 0; i < 6; i += 1) await mesh.send({ entry: { port: 8080 } });
  expect(mesh.origins().sort()).toEqual([...origins, ...origins, server.origin, server.origin].sort());
  await mesh.send({ entry: { port: 8081 } });
  expect(mesh.origins().at(-1)).toBe(server.origin);
});

test("[W2] a service of static servers only is served at every node", async () => {
  const mesh = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, [], { servers: [server] })));
  expect(await spread(mesh, 2, null)).toEqual([server.origin, server.origin]);
  const response = await mesh.send({ entry: { mayDebug: () => true }, headers: { "x-waggle-debug": "1" } });
  expect(response.headers.get("x-waggle-server")).toBe("legacy");
  expect(response.headers.get("x-waggle-task-node")).toBeNull();
  expect(response.headers.get("x-waggle-trace")).toMatch(/^a-server;server=legacy;/);
});

test("[W2] in host mode a node sends to its own tasks and to no static server", async () => {
  const mesh = inProcessPlane(
    tableOf(1, serviceOf("my-web", 8080, origins, { mode: "host", servers: [server] })),
  );
  expect(await spread(mesh, 3)).toEqual([origins[0], origins[0], origins[0]]);
});

test("[W3] a backup is used only if no other task is left, and a server in drain gets no new clients", async () => {
  const servers = [
    { ...server, backup: true as const },
    { ...server, id: "b-server", name: "leaving", drain: true as const, origin: "http://10.0.0.8:8080" },
  ];
  const service = serviceOf("my-web", 8080, origins, { servers });
  expect(await spread(inProcessPlane(tableOf(1, service)), 4)).toEqual([...origins, ...origins].sort());
  expect(await spread(inProcessPlane(tableOf(1, { ...service, tasks: [] })), 2)).toEqual([
    server.origin,
    server.origin,
  ]);
  const failing = Object.fromEntries(origins.map((origin) => [origin, refused]));
  const mesh = inProcessPlane(tableOf(1, service), failing);
  expect(await (await mesh.send()).text()).toBe(server.origin);
});

test("[W30] a backup on standby gets no new clients, even if all others fail", async () => {
  const backup = { ...server, backup: true as const };
  const standby = { ...backup, id: "b-server", standby: true as const, origin: "http://10.0.0.8:8080" };
  const service = serviceOf("my-web", 8080, [], { servers: [backup, standby] });
  expect(await spread(inProcessPlane(tableOf(1, service)), 3)).toEqual(Array(3).fill(server.origin));
  const failing = inProcessPlane(tableOf(1, service), { [server.origin]: refused });
  expect((await failing.send()).status).toBe(502);
  expect(failing.origins()).not.toContain(standby.origin);
});

test("[W1] the edge does not pick a node in drain or maint, whose own entry point keeps serving", async () => {
  const base = tableOf(1, serviceOf("my-web", 8080, origins));
  const nodesIn = (...states: ("drain" | "maint" | null)[]) => ({
    ...base,
    nodes: base.nodes.map((node, index) => {
      const admin = states[index] ?? null;
      return admin === null ? node : { ...node, admin };
    }),
  });
  const entries = async (table: typeof base) => {
    const mesh = inProcessPlane(table);
    const headers = { "x-waggle-debug": "1" };
    const responses = [1, 2, 3, 4].map(() =>
      mesh.send({ entry: { role: "edge", node: null, mayDebug: () => true }, headers }),
    );
    const nodes = (await Promise.all(responses)).map(({ headers }) => headers.get("x-waggle-node"));
    return [...new Set(nodes)].sort();
  };
  expect(await entries(nodesIn("drain"))).toEqual(["node2"]);
  expect(await entries(nodesIn("drain", "maint"))).toEqual(["node3"]);
  const mesh = inProcessPlane(nodesIn("drain", "maint", "drain"));
  const refusal = await mesh.send(at(null));
  expect(refusal.status).toBe(503);
  expect(await refusal.text()).toContain("every node that could serve this request is in drain or maint");
  expect((await mesh.send(at("node1"))).status).toBe(200);
  const hostMode = serviceOf("my-web", 8080, origins, { mode: "host" });
  expect(
    (await inProcessPlane({ ...nodesIn("drain", "drain"), services: [hostMode] }).send(at(null))).status,
  ).toBe(503);
});

test("[W4] a table prints the options that are set, and a reader of format 3 reads format 2", () => {
  const text = `waggle-table 3
version 1
default my-web
key -
node node1 n1 drain 127.0.0.2 - - -
node node2 n2 down,maint 127.0.0.3 - - -
service my-web s1 hdr(x-user)
  publish 8080:80/ingress
  option sticky waggle
  option maxconn 20
  option queue 100
  option queue-timeout 5000ms
  option slowstart 30000ms
  option marker x-task
  option canary my-web-next 10%
  option canary-header x-canary=1
  option canary-cookie beta
  server s1 legacy weight 3 backup drain maxconn 5 since 1700000000000 http://10.0.0.7:8080
  task t1 slot 1 on node1 weight 2 backup 80=http://127.0.0.2:1
`;
  expect(printTable(readTable(text))).toBe(text);
  const old = text.replace("table 3", "table 2").replace("key -\n", "").replaceAll(" - - -\n", " -\n");
  expect(readTable(old)).toEqual(readTable(text));
  for (const [valid, invalid] of [
    ["hdr(x-user)", "hdr(X-User)"],
    ["leastconn", "first"],
    ["option maxconn 20", "option maxconn 0"],
    ["option queue 100", "option sticky again"],
    ["x-task", "X-Task"],
    ["10%", "101%"],
    ["x-canary=1", "x canary=1"],
    ["backup drain", "drain backup"],
  ] as const) {
    const changed = text.replace("hdr(x-user)", valid === "leastconn" ? "leastconn" : "hdr(x-user)");
    expect(() => readTable(changed.replace(valid, invalid)), invalid).toThrow(/^routing table, line \d+: /);
  }
});
