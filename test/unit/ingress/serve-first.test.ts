// Requests by an old table: served at once, and corrected by gateways, or by the registry where there is none.

import { expect, test } from "vitest";
import type { RoutingTable, TableGateway } from "../../../src/domain/table/table.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { disconnectedAfterMs, trustedForMs } from "../../../src/proxy/routing/table-cache.ts";
import { serviceOf, tableOf, taskId } from "../../support/dataplane.ts";
import { registryReply } from "../../support/test-table.ts";
import { inProcessPlane, refused, type Task, testGatewayKeys } from "./in-process-plane.ts";
import {
  type Arrival,
  accept,
  type Behavior,
  baseOf,
  gatewayTable,
  testGateway,
  tunnelOf,
} from "./test-gateway.ts";

const hourMs = 3_600_000;
const requests = [{}, { method: "POST", body: "order" }, { method: "POST" }] as const;

/** A registry whose calls the test counts and breaks. */
class TestRegistry {
  table: RoutingTable;
  keys: readonly { readonly id: string; readonly secret: string }[] = testGatewayKeys;
  isDown = false;
  calls = 0;

  constructor(table: RoutingTable) {
    this.table = table;
  }

  readonly call = async ({ afterVersion }: { readonly afterVersion: number }) => {
    this.calls += 1;
    if (this.isDown) throw new Error("down");
    const { version } = this.table;
    const text = version > afterVersion ? printTable(this.table) : null;
    return registryReply({ version, text, ...(text !== null && { gatewayKeys: this.keys }) });
  };
}

/** A table whose tasks run under other ids, behind gateways at the bases of `nodes`. */
function movedTable(
  version: number,
  service = "my-web",
  gateway?: (base: string) => TableGateway,
): RoutingTable {
  const table = gatewayTable(version);
  return {
    ...table,
    nodes: table.nodes.map((node) => ({
      ...node,
      ...(gateway && node.gateway && { gateway: gateway(node.gateway.base) }),
    })),
    services: table.services.map((one) => ({
      ...one,
      tasks: one.tasks.map((task, index) => ({ ...task, id: taskId(service, index + 1) })),
    })),
  };
}

/** A router that has had no request for an hour, whose tasks have moved since. */
async function quietRouter(after: RoutingTable, behavior: Behavior, secret?: string) {
  const registry = new TestRegistry(gatewayTable(1));
  const arrivals: Arrival[] = [];
  const behaviors = Object.fromEntries(
    ["node1", "node2", "node3"].flatMap((node) => [[baseOf(node), behavior]]),
  );
  const dialGateway = testGateway((arrival) => arrivals.push(arrival), behaviors, secret);
  const mesh = inProcessPlane(gatewayTable(1), {}, { dialGateway, callRegistry: registry.call });
  await mesh.plane.tables.fresh();
  registry.table = after;
  mesh.state.nowMs += hourMs;
  registry.calls = 0;
  return { ...mesh, registry, arrivals };
}

/** Only tasks of the table after the move are there. */
const moved: Behavior = (attempt, answer, init) =>
  attempt.taskId.startsWith("next") ? accept(attempt, answer, init) : answer("gone", 503);

test("[X179] a request of any method whose task has moved since the router's last call is served", async () => {
  for (const request of requests) {
    const { send, registry, arrivals } = await quietRouter(movedTable(2, "next"), moved);
    expect((await send(request)).status).toBe(200);
    // One attempt finds the table old; the next one is by the new table.
    expect(new Set(arrivals.map(({ base }) => base)).size).toBeLessThanOrEqual(2);
    expect(registry.calls).toBe(1);
  }
});

test("[X179] without the registry, the other tasks of an old table are tried", async () => {
  const second = taskId("my-web", 2);
  const behavior: Behavior = (attempt, answer, init) =>
    attempt.taskId === second ? accept(attempt, answer, init) : answer("gone", 503);
  for (const request of requests) {
    const { send, registry } = await quietRouter(gatewayTable(1), behavior);
    registry.isDown = true;
    for (let turn = 0; turn < 3; turn += 1) expect((await send(request)).status).toBe(200);
  }
});

test("[X179] a recent table's tasks are all tried before the registry is asked", async () => {
  const { send, state, registry } = await quietRouter(movedTable(2, "next"), moved);
  state.nowMs -= hourMs - trustedForMs;
  expect((await send({ method: "POST" })).status).toBe(200);
  expect(registry.calls).toBe(1);
});

test("[X180] a router whose key has expired since its last call gets the new one, and no request fails", async () => {
  const newKey = { id: "k2", secret: "another secret of the mesh" };
  for (const transport of ["direct", "tunnel"] as const) {
    for (const request of requests) {
      const registry = new TestRegistry(withTransport(withOneTask(gatewayTable(1)), transport));
      const behaviors = { [baseOf("node1")]: accept, [tunnelOf("n")]: accept };
      const old = testGateway(() => undefined, behaviors);
      const next = testGateway(() => undefined, behaviors, newKey.secret);
      let isRotated = false;
      const mesh = inProcessPlane(
        registry.table,
        {},
        {
          dialGateway: (...args) => (isRotated ? next : old)(...args),
          callRegistry: registry.call,
        },
      );
      expect((await mesh.send(request)).status).toBe(200);
      isRotated = true;
      registry.keys = [newKey];
      registry.table = withTransport(withOneTask({ ...gatewayTable(2), signingKey: "k2" }), transport);
      mesh.state.nowMs += hourMs;
      expect([transport, request, (await mesh.send(request)).status]).toEqual([transport, request, 200]);
    }
  }
});

/** A table whose service has no other task to go to. */
function withOneTask(table: RoutingTable): RoutingTable {
  const services = table.services.map((service) => ({ ...service, tasks: service.tasks.slice(0, 1) }));
  return { ...table, services };
}

function withTransport(table: RoutingTable, transport: "direct" | "tunnel"): RoutingTable {
  const gateway = (base: string): TableGateway => ({ transport, base: transport === "tunnel" ? "" : base });
  return {
    ...table,
    nodes: table.nodes.map((node) => ({
      ...node,
      ...(node.gateway && { gateway: gateway(node.gateway.base) }),
    })),
  };
}

test("[X180] a task whose gateway has moved is tried again at its new address", async () => {
  for (const request of requests) {
    const next = movedTable(2, "my-web", (base) => ({
      transport: "direct",
      base: base.replace(".test", ".other.test"),
    }));
    const registry = new TestRegistry(withOneTask(gatewayTable(1)));
    const behaviors = Object.fromEntries(
      ["node1", "node2"].map((node) => [baseOf(`${node}.other`), accept] as const),
    );
    let isMoved = false;
    const dialGateway = testGateway(() => undefined, behaviors);
    const mesh = inProcessPlane(
      gatewayTable(1),
      {},
      {
        dialGateway: (gateway, ...rest) =>
          isMoved && !gateway.base.includes(".other")
            ? Promise.reject(new TypeError("connection refused"))
            : dialGateway(gateway, ...rest),
        callRegistry: registry.call,
      },
    );
    expect((await mesh.send(request)).status).toBe(200);
    isMoved = true;
    registry.table = withOneTask(next);
    mesh.state.nowMs += hourMs;
    expect((await mesh.send(request)).status).toBe(200);
  }
});

const [up, down] = ["http://up.test", "http://down.test"];

/** A table with one static server. */
function serverTable(version: number, origin: string): RoutingTable {
  const server = { id: `server${version}`, name: `web${version}`, origin, weight: 1 };
  return tableOf(version, { ...serviceOf("my-web", 8080, []), servers: [server] });
}

async function serverRouter(quietMs: number, tasks: Readonly<Record<string, Task>> = { [down]: refused }) {
  const registry = new TestRegistry(serverTable(1, down));
  const mesh = inProcessPlane(registry.table, tasks, { callRegistry: registry.call });
  await mesh.plane.tables.fresh();
  registry.table = serverTable(2, up);
  registry.calls = 0;
  mesh.state.nowMs += quietMs;
  return { ...mesh, registry };
}

test("[X181] a request that may be repeated goes to a static server of a table up to 90 s old at once", async () => {
  const responding = { [down]: () => new Response("old") };
  for (const [quietMs, text, calls] of [
    [trustedForMs, "old", 0],
    [trustedForMs + 1, up, 1],
  ] as const) {
    const { send, registry } = await serverRouter(quietMs, responding);
    const response = send();
    // Before the response, nothing else has called.
    expect(await (await response).text()).toBe(text);
    expect(registry.calls).toBe(calls);
  }
});

test("[X181] a POST goes to a static server that the registry has named in the last seconds", async () => {
  for (const [quietMs, status] of [
    [disconnectedAfterMs, 502],
    [disconnectedAfterMs + 1, 200],
  ] as const) {
    const { send } = await serverRouter(quietMs);
    expect((await send({ method: "POST" })).status).toBe(status);
  }
});

test("[X181] a removed server gets no request of a router that was quiet, and without the registry the old table counts", async () => {
  const { send, received } = await serverRouter(hourMs);
  for (const method of ["GET", "POST"]) expect((await send({ method })).status).toBe(200);
  expect(received.map(({ url }) => new URL(url).origin)).toEqual([up, up]);
  const away = await serverRouter(hourMs, { [down]: () => new Response("old") });
  away.registry.isDown = true;
  for (const method of ["GET", "POST"]) expect(await (await away.send({ method })).text()).toBe("old");
});
