import { expect, test } from "vitest";
import { serviceOf, tableOf, taskId } from "../../support/dataplane.ts";
import { inProcessPlane, refused, type Task } from "./in-process-plane.ts";

const table = tableOf(7, serviceOf("my-web", 8080, ["http://a", "http://b"]));
const proxy = "198.51.100.9";

/** What a task gets of a request's head. */
async function headOf(headers: Record<string, string>, entry = {}): Promise<Headers> {
  const { send, received } = inProcessPlane(table);
  await send({ headers, entry });
  return received[0]?.headers ?? new Headers();
}

test("[X14] [X15] whom a client claims to be is replaced, unless it is a trusted proxy", async () => {
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
  const replaced = Object.fromEntries(await headOf(claims));
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
  expect(Object.fromEntries(await headOf(claims, { client: proxy }))).toMatchObject({
    ...claims,
    "x-forwarded-for": `10.0.0.1, ${proxy}`,
    forwarded: `for=10.0.0.1, for=${proxy};host=inner.example.com;proto=http`,
  });
});

test("[X17] a header that the mesh itself sets cannot be taken away by naming it in Connection", async () => {
  const connection = "x-forwarded-for, forwarded, x-request-id, via, x-other";
  const head = Object.fromEntries(await headOf({ connection, via: "1.0 fred", "x-other": "1" }));
  expect(head).toMatchObject({
    "x-forwarded-for": "203.0.113.7",
    forwarded: "for=203.0.113.7;host=www.example.com;proto=http",
    "x-request-id": "generated-id",
    via: "1.0 fred, 1.1 my-web.test-mesh",
  });
  expect(head).not.toHaveProperty("x-other");
});

test("[X43] the handshake of a WebSocket reaches the task whole; another upgrade becomes a plain request", async () => {
  const handshake = { connection: "Upgrade", "sec-websocket-key": "a", "sec-websocket-version": "13" };
  const { connection: _stops, ...kept } = { ...handshake, upgrade: "websocket" };
  expect(Object.fromEntries(await headOf({ ...handshake, upgrade: "websocket" }))).toMatchObject(kept);
  const plain = await headOf({
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
])("[X19] request id %j goes on and goes out as %j", async (given, expected) => {
  const headers: Record<string, string> = given === undefined ? {} : { "x-request-id": given };
  const { send, received } = inProcessPlane(table);
  expect((await send({ headers })).headers.get("x-request-id")).toBe(expected);
  expect(received[0]?.headers.get("x-request-id")).toBe(expected);
  const refusal = await send({ headers, entry: { port: 81 } });
  expect(refusal.headers.get("x-request-id")).toBe(expected);
});

test("[X19] the mesh's request id stands in an answer whatever the task says", async () => {
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
])("[X41] an answer of %s is the task's, with its words and headers", async (_what, response) => {
  const [status, statusText, headers] = [response.status, response.statusText, [...response.headers]];
  const { send, received } = inProcessPlane(table, { "http://a": () => response });
  const answer = await send();
  expect([answer.status, answer.statusText]).toEqual([status, statusText]);
  expect([...answer.headers].filter(([name]) => name !== "x-request-id")).toEqual(headers);
  expect(received).toHaveLength(1);
});

test.each(["a", "b"])(
  "[X45] who may debug is told the way of the request, first task refused: %s",
  async (first) => {
    const { send } = inProcessPlane(table, first === "a" ? {} : { "http://a": refused });
    const answer = await send({ entry: { mayDebug: () => true }, headers: { "x-waggle-debug": "1" } });
    expect(Object.fromEntries(answer.headers)).toMatchObject({
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

test("[X45] nobody is asked for a token who does not ask to debug, and without one nothing is told", async () => {
  let asked = 0;
  const mayDebug = async () => {
    asked += 1;
    return false;
  };
  const { send } = inProcessPlane(table);
  await send({ entry: { mayDebug } });
  expect(asked).toBe(0);
  for (const port of [8080, 81]) {
    const { headers } = await send({ entry: { mayDebug, port }, headers: { "x-waggle-debug": "1" } });
    expect([...headers.keys()].filter((name) => name.startsWith("x-waggle-"))).toEqual([]);
  }
  expect(asked).toBe(2);
});

test("[X45] a refusal tells the table it was made by", async () => {
  const { send } = inProcessPlane(table);
  const entry = { mayDebug: () => true, port: 81 };
  const { headers } = await send({ entry, headers: { "x-waggle-debug": "1" } });
  expect(headers.get("x-waggle-table-version")).toBe("7");
  expect(headers.has("x-waggle-task")).toBe(false);
});
