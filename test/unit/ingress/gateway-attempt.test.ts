// Attempts at tasks behind gateways, as the data plane makes them. test/e2e/ has real gateways.

import { setImmediate } from "node:timers/promises";
import { expect, test, vi } from "vitest";
import type { TableGateway } from "../../../src/domain/table/table.ts";
import { edge } from "../../../src/edge/handle.ts";
import {
  attemptHeader,
  type GatewayAttempt,
  gatewayHeader,
  hostHeader,
  readAttempt,
  targetHeader,
} from "../../../src/gateway/attempt.ts";
import type { PlaneOptions } from "../../../src/proxy/plane.ts";
import { idOf, taskId } from "../../support/dataplane.ts";
import { until } from "../../support/until.ts";
import { inProcessPlane, rawEntry, rawRequest } from "./in-process-plane.ts";
import {
  type Arrival,
  accept,
  type Behavior,
  baseOf,
  gatewayTable,
  testGateway,
  tunnelOf,
} from "./test-gateway.ts";

const [first, second] = [baseOf("node1"), baseOf("node2")];

/** A plane with two tasks, on node1 and node2. @param behaviors by the base of a node */
function gatewayPlane(
  behaviors: Readonly<Record<string, Behavior>> = {},
  options: Partial<PlaneOptions> = {},
) {
  const arrivals: Arrival[] = [];
  const dialGateway = testGateway((arrival) => arrivals.push(arrival), behaviors);
  return { arrivals, ...inProcessPlane(gatewayTable(1), {}, { dialGateway, ...options }) };
}

test("[O70] an attempt has a proof for the task's node, the target as it came and the client's Host", async () => {
  const { send, arrivals } = gatewayPlane();
  const response = await send({ path: "/a?b=1", headers: { host: "shop.example.com:8080" } });
  expect(response.status).toBe(200);
  expect(response.headers.has(gatewayHeader)).toBe(false);
  expect(arrivals.map(({ kind }) => kind)).toEqual(["repeat"]);
  const [{ headers } = { headers: new Headers() }] = arrivals;
  expect(headers.get(targetHeader)).toBe("/a?b=1");
  expect(headers.get(hostHeader)).toBe("shop.example.com:8080");
  const { attempt } = readAttempt(headers.get(attemptHeader) ?? "") ?? {};
  expect(attempt).toMatchObject({ taskId: taskId("my-web", 1), port: 80, keyId: "k1" });
});

test("[O70] a client cannot set a header of the attempt, nor read the gateway's", async () => {
  const { send, arrivals } = gatewayPlane({
    [first]: (_attempt, answer) => {
      const response = answer("task");
      response.headers.set("x-waggle-node", "forged");
      return response;
    },
  });
  const forged = {
    "x-waggle-method": "DELETE",
    [targetHeader]: "/admin",
    [attemptHeader]: "1 k t 80 a 1 once p",
  };
  const response = await send({ path: "/a", headers: forged });
  expect([...response.headers.keys()].filter((name) => name.startsWith("x-waggle-"))).toEqual([]);
  const [{ headers } = { headers: new Headers() }] = arrivals;
  expect([headers.get("x-waggle-method"), headers.get(targetHeader)]).toEqual([null, "/a"]);
});

test("[O109] the trace of a debug request names the transport of each attempt", async () => {
  const { send } = gatewayPlane({ [first]: () => Promise.reject(new Error("no answer")) });
  const response = await send({ headers: { "x-waggle-debug": "1" }, entry: { mayDebug: () => true } });
  expect(response.headers.get("x-waggle-trace")).toMatch(
    /;slot=1;node=node1;transport=direct;.*;slot=2;node=node2;transport=direct;/,
  );
});

test("[O71] a POST is sent once the gateway has connected to the task for it, with the same id", async () => {
  const { send, arrivals } = gatewayPlane();
  const response = await send({ method: "POST", body: "order" });
  expect(response.status).toBe(200);
  expect(arrivals.map(({ kind }) => kind)).toEqual(["reserve", "once"]);
  const ids = arrivals.map(({ headers }) => readAttempt(headers.get(attemptHeader) ?? "")?.attempt.id);
  expect(ids[0]).toBe(ids[1]);
});

test.each(["refused", "gone", "full"] as const)(
  "[O71] a POST that a gateway could not deliver (%s) goes to another task, with its body",
  async (outcome) => {
    const bodies: string[] = [];
    const { send, arrivals } = gatewayPlane({
      [first]: (_attempt, answer) => answer(outcome, 503),
      [second]: async (attempt, answer, init) => {
        if (attempt.kind === "once") bodies.push(await new Response(init.body ?? null).text());
        return accept(attempt, answer, init);
      },
    });
    const response = await send({ method: "POST", body: "order" });
    expect([response.status, response.headers.get("base")]).toEqual([200, second]);
    expect(arrivals.map(({ base, kind }) => [base, kind])).toEqual([
      [first, "reserve"],
      [second, "reserve"],
      [second, "once"],
    ]);
    expect(bodies).toEqual(["order"]);
  },
);

test("[O71] a POST does not wait longer than a second for a gateway that is silent", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const { send, arrivals } = gatewayPlane({ [first]: () => new Promise(() => undefined) });
    const sent = send({ method: "POST", body: "order" });
    while (arrivals.length === 0) await setImmediate();
    await vi.advanceTimersByTimeAsync(999);
    for (let turn = 0; turn < 20; turn += 1) await setImmediate();
    expect(arrivals).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1);
    const response = await sent;
    expect([response.status, response.headers.get("base")]).toEqual([200, second]);
  } finally {
    vi.useRealTimers();
  }
});

test("[X201] the last gateway that is left may take ten seconds to connect, and any other one a second", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const slow: Behavior = async (attempt, answer, init) => {
      if (attempt.kind === "reserve") await new Promise((resolve) => setTimeout(resolve, 9_000));
      return accept(attempt, answer, init);
    };
    const { send, arrivals } = gatewayPlane({ [first]: slow, [second]: slow }, { headTimeoutMs: 30_000 });
    const sent = send({ method: "POST", body: "order" });
    while (arrivals.length === 0) await setImmediate();
    await vi.advanceTimersByTimeAsync(1_000);
    while (arrivals.length === 1) await setImmediate();
    await vi.advanceTimersByTimeAsync(9_000);
    const response = await sent;
    expect([response.status, response.headers.get("base")]).toEqual([200, second]);
    expect(arrivals.map(({ base, kind }) => [base, kind])).toEqual([
      [first, "reserve"],
      [second, "reserve"],
      [second, "once"],
    ]);
  } finally {
    vi.useRealTimers();
  }
});

test("[X201] a POST that no gateway connects for is refused after ten seconds more", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    const silent: Behavior = () => new Promise(() => undefined);
    const { send, arrivals } = gatewayPlane({ [first]: silent, [second]: silent }, { headTimeoutMs: 30_000 });
    const sent = send({ method: "POST", body: "order" });
    while (arrivals.length === 0) await setImmediate();
    await vi.advanceTimersByTimeAsync(1_000);
    while (arrivals.length === 1) await setImmediate();
    await vi.advanceTimersByTimeAsync(10_000);
    expect((await sent).status).toBe(503);
  } finally {
    vi.useRealTimers();
  }
});

test("[O71] a POST whose connection broke after it was sent is not sent again", async () => {
  const { send, arrivals } = gatewayPlane({
    [first]: ({ kind }, answer) =>
      answer(kind === "reserve" ? "ready" : "broken", kind === "reserve" ? 204 : 502),
  });
  const response = await send({ method: "POST", body: "order" });
  expect(response.status).toBe(502);
  expect(arrivals.map(({ kind }) => kind)).toEqual(["reserve", "once"]);
});

test.each([
  ["a gateway that is gone", () => Promise.reject(new TypeError("connection refused"))],
  ["another server at its address", () => new Response("welcome")],
  [
    "an outcome with another mark",
    () => new Response("x", { headers: { [gatewayHeader]: `task ${"a".repeat(22)}` } }),
  ],
  [
    "a broken connection to the task",
    (_: GatewayAttempt, answer: Parameters<Behavior>[1]) => answer("broken", 502),
  ],
] as const)("[O72] a GET that meets %s goes to another task", async (_what, behavior) => {
  const { send } = gatewayPlane({ [first]: behavior });
  const response = await send();
  expect([response.status, response.headers.get("base")]).toEqual([200, second]);
});

test("[O73] an attempt at a task that is gone makes the router fetch a newer table", async () => {
  const gone: Behavior = (_attempt, answer) => answer("gone", 503);
  const { send, state, afterVersions, plane } = gatewayPlane({ [first]: gone });
  await plane.tables.fresh();
  state.table = gatewayTable(2);
  expect((await send()).status).toBe(200);
  await until("the newer table", async () => plane.tables.held?.version === 2);
  expect(afterVersions).toEqual([-1, 1]);
});

test("[O74] a request that no gateway delivers is 503, and says so", async () => {
  const refuse: Behavior = (_attempt, answer) => answer("refused", 503);
  const { send } = gatewayPlane({ [first]: refuse, [second]: refuse });
  for (const method of ["GET", "POST"]) {
    const response = await send({ method });
    expect(response.status).toBe(503);
    expect(await response.text()).toContain("could not be reached");
  }
});

test("[O75] a table whose key the router does not have leads to no attempt", async () => {
  const { send, state, arrivals } = gatewayPlane();
  state.table = { ...gatewayTable(1), signingKey: "k9" };
  const response = await send();
  expect([response.status, arrivals.length]).toEqual([503, 0]);
});

test("[O76] a task whose node has no gateway gets no requests", async () => {
  const { send, state, arrivals } = gatewayPlane();
  const table = gatewayTable(1);
  state.table = {
    ...table,
    nodes: table.nodes.map(({ gateway, ...node }) =>
      node.id === idOf("node1") ? node : { ...node, gateway: gateway as TableGateway },
    ),
  };
  for (let count = 0; count < 4; count += 1) await send();
  expect(new Set(arrivals.map(({ base }) => base))).toEqual(new Set([second]));
});

test("[O85] the label waggle.host-header sets the Host of tasks, in place of the client's", async () => {
  const { send, state, arrivals } = gatewayPlane();
  const table = gatewayTable(1);
  const [service] = table.services;
  if (service === undefined) throw new Error("no service");
  state.table = { ...table, services: [{ ...service, options: { hostHeader: "app.internal:8080" } }] };
  await send();
  await send({ method: "POST", body: "order" });
  expect(arrivals.map(({ headers }) => headers.get(hostHeader))).toEqual(Array(3).fill("app.internal:8080"));
});

test.each([
  ["/?q='x'", "/?q='x'"],
  ["/a{b}^c", "/a{b}^c"],
  ["/%7B?x=%27", "/%7B?x=%27"],
  ["/a/../b'", "/a/../b'"],
  ["/./^", "/./^"],
  ["/a/%2e%2E/b{", "/a/%2e%2E/b{"],
  ["/a\\b{", "/a/b%7B"],
  ["/a#f", "/a"],
])("[O86] a task gets the target %s as %s", async (sent, got) => {
  const { plane, arrivals } = gatewayPlane();
  await edge(rawRequest(sent), rawEntry, { plane, waitUntil: () => undefined });
  expect(arrivals.map(({ headers }) => headers.get(targetHeader))).toEqual([got]);
});

const [firstTunnel, secondTunnel] = [tunnelOf(idOf("node1")), tunnelOf(idOf("node2"))];

test.each([
  ["absent", 503],
  ["lost", 503],
  ["full", 503],
] as const)(
  "[O77] a POST that the tunnel of a node did not deliver (%s) goes to another task",
  async (outcome, status) => {
    const lost: Behavior = () => new Response("x", { status, headers: { "x-waggle-tunnel": outcome } });
    const { send, state, arrivals } = gatewayPlane({ [firstTunnel]: lost });
    state.table = tunnelTable();
    const response = await send({ method: "POST" });
    expect([response.status, response.headers.get("base")]).toEqual([200, secondTunnel]);
    expect(arrivals.map(({ kind }) => kind)).toEqual(["once", "once"]);
  },
);

test("[O77] a POST through a tunnel is reserved only if its body streams", async () => {
  const { send, state, arrivals } = gatewayPlane();
  state.table = tunnelTable();
  await send({ method: "POST" });
  const body = new Blob(["order"]).stream();
  await send({ method: "POST", body, duplex: "half", headers: { "transfer-encoding": "chunked" } });
  expect(arrivals.map(({ kind }) => kind)).toEqual(["once", "reserve", "once"]);
});

test("[O77] a request that broke in a tunnel may have been delivered: a GET goes on, a POST does not", async () => {
  const broken: Behavior = ({ kind }, answer) =>
    kind === "reserve"
      ? answer("ready")
      : new Response("x", { status: 502, headers: { "x-waggle-tunnel": "broken" } });
  const { send, state } = gatewayPlane({ [firstTunnel]: broken });
  state.table = tunnelTable();
  expect((await send()).headers.get("base")).toBe(secondTunnel);
  const again = gatewayPlane({ [firstTunnel]: broken, [secondTunnel]: broken });
  again.state.table = tunnelTable();
  expect((await again.send({ method: "POST", body: "order" })).status).toBe(502);
});

test("[O77] a gateway at an address cannot claim a tunnel's outcome", async () => {
  const forged: Behavior = ({ kind }, answer) =>
    kind === "reserve"
      ? answer("ready")
      : new Response("x", { status: 503, headers: { "x-waggle-tunnel": "lost" } });
  const { send } = gatewayPlane({ [first]: forged, [second]: forged });
  expect((await send({ method: "POST", body: "order" })).status).toBe(502);
});

/** The table with nodes behind tunnels. */
function tunnelTable() {
  const table = gatewayTable(1);
  const nodes = table.nodes.map((node) => ({
    ...node,
    gateway: { transport: "tunnel" as const, base: "" },
  }));
  return { ...table, nodes };
}

test("[O221] through the relay a POST is reserved first: without an answer of the mesh it goes to another task", async () => {
  const arrivals: Arrival[] = [];
  const table = gatewayTable(1);
  const [node1] = table.nodes;
  const behaviors: Record<string, Behavior> = {
    [tunnelOf(node1?.id ?? "")]: () => Promise.reject(new Error("the mesh is unreachable")),
  };
  const tunneled = {
    ...table,
    nodes: table.nodes.map((node) =>
      node === node1 ? { ...node, gateway: { transport: "tunnel" as const, base: "" } } : node,
    ),
  };
  const dialGateway = testGateway((arrival) => arrivals.push(arrival), behaviors);
  const { send } = inProcessPlane(tunneled, {}, { dialGateway, usesRelay: true });
  for (let sent = 0; sent < 2; sent++) {
    const response = await send({ method: "POST", body: "order" });
    expect([response.status, response.headers.get("base")]).toEqual([200, second]);
  }
  expect(arrivals.filter(({ kind }) => kind === "once").map(({ base }) => base)).toEqual([second, second]);
  expect(arrivals.some(({ base, kind }) => base !== second && kind === "reserve")).toBe(true);
});
