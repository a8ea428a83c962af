// The limits of a gateway that take their time: real timeouts, and thousands of connections.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { GatewayOptions, GatewayTask } from "../../src/agent/gateway/gateway.ts";
import { attempt, type OpenGateway, openGateway, rawClient, taskAt, tcpTask } from "../support/gateway.ts";
import { until } from "../support/until.ts";

const stops: (() => unknown)[] = [];

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

async function gatewayOf(
  tasks: Record<string, GatewayTask>,
  changes: Partial<GatewayOptions> = {},
): Promise<OpenGateway> {
  const open = await openGateway(tasks, changes);
  stops.push(() => open.gateway.close(0));
  return open;
}

/** A task that responds to everything. */
async function okTask(): Promise<number> {
  const task = await tcpTask((socket: Socket) => socket.on("data", () => socket.write(ok)));
  stops.push(task.stop);
  return task.port;
}

/** The port of a stopped process that listens, and whose queue of connections is full. */
async function frozenPort(): Promise<number> {
  const script = `const server = require("node:net").createServer().listen(
    { port: 0, host: "127.0.0.1", backlog: 1 }, () => console.log(server.address().port));`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(child.stdout, "data");
  const port = Number(String(line));
  child.kill("SIGSTOP");
  const sockets = Array.from({ length: 4 }, () => connect({ port, host: "127.0.0.1" }));
  for (const socket of sockets) socket.on("error", () => undefined);
  stops.push(() => {
    for (const socket of sockets) socket.destroy();
    child.kill("SIGKILL");
  });
  await until("a full queue", () => sockets.filter(({ connecting }) => !connecting).length >= 2);
  return port;
}

test("[O14] a task that accepts no connection for 3 s is refused", { timeout: 15_000 }, async () => {
  const port = await frozenPort();
  const { gateway } = await gatewayOf({ t1: taskAt(port) });
  const startedMs = performance.now();
  const reply = await attempt(gateway, { kind: "once" });
  expect(reply.body).toBe("The task t1 cannot be reached: it did not accept a connection in 3 s.\n");
  expect(reply.outcome).toBe("refused");
  expect(performance.now() - startedMs).toBeGreaterThan(2_900);
});

test("[O13] an unused reserved connection ends after 10 s", { timeout: 20_000 }, async () => {
  const { gateway } = await gatewayOf({ t1: taskAt(await okTask()) });
  const startedMs = performance.now();
  await attempt(gateway, { kind: "reserve" });
  await until("the end", () => gateway.openRequests("t1") === 0, { withinMs: 15_000 });
  expect(performance.now() - startedMs).toBeGreaterThan(9_900);
});

test("[O13] at most 1,000 connections are reserved", { timeout: 30_000 }, async () => {
  const { gateway } = await gatewayOf({ t1: taskAt(await okTask()) });
  const outcomes = new Set<string | null>();
  for (let at = 0; at < 1_000; at += 50) {
    const batch = Array.from({ length: 50 }, () => attempt(gateway, { kind: "reserve" }));
    for (const { outcome } of await Promise.all(batch)) outcomes.add(outcome);
  }
  expect([...outcomes]).toEqual(["ready"]);
  expect(await attempt(gateway, { kind: "reserve" })).toMatchObject({ status: 503, outcome: "full" });
  expect((await attempt(gateway, { kind: "once" })).outcome).toBe("task");
});

test("[O23] a head that is not complete after 10 s, or has not begun, ends the connection", {
  timeout: 20_000,
}, async () => {
  const { gateway } = await gatewayOf({ t1: taskAt(await okTask()) });
  const silent = rawClient(gateway.port);
  const slow = rawClient(gateway.port, "GET / HTTP/1.1\r\nX: ");
  const drip = setInterval(() => slow.socket.write("x"), 500);
  await Promise.all([silent.ended, slow.ended]);
  clearInterval(drip);
  expect(slow.text()).toMatch(/^HTTP\/1\.1 408 /);
});

test("[O23] 10,000 idle connections do not stop requests", { timeout: 60_000 }, async () => {
  const { gateway } = await gatewayOf({ t1: taskAt(await okTask()) }, { maxDescriptors: 2_000 });
  const script = `const { connect } = require("node:net");
    const [port, count] = process.argv.slice(1).map(Number);
    let opened = 0;
    const next = () => {
      if (opened === count) return console.log("open");
      opened += 1;
      connect(port, "127.0.0.1", next).on("error", () => undefined);
    };
    for (let lane = 0; lane < 50; lane += 1) next();
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ["-e", script, String(gateway.port), "10000"]);
  stops.push(() => child.kill());
  let isOpen = false;
  child.stdout.once("data", () => {
    isOpen = true;
  });
  while (!isOpen) expect((await attempt(gateway, { kind: "once" })).outcome).toBe("task");
  expect((await attempt(gateway)).outcome).toBe("task");
});
