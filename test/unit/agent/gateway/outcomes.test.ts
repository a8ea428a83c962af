// What a gateway says when a task gives no response, and how it counts, limits and reserves.

import type { Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { GatewayTask } from "../../../../src/agent/gateway/gateway.ts";
import {
  attempt,
  type OpenGateway,
  openGateway,
  rawClient,
  requestBytes,
  sign,
  type TcpTask,
  taskAt,
  tcpTask,
} from "../../../support/gateway.ts";
import { until } from "../../../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

async function gatewayOf(tasks: Record<string, GatewayTask>): Promise<OpenGateway> {
  const open = await openGateway(tasks);
  stops.push(() => open.gateway.close(0));
  return open;
}

async function taskThat(onConnection: (socket: Socket) => void): Promise<TcpTask> {
  const task = await tcpTask(onConnection);
  stops.push(task.stop);
  return task;
}

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const respondOk = (socket: Socket): unknown => socket.on("data", () => socket.write(ok));

/** Responds to requests when the test says so. */
async function heldTask() {
  const held: Socket[] = [];
  const task = await taskThat((socket) => socket.on("data", () => held.push(socket)));
  const release = () => held.shift()?.write(ok);
  return { task, held, release };
}

/** A port of loopback where nothing listens. */
async function closedPort(): Promise<number> {
  const task = await tcpTask(() => undefined);
  task.stop();
  return task.port;
}

test.each(["once", "repeat", "reserve", "tunnel"] as const)(
  "[O14] a %s at a port where nothing listens is refused",
  async (kind) => {
    const { gateway } = await gatewayOf({ t1: taskAt(await closedPort()) });
    const lines = kind === "tunnel" ? ["Connection: Upgrade", "Upgrade: waggle"] : [];
    const reply = await attempt(gateway, { kind }, lines);
    expect(reply).toMatchObject({ status: 503, outcome: "refused" });
    expect(reply.body).toBe("The task t1 cannot be reached: nothing accepts connections at its port.\n");
    await until("no open request", () => gateway.openRequests("t1") === 0);
  },
);

test.each(["once", "repeat", "reserve"] as const)(
  "[O15] a %s is gone if it cannot be meant",
  async (kind) => {
    const task = await taskThat(respondOk);
    const { gateway } = await gatewayOf({ t1: taskAt(task.port), t2: taskAt(task.port, { accepts: false }) });
    const replies = [
      await attempt(gateway, { kind, taskId: "t9" }),
      await attempt(gateway, { kind, taskId: "t2" }),
      await attempt(gateway, { kind, port: 81 }),
    ];
    expect(replies.map(({ status, outcome }) => `${status} ${outcome}`)).toEqual(Array(3).fill("503 gone"));
    expect(replies.map(({ body }) => body)).toEqual([
      "This node has no task t9.\n",
      "The task t2 is stopping.\n",
      "The task t1 has no port 81.\n",
    ]);
    expect(task.connections).toHaveLength(0);
  },
);

test("[O15] open requests of a task that stops go on", async () => {
  const { task, held, release } = await heldTask();
  const { gateway, tasks } = await gatewayOf({ t1: taskAt(task.port) });
  const first = attempt(gateway);
  await until("the request", () => held.length === 1);
  tasks.set("t1", taskAt(task.port, { accepts: false }));
  expect((await attempt(gateway)).outcome).toBe("gone");
  release();
  expect((await first).outcome).toBe("task");
});

test("[O16] beyond maxconn requests wait, and beyond the queue the task is full", async () => {
  const { task, held, release } = await heldTask();
  const limit = { maxconn: 1, queue: 2, queueTimeoutMs: 60_000 };
  const { gateway } = await gatewayOf({ t1: taskAt(task.port, { limit }) });
  const clients = ["once", "once", "repeat", "once", "repeat"] as const;
  const replies = clients.map((kind) => attempt(gateway, { kind }));
  const full = await Promise.race(replies);
  expect(full).toMatchObject({ status: 503, outcome: "full" });
  expect(full.body).toBe("The task has 1 open requests, and 2 more wait.\n");
  for (let served = 0; served < 3; served += 1) {
    await until("the next request", () => held.length === 1);
    expect(gateway.openRequests("t1")).toBe(1);
    release();
  }
  const outcomes = (await Promise.all(replies)).map(({ outcome }) => outcome).sort();
  expect(outcomes).toEqual(["full", "full", "task", "task", "task"]);
});

test("[O16] a queued request is full after the queue timeout, and leaves the queue with its router", async () => {
  const { task, held } = await heldTask();
  const limit = { maxconn: 1, queue: 1, queueTimeoutMs: 60_000 };
  const { gateway, tasks } = await gatewayOf({ t1: taskAt(task.port, { limit }) });
  const first = rawClient(gateway.port, requestBytes(sign()));
  await until("the request", () => held.length === 1);
  const queued = rawClient(gateway.port, requestBytes(sign()));
  await until("a full queue", async () => (await attempt(gateway)).outcome === "full");
  queued.socket.destroy();
  tasks.set("t1", taskAt(task.port, { limit: { ...limit, queueTimeoutMs: 50 } }));
  const text = "The task has 1 open requests; none ended in 50 ms.\n";
  await until("the queue timeout", async () => (await attempt(gateway)).body === text);
  first.socket.destroy();
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test("[O16] a queued request is gone if the task stops meanwhile", async () => {
  const { task, held, release } = await heldTask();
  const limit = { maxconn: 1, queue: 1, queueTimeoutMs: 60_000 };
  const { gateway, tasks } = await gatewayOf({ t1: taskAt(task.port, { limit }) });
  const first = attempt(gateway);
  await until("the request", () => held.length === 1);
  const queued = sign();
  const reply = attempt(gateway, queued);
  await until("a full queue", async () => (await attempt(gateway)).outcome === "full");
  tasks.set("t1", taskAt(task.port, { limit, accepts: false }));
  release();
  expect((await first).outcome).toBe("task");
  expect((await reply).outcome).toBe("gone");
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test.each(["once", "repeat", "reserve", "tunnel", "hello"] as const)(
  "[O17] a %s whose id was here before is a duplicate, and no task gets it",
  async (kind) => {
    const task = await taskThat(respondOk);
    const { gateway } = await gatewayOf({ t1: taskAt(task.port) });
    const signed = sign({ kind, ...(kind === "hello" && { taskId: "", port: 0 }) });
    const lines = kind === "tunnel" ? ["Connection: Upgrade", "Upgrade: waggle"] : [];
    const client = rawClient(gateway.port, requestBytes(signed, lines));
    await until("a response", () => client.text().includes("\r\n\r\n"));
    client.socket.destroy();
    const count = task.connections.length;
    const reply = await attempt(gateway, signed, lines);
    expect(reply).toMatchObject({ status: 409, outcome: "duplicate" });
    expect(reply.headers).toContain("connection: close");
    expect(task.connections).toHaveLength(count);
  },
);

test("[O17] an attempt of another kind with the same id is a duplicate", async () => {
  const task = await taskThat(respondOk);
  const { gateway } = await gatewayOf({ t1: taskAt(task.port) });
  expect((await attempt(gateway, { id: "a", kind: "repeat" })).outcome).toBe("task");
  expect((await attempt(gateway, { id: "a", kind: "once", target: "/b" })).outcome).toBe("duplicate");
});

test.each([
  [
    "closes",
    (socket: Socket) => socket.destroy(),
    "ended the connection after the request was sent and before",
  ],
  ["resets", (socket: Socket) => socket.resetAndDestroy(), "ended the connection after the request was sent"],
  ["sends half a head", (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\nX: "), "ended the connection"],
  ["sends no HTTP", (socket: Socket) => socket.end("SSH-2.0-x\r\n"), "sent a response that cannot be read: "],
  [
    "sends status 42",
    (socket: Socket) => socket.end("HTTP/1.1 042 X\r\n\r\n"),
    "sent a response that cannot be read",
  ],
  [
    "sends two lengths",
    (socket: Socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab"),
    "sent a response that cannot be read: ",
  ],
  [
    "sends a length and chunks",
    (socket: Socket) =>
      socket.end("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    "sent a response that cannot be read: ",
  ],
  [
    "sends a head of 129 KiB",
    (socket: Socket) => socket.end(`HTTP/1.1 200 OK\r\nX: ${"x".repeat(129 * 1024)}\r\n\r\n`),
    "sent a response head larger than 128 KiB",
  ],
] as const)("[O18] a task that %s is broken, with the reason", async (_, act, reason) => {
  const task = await taskThat((socket) => socket.once("data", () => act(socket)));
  const { gateway } = await gatewayOf({ t1: taskAt(task.port) });
  for (const kind of ["once", "repeat"] as const) {
    const reply = await attempt(gateway, { kind, method: "POST" }, ["Content-Length: 2"], "ab");
    expect(reply).toMatchObject({ status: 502, outcome: "broken" });
    expect(reply.body).toContain(`The task t1 ${reason}`);
  }
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test.each([
  ["sized", "Content-Length: 9\r\n\r\nhalf"],
  ["chunked", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n"],
  ["garbled", "Transfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nzzzz\r\n\r\n"],
])("[O19] a %s response that breaks off resets the router's connection", async (_, rest) => {
  const task = await taskThat((socket) => {
    socket.once("data", () =>
      socket.write(`HTTP/1.1 200 OK\r\n${rest}`, () => setTimeout(() => socket.end(), 20)),
    );
  });
  const { gateway } = await gatewayOf({ t1: taskAt(task.port) });
  const client = rawClient(gateway.port, requestBytes(sign()));
  expect(await client.closed).toBe("ECONNRESET");
  expect(client.text()).not.toMatch(/\r\n0\r\n\r\n$/);
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test("[O13] a `once` uses the connection that a `reserve` of its id opened", async () => {
  const task = await taskThat(respondOk);
  const { gateway } = await gatewayOf({ t1: taskAt(task.port) });
  const reserve = await attempt(gateway, { kind: "reserve", id: "r1" });
  expect(reserve).toMatchObject({ status: 204, outcome: "ready", body: "" });
  expect(gateway.openRequests("t1")).toBe(1);
  expect(task.connections).toHaveLength(1);
  const once = await attempt(
    gateway,
    { kind: "once", id: "r1", method: "POST" },
    ["Content-Length: 2"],
    "ab",
  );
  expect(once).toMatchObject({ status: 200, outcome: "task" });
  expect(task.connections).toHaveLength(1);
  expect((await attempt(gateway, { kind: "once", id: "r1", method: "POST" })).outcome).toBe("duplicate");
  await until("no open request", () => gateway.openRequests("t1") === 0);
});

test("[O13] a reserved connection serves its own task and port, and goes on though the task stops", async () => {
  const task = await taskThat(respondOk);
  const { gateway, tasks } = await gatewayOf({ t1: taskAt(task.port), t2: taskAt(task.port) });
  for (const id of ["r1", "r2"]) await attempt(gateway, { kind: "reserve", id });
  expect((await attempt(gateway, { kind: "once", id: "r1", taskId: "t2" })).outcome).toBe("task");
  expect(task.connections).toHaveLength(3);
  tasks.set("t1", taskAt(task.port, { accepts: false }));
  expect((await attempt(gateway, { kind: "once", id: "r2" })).outcome).toBe("task");
  expect(task.connections).toHaveLength(3);
});

test("[O13] a reserved connection that the task ended is replaced by a new one", async () => {
  const task = await taskThat(respondOk);
  const { gateway } = await gatewayOf({ t1: taskAt(task.port) });
  await attempt(gateway, { kind: "reserve", id: "r1" });
  task.connections[0]?.destroy();
  await until("the end of the reservation", () => gateway.openRequests("t1") === 0);
  expect((await attempt(gateway, { kind: "once", id: "r1" })).outcome).toBe("task");
});

test("[O25] a router that is gone ends the request at its task", async () => {
  for (const kind of ["once", "repeat"] as const) {
    const { task, held } = await heldTask();
    const { gateway } = await gatewayOf({ t1: taskAt(task.port) });
    const client = rawClient(gateway.port, requestBytes(sign({ kind })));
    await until("the request", () => held.length === 1);
    client.socket.destroy();
    await until("the end at the task", () => task.connections[0]?.destroyed);
    expect(gateway.openRequests("t1")).toBe(0);
  }
});

test("[O26] a task is idle when its last request has ended, or the time is up", async () => {
  const { task, held, release } = await heldTask();
  const { gateway } = await gatewayOf({ t1: taskAt(task.port), t2: taskAt(task.port) });
  await gateway.whenIdle("t1", 60_000);
  const replies = [attempt(gateway), attempt(gateway), attempt(gateway, { taskId: "t2" })];
  await until("the requests", () => held.length === 3);
  expect([gateway.openRequests("t1"), gateway.openRequests("t2")]).toEqual([2, 1]);
  await gateway.whenIdle("t1", 10);
  let isIdle = false;
  const idle = gateway.whenIdle("t1", 60_000).then(() => {
    isIdle = true;
  });
  release();
  release();
  release();
  await Promise.all(replies);
  await idle;
  expect(isIdle).toBe(true);
  await until("no open request", () => gateway.openRequests("t1") + gateway.openRequests("t2") === 0);
});

test("[O29] closing lets open requests end, and ends them when the time is up", async () => {
  const { task, held, release } = await heldTask();
  const { gateway } = await openGateway({ t1: taskAt(task.port) });
  const idle = rawClient(gateway.port);
  const reply = attempt(gateway);
  await until("the request", () => held.length === 1);
  const closed = gateway.close(60_000);
  await idle.ended;
  release();
  expect((await reply).outcome).toBe("task");
  await closed;

  const second = await openGateway({ t1: taskAt(task.port) });
  const client = rawClient(second.gateway.port, requestBytes(sign()));
  await until("the request", () => held.length === 1);
  await second.gateway.close(10);
  await client.ended;
});
