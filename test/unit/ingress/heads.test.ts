import { expect, test } from "vitest";
import type { TableOptions } from "../../../src/domain/table/table.ts";
import { serviceOf, tableOf, taskId } from "../../support/dataplane.ts";
import { inProcessPlane, refused, type Task } from "./in-process-plane.ts";

const table = tableOf(7, serviceOf("my-web", 8080, ["http://a", "http://b"]));
const proxy = "198.51.100.9";

/** The headers that a task receives. */
async function receivedHeaders(headers: Record<string, string>, entry = {}): Promise<Headers> {
  const { send, received } = inProcessPlane(table);
  await send({ headers, entry });
  return received[0]?.headers ?? new Headers();
}

test("[X14] [X15] a client's forwarding headers are replaced, those of a trusted proxy are kept", async () => {
  const claims = {
    host: "inner.example.com",
    "x-forwarded-for": "10.0.0.1",
    "x-forwarded-host": "www.example.com",
    "x-forwarded-proto": "https",
    "x-forwarded-port": "8443",
    "x-forwarded-prefix": "/app",
    "x-real-ip": "10.0.0.1",
    "true-client-ip": "10.0.0.1",
  };
  const replaced = Object.fromEntries(await receivedHeaders(claims));
  expect(replaced).toMatchObject({
    "x-forwarded-for": "203.0.113.7",
    "x-forwarded-host": "inner.example.com",
    "x-forwarded-proto": "http",
    "x-forwarded-port": "8080",
    forwarded: "for=203.0.113.7;host=inner.example.com;proto=http",
  });
  for (const name of ["x-forwarded-prefix", "x-real-ip", "true-client-ip"]) {
    expect(replaced).not.toHaveProperty(name);
  }
  expect(Object.fromEntries(await receivedHeaders(claims, { client: proxy }))).toMatchObject({
    ...claims,
    "x-forwarded-for": `10.0.0.1, ${proxy}`,
    forwarded: `for=10.0.0.1, for=${proxy};host=inner.example.com;proto=http`,
  });
});

test("[X17] Connection cannot remove a header that the mesh sets", async () => {
  const connection = "x-forwarded-for, forwarded, x-request-id, x-waggle-loop, x-other";
  const loop = { "x-waggle-loop": "shop.test-mesh" };
  const head = Object.fromEntries(await receivedHeaders({ connection, ...loop, "x-other": "1" }));
  expect(head).toMatchObject({
    "x-forwarded-for": "203.0.113.7",
    forwarded: "for=203.0.113.7;host=www.example.com;proto=http",
    "x-request-id": "generated-id",
    "x-waggle-loop": "shop.test-mesh, my-web.test-mesh",
  });
  expect(head).not.toHaveProperty("x-other");
});

test("[X128] Via passes as the client sent it, and the mesh adds its own only if the label asks", async () => {
  const viaAt = async (options: TableOptions, via?: string) => {
    const { send, received } = inProcessPlane(
      tableOf(7, serviceOf("my-web", 8080, ["http://a"], { options })),
    );
    await send({ headers: via === undefined ? {} : { via } });
    return received[0]?.headers.get("via");
  };
  expect(await viaAt({})).toBeNull();
  expect(await viaAt({ via: false }, "1.0 fred")).toBe("1.0 fred");
  expect(await viaAt({ via: true })).toBe("1.1 my-web.test-mesh");
  expect(await viaAt({ via: true }, "1.0 fred")).toBe("1.0 fred, 1.1 my-web.test-mesh");
});

test("[X43] a WebSocket handshake reaches the task unchanged; any other upgrade becomes a plain request", async () => {
  const handshake = { connection: "Upgrade", "sec-websocket-key": "a", "sec-websocket-version": "13" };
  const { connection: _removed, ...kept } = { ...handshake, upgrade: "websocket" };
  expect(Object.fromEntries(await receivedHeaders({ ...handshake, upgrade: "websocket" }))).toMatchObject(
    kept,
  );
  const plain = await receivedHeaders({
    connection: "Upgrade, HTTP2-Settings",
    upgrade: "h2c",
    "http2-settings": "x",
  });
  expect([...plain.keys()].filter((name) => /upgrade|connection|http2/.test(name))).toEqual([]);
});

test.each([
  ["abc-123", "abc-123"],
  ["a b", "generated-id"],
  ["a".repeat(129), "generated-id"],
  [undefined, "generated-id"],
])("[X19] request id %j becomes %j for the task and the client", async (requestId, expected) => {
  const headers: Record<string, string> = requestId === undefined ? {} : { "x-request-id": requestId };
  const { send, received } = inProcessPlane(table);
  expect((await send({ headers })).headers.get("x-request-id")).toBe(expected);
  expect(received[0]?.headers.get("x-request-id")).toBe(expected);
  const refusal = await send({ headers, entry: { port: 81 } });
  expect(refusal.headers.get("x-request-id")).toBe(expected);
});

test("[X19] the mesh's request id replaces a task's in the response", async () => {
  const task: Task = () => new Response("ok", { headers: { "x-request-id": "the task's" } });
  const { send } = inProcessPlane(table, { "http://a": task });
  expect((await send()).headers.get("x-request-id")).toBe("generated-id");
});

test.each([
  ["200", new Response("text", { headers: { etag: '"a"', "x-app": "1" } })],
  ["204", new Response(null, { status: 204 })],
  ["304", new Response(null, { status: 304, headers: { etag: '"a"' } })],
  ["302", new Response(null, { status: 302, headers: { location: "/elsewhere" } })],
  ["503 of the task's own", new Response("busy", { status: 503, statusText: "Busy" })],
])("[X41] a task's %s keeps its status text and headers", async (_name, taskResponse) => {
  const { status, statusText } = taskResponse;
  const headers = [...taskResponse.headers];
  const { send, received } = inProcessPlane(table, { "http://a": () => taskResponse });
  const response = await send();
  expect([response.status, response.statusText]).toEqual([status, statusText]);
  expect([...response.headers].filter(([name]) => name !== "x-request-id")).toEqual(headers);
  expect(received).toHaveLength(1);
});

test.each(["a", "b"])(
  "[X45] debug headers with a token name the node, service, task and table, at task %s",
  async (first) => {
    const { send } = inProcessPlane(table, first === "a" ? {} : { "http://a": refused });
    const response = await send({ entry: { mayDebug: () => true }, headers: { "x-waggle-debug": "1" } });
    expect(Object.fromEntries(response.headers)).toMatchObject({
      "x-waggle-node": "node1",
      "x-waggle-service": "my-web",
      "x-waggle-task": taskId("my-web", first === "a" ? 1 : 2),
      "x-waggle-slot": first === "a" ? "1" : "2",
      "x-waggle-task-node": first === "a" ? "node1" : "node2",
      "x-waggle-attempts": first === "a" ? "1" : "2",
      "x-waggle-table-version": "7",
      "x-waggle-table-age-ms": "0",
    });
  },
);

test("[X45] only a debug request needs a token, and without one it gets no debug headers", async () => {
  let checks = 0;
  const mayDebug = async () => {
    checks += 1;
    return false;
  };
  const { send } = inProcessPlane(table);
  await send({ entry: { mayDebug } });
  expect(checks).toBe(0);
  for (const port of [8080, 81]) {
    const { headers } = await send({ entry: { mayDebug, port }, headers: { "x-waggle-debug": "1" } });
    expect([...headers.keys()].filter((name) => name.startsWith("x-waggle-"))).toEqual([]);
  }
  expect(checks).toBe(2);
});

test("[X45] the debug headers of a refusal name its table version", async () => {
  const { send } = inProcessPlane(table);
  const entry = { mayDebug: () => true, port: 81 };
  const { headers } = await send({ entry, headers: { "x-waggle-debug": "1" } });
  expect(headers.get("x-waggle-table-version")).toBe("7");
  expect(headers.has("x-waggle-task")).toBe(false);
});
