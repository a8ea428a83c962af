import { expect, test } from "vitest";
import type { RoutingTable } from "../../../src/domain/table/table.ts";
import { printTable } from "../../../src/domain/table/text.ts";
import { serviceOf, tableOf } from "../../support/dataplane.ts";
import { registryReply } from "../../support/test-table.ts";
import { frozen, inProcessPlane, refused } from "./in-process-plane.ts";

const tableWith = (version: number, origins: readonly string[] = ["http://a"]) =>
  tableOf(version, serviceOf("my-web", 8080, origins));

async function messageOf(response: Response): Promise<string> {
  return `${response.status} ${((await response.json()) as { message: string }).message}`;
}

test.each(["edge", "ingress"] as const)(
  "[X54] an unknown port or host name is 404 with its reason, %s",
  async (role) => {
    const { send } = inProcessPlane({ ...tableWith(1), defaultService: null });
    expect(await messageOf(await send({ entry: { role, port: 81 } }))).toBe(
      "404 no service is published on port 81",
    );
    const headers = { host: "unknown.example.com:8443" };
    expect(await messageOf(await send({ entry: { role, port: null }, headers }))).toBe(
      "404 no service has the host name unknown.example.com",
    );
  },
);

test("[X54] an unknown node is 404", async () => {
  const { send } = inProcessPlane(tableWith(1));
  expect(await messageOf(await send({ entry: { node: "node9" } }))).toBe("404 this mesh has no node node9");
});

test.each(["edge", "ingress"] as const)(
  "[X55] a service without a live task is 503 with Retry-After, %s",
  async (role) => {
    const { send } = inProcessPlane(tableWith(1, []));
    const response = await send({ entry: { role } });
    expect(response.headers.get("retry-after")).toBe("1");
    expect(await messageOf(response)).toBe("503 service my-web has no live task");
  },
);

test("[X55] a service whose static servers accept no new requests is 503, and calls them servers", async () => {
  const server = { id: "s1", name: "legacy", weight: 1, drain: true, origin: "http://a" } as const;
  const table = tableOf(1, { ...serviceOf("my-web", 8080, []), servers: [server] });
  expect(await messageOf(await inProcessPlane(table).send())).toBe(
    "503 the one server of my-web is in drain or has weight 0",
  );
});

test.each(["edge", "ingress"] as const)(
  "[F44] the refusal of a service whose static servers are all down names them, each with its reason, %s",
  async (role) => {
    const down = (...whys: string[]) => ({
      downServers: whys.map((why, index) => ({ id: `s${index}`, name: `node${index}`, why })),
    });
    const refusalOf = async (whys: string[], nodes = tableWith(1).nodes) => {
      const table = tableOf(1, { ...serviceOf("legacy", 8080, []), ...down(...whys) });
      return messageOf(await inProcessPlane({ ...table, nodes }).send({ entry: { role } }));
    };
    expect(await refusalOf(["down: L4CON", "in maint"])).toBe(
      "503 service legacy has no server that is up (node0 is down: L4CON, node1 is in maint)",
    );
    expect(await refusalOf(["down", "down", "down", "down", "in maint"])).toBe(
      "503 service legacy has no server that is up (node0 is down, node1 is down, node2 is down, and 2 more)",
    );
    if (role === "edge") {
      expect(await refusalOf(["in maint"], [])).toBe(
        "503 service legacy has no server that is up (node0 is in maint)",
      );
    }
  },
);

test("[F44] the failures of static servers call them servers", async () => {
  const server = { id: "s1", name: "one", weight: 1, origin: "http://a" } as const;
  const table = tableOf(1, { ...serviceOf("legacy", 8080, []), servers: [server] });
  const failing = inProcessPlane(table, { "http://a": refused });
  expect(await messageOf(await failing.send())).toMatch(/^502 the one tried server of legacy could not/);
  expect(await messageOf(await failing.send({ method: "POST" }))).toMatch(
    /^502 a server of legacy could not/,
  );
  const slow = inProcessPlane(table, { "http://a": frozen }, { headTimeoutMs: 5, nowMs: Date.now });
  expect(await messageOf(await slow.send())).toBe("504 the server did not respond within 0.005 s");
  const odd = inProcessPlane(table, {
    "http://a": () => new Response(null, { headers: { "transfer-encoding": "gzip" } }),
  });
  expect(await messageOf(await odd.send())).toMatch(/^502 a server of legacy responded with/);
});

test("[X55] a mesh without a node is 503", async () => {
  const response = await inProcessPlane({ ...tableWith(1, []), nodes: [] }).send({ entry: { role: "edge" } });
  expect(await messageOf(response)).toBe(
    "503 no node has joined this mesh yet, and my-web has no server that is up",
  );
});

test("[X55] the refusal of a service in host mode without a task on the node names the node", async () => {
  const { send } = inProcessPlane(tableOf(1, serviceOf("my-web", 8080, ["http://a"], { mode: "host" })));
  expect(await messageOf(await send({ entry: { node: "node2" } }))).toBe(
    "503 service my-web has no live task on node2, and its port is published in host mode",
  );
});

test.each(["edge", "ingress"] as const)("[X55] a router without a table is 503, %s", async (role) => {
  const callRegistry = () => Promise.reject(new Error("secret detail of the registry"));
  const response = await inProcessPlane(tableWith(1), {}, { callRegistry }).send({ entry: { role } });
  expect(response.headers.get("retry-after")).toBe("1");
  expect(await messageOf(response)).toBe(
    "503 the registry has not sent a routing table yet: it cannot be reached",
  );
});

test.each(["edge", "ingress"] as const)(
  "[X48] a stale table is refreshed once before a request is refused, %s",
  async (role) => {
    const { send, state, afterVersions } = inProcessPlane(tableWith(1));
    await send({ entry: { role } });
    state.nowMs += 101;
    expect((await send({ entry: { role, port: 81 } })).status).toBe(404);
    expect(afterVersions).toEqual([-1, 1]);
    // The table is fresh now, so the next refusal causes no refresh.
    expect((await send({ entry: { role, port: 81 } })).status).toBe(404);
    expect(afterVersions).toEqual([-1, 1]);
  },
);

test.each([
  [
    "created",
    tableWith(1),
    tableOf(2, serviceOf("my-web", 8080, ["http://a"]), serviceOf("new", 81, ["http://b"])),
    81,
  ],
  ["given its first task", tableWith(1, []), tableWith(2, ["http://b"]), 8080],
] as const)("[X48] a service that was %s a moment ago responds", async (_name, before, after, port) => {
  for (const role of ["edge", "ingress"] as const) {
    const { send, state } = inProcessPlane(before as RoutingTable);
    await send({ entry: { role } });
    state.nowMs += 101;
    state.table = after;
    expect(await (await send({ entry: { role, port } })).text()).toBe("http://b");
  }
});

test("[X48] after all tasks failed, a repeatable request goes to the tasks of a fresh table", async () => {
  const { send, state, origins } = inProcessPlane(tableWith(1), { "http://a": refused });
  const { tasks } = serviceOf("my-web", 8080, ["http://a", "http://b"]);
  await send({ entry: { port: 81 } });
  state.nowMs += 101;
  state.table = tableOf(2, { ...serviceOf("my-web", 8080, []), tasks });
  expect(await (await send()).text()).toBe("http://b");
  expect(origins()).toEqual(["http://a", "http://b"]);
});

test("[X48] a POST that was sent is not retried on a task of a fresh table", async () => {
  const { send, state, origins } = inProcessPlane(tableWith(1), { "http://a": refused });
  await send({ entry: { port: 81 } });
  state.nowMs += 101;
  state.table = tableOf(2, serviceOf("my-web", 8080, ["http://a", "http://b"]));
  expect((await send({ method: "POST" })).status).toBe(502);
  expect(origins()).toEqual(["http://a"]);
});

test("[X48] a 504 causes no refresh of the table", async () => {
  const { send, state, afterVersions } = inProcessPlane(
    tableWith(1),
    { "http://a": frozen },
    { headTimeoutMs: 5 },
  );
  await send({ entry: { port: 81 } });
  state.nowMs += 101;
  expect((await send()).status).toBe(504);
  expect(afterVersions).toEqual([-1]);
});

test("[X47] requests are served by the last good table while the registry is down or sends invalid tables", async () => {
  const brokenSources = [
    () => Promise.reject(new Error("down")),
    async () => ({ version: 9, text: "waggle-table 99\n" }),
    async () => ({ version: 0, text: null }),
  ];
  for (const brokenSource of brokenSources) {
    let isBroken = false;
    const { send, state, plane } = inProcessPlane(
      tableWith(1),
      {},
      {
        callRegistry: async () =>
          registryReply(isBroken ? await brokenSource() : { version: 1, text: printTable(tableWith(1)) }),
      },
    );
    await send();
    isBroken = true;
    for (let turn = 0; turn < 3; turn += 1) {
      state.nowMs += 60_000;
      expect(await (await send()).text()).toBe("http://a");
    }
    expect(plane.tables.ageMs()).toBe(180_000);
  }
});

test("[X40] a request with the service's loop mark is 508; other marks do not matter", async () => {
  const { send, received } = inProcessPlane(tableWith(1));
  const loop = await send({ headers: { "x-waggle-loop": "shop.test-mesh, my-web.test-mesh" } });
  expect(await messageOf(loop)).toBe("508 this request has already passed through my-web");
  expect(received).toEqual([]);
  for (const mark of ["my-web.other-mesh", "my-web.test-mesh.example", "shop.test-mesh"]) {
    expect((await send({ headers: { "x-waggle-loop": mark } })).status).toBe(200);
    expect(received.at(-1)?.headers.get("x-waggle-loop")).toBe(`${mark}, my-web.test-mesh`);
  }
});

test.each(["a, b", "user@a", "a<b>", "a/b", "[x]"])(
  "[X50] Host %j is 400 and reaches no task",
  async (host) => {
    const { send, received, afterVersions } = inProcessPlane(tableWith(1));
    const response = await send({ headers: { host }, url: "http://127.0.0.2/" });
    expect(await messageOf(response)).toBe("400 the Host header cannot be read as a host name and a port");
    expect([received, afterVersions]).toEqual([[], []]);
  },
);
