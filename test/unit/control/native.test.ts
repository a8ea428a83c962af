import { expect, test } from "vitest";
import { remoteTelemetry } from "../../../src/control/remote-telemetry.ts";
import { isPrintable } from "../../../src/domain/model/printable.ts";
import { applyTableChange } from "../../../src/domain/table/apply-change.ts";
import { printTable, readTable } from "../../../src/domain/table/text.ts";
import { protocolVersion } from "../../../src/protocol/agent.ts";
import { readAgentUpgrade } from "../../../src/protocol/agent-upgrade.ts";
import { MeshStatus } from "../../../src/protocol/status.ts";
import { operationNames } from "../../../src/registry/api.ts";
import { machine } from "../registry/harness.ts";
import { delta, entryDelta } from "../telemetry/deltas.ts";
import { TestControl, viewerToken } from "./support.ts";

test("[A28] a machine joins with only the join token and gets a node's credential", async () => {
  const control = new TestControl(0);
  const { worker } = control.mesh.registry.joinTokens();
  const body = { protocol: protocolVersion, token: worker, node: machine("node1", "127.0.0.2") };
  const { status, json } = await control.ask("POST /mesh/join", { body, token: null });
  expect([status, Object.keys(json).sort()]).toEqual([200, ["credential", "nodeId"]]);
  expect(control.mesh.registry.agents.authenticateNode(json.nodeId, json.credential)).toBe(true);
});

test.each([2, protocolVersion])("[N102] an agent of protocol %i is accepted", (version) => {
  const headers = new Headers({
    "x-waggle-protocol": String(version),
    "x-waggle-node": "n".repeat(25),
    authorization: "Bearer credential",
  });
  const claim = { nodeId: "n".repeat(25), credential: "credential", joinToken: null };
  expect(readAgentUpgrade(headers)).toEqual(claim);
});

test.each([
  ["a wrong token", { token: "SWMTKN-1-a-b" }, 401, "invalid join token"],
  [
    "an older protocol",
    { protocol: 0 },
    426,
    "this agent speaks protocol 0 and the mesh 3: update the agent",
  ],
  [
    "a newer protocol",
    { protocol: protocolVersion + 1, node: "new" },
    426,
    "this agent speaks protocol 4 and the mesh 3: update the mesh first",
  ],
  ["no protocol", { protocol: undefined }, 400, "cannot read the join request: protocol is missing"],
  [
    "half a node",
    { node: { hostname: "node1" } },
    400,
    "cannot read node.address: expected string, read nothing",
  ],
  ["a bad host name", { node: machine("node 1", "127.0.0.2") }, 400, 'cannot read host name "node 1"'],
] as const)("[A28] a join with %s is refused, and adds no node", async (_what, change, status, message) => {
  const control = new TestControl(0);
  const { worker } = control.mesh.registry.joinTokens();
  const body = { protocol: protocolVersion, token: worker, node: machine("node1", "127.0.0.2"), ...change };
  const response = await control.ask("POST /mesh/join", { body, token: null });
  expect(response.status).toBe(status);
  expect(response.json.message).toContain(message);
  expect(control.mesh.registry.nodes()).toEqual([]);
});

test.each([
  ["POST /mesh/join", { protocol: 2, token: "t", node: machine("\u202e\x9b31m", "127.0.0.2") }],
  ["POST /mesh/join", { protocol: 2, token: "t", node: { ...machine("n", "127.0.0.2"), runtime: "\u202e" } }],
  ["GET /services/%E2%80%AE%C2%9B31m", undefined],
  ["GET /nodes?filters=%E2%80%AE%C2%9B", undefined],
  ["GET /mesh/route?url=%E2%80%AE%C2%9B", undefined],
] as const)("[M83] %s with unprintable text is refused in printable text", async (request, body) => {
  const control = new TestControl(0);
  const { worker: token } = control.mesh.registry.joinTokens();
  const { status, json } = await control.ask(request, { body: body && { ...body, token } });
  expect(status).toBeGreaterThanOrEqual(400);
  expect(json.message).toContain("\\u202e");
  expect(isPrintable(json.message), JSON.stringify(json.message)).toBe(true);
});

const upgrade = { upgrade: "websocket", connection: "upgrade" };

test("[A29] an agent's upgrade goes to the registry object, which checks its credential", async () => {
  const control = new TestControl();
  const headers = {
    ...upgrade,
    authorization: "Bearer credential",
    "x-waggle-node": "n",
    "x-waggle-protocol": String(protocolVersion),
  };
  const { status, json } = await control.ask("GET /v1.44/mesh/agent?since=1", { token: null, headers });
  expect([status, json]).toEqual([418, { message: "from the object" }]);
  const [forwarded] = control.upgrades;
  expect(forwarded?.url).toBe("https://registry/mesh/agent");
  expect(forwarded?.headers.get("authorization")).toBe("Bearer credential");
  expect(forwarded?.headers.get("x-waggle-node")).toBe("n");
});

test("[A29] a watcher needs a token; the control API checks since", async () => {
  const control = new TestControl();
  expect((await control.ask("GET /mesh/watch", { token: null, headers: upgrade })).status).toBe(401);
  expect((await control.ask("GET /mesh/watch?since=x", { headers: upgrade })).status).toBe(400);
  expect(control.upgrades).toEqual([]);
  await control.ask("GET /mesh/watch?since=7", { headers: upgrade, token: viewerToken });
  await control.ask("GET /mesh/watch", { headers: upgrade });
  expect(control.upgrades.map(({ url }) => url)).toEqual([
    "https://registry/mesh/watch?since=7",
    "https://registry/mesh/watch",
  ]);
});

test("[A29] without an upgrade, these routes are 426", async () => {
  const control = new TestControl();
  for (const path of ["/mesh/agent", "/mesh/watch"]) {
    const { status, json } = await control.ask(`GET ${path}`);
    expect([status, json.message]).toEqual([426, "this route is a WebSocket: send Upgrade: websocket"]);
  }
  expect(control.upgrades).toEqual([]);
});

test("[A72] a flood of the mesh's events hides no event of an operator from a reader", async () => {
  const control = new TestControl(1);
  await control.create("my-web");
  const [{ id = "" } = {}] = control.mesh.registry.nodes();
  for (let round = 0; round < 1_200; round += 1) {
    control.mesh.nowMs += 1_000;
    control.mesh.send(id, { type: "goodbye", reason: `round ${round}` });
  }
  for (const query of ["limit=2000", "since=0&limit=2000"]) {
    const { json } = await control.ask(`GET /mesh/events?${query}`);
    expect(json.length).toBeGreaterThan(1_000);
    expect(json).toContainEqual(expect.objectContaining({ action: "service.create", actor: "operator" }));
  }
  expect((await control.ask("GET /mesh/events?limit=2001")).status).toBe(400);
});

test("[O53] an agent's tunnel goes to the object of its node, once its credential is checked", async () => {
  const opened: { nodeId: string; request: Request }[] = [];
  const openTunnel = async (nodeId: string, request: Request) => {
    opened.push({ nodeId, request });
    return Response.json({ message: "from the tunnel" }, { status: 418 });
  };
  const control = new TestControl(0, { openTunnel });
  const { worker } = control.mesh.registry.joinTokens();
  const body = { protocol: protocolVersion, token: worker, node: machine("node1", "127.0.0.2") };
  const { json } = await control.ask("POST /mesh/join", { body, token: null });
  const dial = (changes: Readonly<Record<string, string>>) => {
    const headers = {
      ...upgrade,
      authorization: `Bearer ${json.credential}`,
      "x-waggle-node": json.nodeId,
      "x-waggle-protocol": String(protocolVersion),
    };
    return control.ask("GET /mesh/tunnel", { token: null, headers: { ...headers, ...changes } });
  };
  const refused = await Promise.all([
    ...[dial({ authorization: "Bearer wrong" }), dial({ "x-waggle-node": "0".repeat(25) })],
    ...[dial({ authorization: "" }), dial({ "x-waggle-node": "n" }), dial({ "x-waggle-protocol": "9" })],
    dial({ upgrade: "h2c" }),
  ]);
  expect(refused.map(({ status }) => status)).toEqual([401, 401, 401, 400, 426, 426]);
  expect(refused[0]?.json.message).toContain("is not a member or its credential is wrong: join again");
  expect(opened).toEqual([]);
  expect((await dial({})).json).toEqual({ message: "from the tunnel" });
  expect(opened.map(({ nodeId, request }) => [nodeId, request.url])).toEqual([
    [json.nodeId, "https://registry/mesh/tunnel"],
  ]);
  expect(opened[0]?.request.headers.get("authorization")).toBeNull();
  const { status } = await new TestControl(1).ask("GET /mesh/tunnel", { token: null, headers: upgrade });
  expect(status).toBe(426);
});

test("[L70] the status names services whose requests fail, with advice, and says when traffic is unknown", async () => {
  const control = new TestControl();
  const id = await control.create("my-web");
  const failing = (service: { id: string; name: string }) =>
    entryDelta({ requests: 20, responses2xx: 12, responses5xx: 8, refused503: 8 }, Array(20).fill(5), {
      service,
    });
  // A removed service is no problem.
  const entries = [failing({ id, name: "my-web" }), failing({ id: "gone", name: "gone" })];
  control.telemetry.count(delta(1, { entries }));
  const { problems, trafficKnown } = MeshStatus.parse((await control.ask("GET /mesh/status")).json);
  expect([trafficKnown, problems.length]).toEqual([true, 1]);
  expect(problems[0]).toMatchObject({
    what: "service my-web",
    why: expect.stringMatching(/^40 % of its requests fail: 8 of 20 in the last \d+ s$/),
    next: expect.stringContaining("`waggle top`"),
  });
  const { text } = await control.ask("GET /metrics");
  expect(text).toMatch(/^waggle_problems 1$/m);
  const away = remoteTelemetry(() => ({ snapshot: () => Promise.reject(new Error("reset")) }), 20);
  const blind = new TestControl(1, { telemetry: away });
  const status = MeshStatus.parse((await blind.ask("GET /mesh/status")).json);
  expect(status).toMatchObject({ trafficKnown: false, problems: [] });
});

test("[A30] events are the newest, or those after since, and never more than limit", async () => {
  const control = new TestControl(2);
  await control.create("my-web");
  const all = control.mesh.registry.events(0, 1_000).map(({ seq }) => seq);
  const seqs = async (query: string) =>
    (await control.ask(`GET /mesh/events${query}`)).json.map(({ seq }: { seq: number }) => seq);
  expect(await seqs("")).toEqual(all);
  expect(await seqs("?limit=2")).toEqual(all.slice(-2));
  expect(await seqs("?since=0&limit=2")).toEqual(all.slice(0, 2));
  expect(await seqs("?since=3")).toEqual(all.filter((seq) => seq > 3));
  for (const limit of ["?limit=0", "?limit=0&since=0"]) expect(await seqs(limit)).toEqual([]);
  for (const query of ["?limit=2001", "?limit=-1", "?since=x"]) {
    expect((await control.ask(`GET /mesh/events${query}`)).status).toBe(400);
  }
});

test("[A31] the table is text with its version, and 304 if the client has that version", async () => {
  const control = new TestControl();
  await control.create("my-web");
  const { headers, text } = await control.ask("GET /mesh/table?after=-1");
  const version = Number(headers.get("x-waggle-table-version"));
  expect(headers.get("content-type")).toMatch(/^text\/plain\b/);
  expect(text).toContain(`version ${version}\n`);
  expect((await control.ask("GET /mesh/table")).text).toBe(text);
  expect((await control.ask(`GET /mesh/table?after=${version - 1}`)).text).toBe(text);
  const same = await control.ask(`GET /mesh/table?after=${version}`);
  expect([same.status, same.text, same.headers.get("x-waggle-table-version")]).toEqual([
    304,
    "",
    String(version),
  ]);
  expect((await control.ask("GET /mesh/table?after=new")).status).toBe(400);
});

test("[M191] a client that names the table formats it reads gets what changed, or a refusal with the formats of both", async () => {
  const control = new TestControl();
  await control.create("my-web");
  const before = readTable((await control.ask("GET /mesh/table?formats=3,2")).text);
  await control.create("api", { EndpointSpec: { Ports: [] } });
  const change = await control.ask(`GET /mesh/table?after=${before.version}&formats=3,2`);
  const whole = (await control.ask("GET /mesh/table")).text;
  expect(change.text).toMatch(/^waggle-change 3\n/);
  expect(printTable(applyTableChange(before, change.text))).toBe(whole);
  const refused = await control.ask("GET /mesh/table?formats=9");
  expect([refused.status, refused.text]).toEqual([
    406,
    expect.stringContaining("format 3, and this router reads 9"),
  ]);
  expect((await control.ask("GET /mesh/table?formats=new")).status).toBe(400);
});

test("[M196] no operation and no route leads to the call of routers in Workers", async () => {
  const control = new TestControl();
  expect(operationNames).not.toContain("exchange");
  for (const path of ["/mesh/exchange", "/mesh/router/exchange", "/exchange"]) {
    for (const method of ["GET", "POST"]) expect((await control.ask(`${method} ${path}`)).status).toBe(404);
  }
});

test("[A32] health needs no token and does not call the registry", async () => {
  const control = new TestControl(0);
  control.mesh.registry.info = () => {
    throw new Error("called");
  };
  const { status, json } = await control.ask("GET /mesh/health", { token: null });
  expect([status, json]).toEqual([200, { ok: true }]);
});

test("[A33] the health of a task on an unreachable node is marked as the last known", async () => {
  const control = new TestControl(1);
  await control.create("my-web");
  const heardFlags = async () => {
    const { services } = MeshStatus.parse((await control.ask("GET /mesh/status")).json);
    return services.flatMap(({ tasks }) =>
      tasks.filter(({ state }) => state === "running").map(({ heard }) => heard),
    );
  };
  expect(await heardFlags()).toEqual([true, true]);
  const node = control.mesh.nodes.values().next().value;
  control.mesh.send(node?.id ?? "", { type: "goodbye", reason: "" });
  expect(await heardFlags()).toEqual([false, false]);
});

test("[A33] the status has mesh, nodes, and services with live tasks first and health in HAProxy's words", async () => {
  const control = new TestControl(2);
  await control.create("my-web", { Labels: { "waggle.host": "www.example.com" } });
  const [first] = control.mesh.running("my-web");
  if (first === undefined) throw new Error("no task");
  control.mesh.report(first, { state: "failed", err: "task: non-zero exit (137)", exitCode: 137 });
  control.mesh.work();
  const status = MeshStatus.parse((await control.ask("GET /mesh/status")).json);
  expect(status.mesh).toMatchObject({ name: "test", tableVersion: expect.any(Number) });
  expect(status.nodes.map(({ name, running }) => `${name} ${running}`)).toEqual(["node1 1", "node2 1"]);
  const [service] = status.services;
  expect(service).toMatchObject({
    name: "my-web",
    image: "waggle/whoami:latest",
    mode: "replicated",
    running: 2,
    desired: 2,
    ports: [{ target: 80, published: 8080, mode: "ingress" }],
    hosts: ["www.example.com"],
  });
  expect(service?.tasks.map(({ name, state, haproxy }) => `${name} ${state} ${haproxy}`)).toEqual([
    "my-web.1 running UP",
    "my-web.2 running UP",
    "my-web.1 failed no check",
  ]);
  expect(status.problems).toEqual([]);
});
