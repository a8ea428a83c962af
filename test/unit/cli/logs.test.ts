import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, expect, test } from "vitest";
import { type Call, fakeMesh, nowMs, type Routes, runCli, runOn } from "./support.ts";

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const time = "2026-11-24T12:00:00.000000001Z";
const longId = "20vas8u1o95ae0lpv4ztolavi";

/** A frame of Docker's multiplexed stream. */
function frame(kind: number, text: string, task = longId): Buffer {
  const named = `${time} com.docker.swarm.node.id=n1,com.docker.swarm.service.id=s1,com.docker.swarm.task.id=${task} `;
  const payload = Buffer.from(kind === 3 ? text : named + text);
  const head = Buffer.alloc(8);
  head[0] = kind;
  head.writeUInt32BE(payload.length, 4);
  return Buffer.concat([head, payload]);
}

const service = {
  ID: "s1",
  Version: { Index: 1 },
  Spec: { Name: "web", TaskTemplate: { ContainerSpec: { Image: "app" } } },
};
const task = {
  ID: longId,
  ServiceID: "s1",
  NodeID: "n1",
  Slot: 1,
  Spec: {},
  DesiredState: "running",
  Status: { State: "running" },
};

const objects: Routes = {
  "GET /services/web": { json: service },
  "GET /services/s1": { json: service },
  [`GET /tasks/${longId}`]: { json: task },
  "GET /tasks": { json: [task] },
  "GET /nodes": { json: [{ ID: "n1", Version: { Index: 1 }, Spec: {}, Description: { Hostname: "node1" } }] },
};

/** Runs `waggle logs` on a mesh whose service has these frames. */
async function logsOf(frames: readonly Buffer[], args: readonly string[] = ["web"]) {
  const calls: Call[] = [];
  const logs = (call: Call) => {
    calls.push(call);
    return { text: Buffer.concat(frames) };
  };
  await using mesh = await fakeMesh({
    ...objects,
    "GET /services/s1/logs": logs,
    [`GET /tasks/${longId}/logs`]: logs,
  });
  const result = await runOn(mesh, ["logs", ...args]);
  return { ...result, path: calls[0]?.path, query: Object.fromEntries(calls[0]?.query ?? []) };
}

test("[L97] each line is printed on its stream, with its task and node", async () => {
  const frames = [frame(1, "one\n"), frame(2, "two\n"), frame(1, "three\r\n")];
  const { code, out, err, query } = await logsOf(frames);
  expect([code, out, err]).toEqual([
    0,
    "web.1.20vas8u1o95a@node1    | one\nweb.1.20vas8u1o95a@node1    | three\n",
    "web.1.20vas8u1o95a@node1    | two\n",
  ]);
  expect(query).toEqual({
    stdout: "true",
    stderr: "true",
    timestamps: "true",
    details: "true",
    follow: "false",
  });
});

test("[L97] flags have Docker's meaning", async () => {
  const printed = async (...flags: string[]) => (await logsOf([frame(1, "one\n")], [...flags, "web"])).out;
  expect(await printed("-t")).toBe(`${time} web.1.20vas8u1o95a@node1    | one\n`);
  expect(await printed("--no-trunc")).toBe(`web.1.${longId}@node1    | one\n`);
  expect(await printed("--no-task-ids")).toBe("web.1@node1    | one\n");
  expect(await printed("--raw")).toBe("one\n");
  expect(JSON.parse(await printed("--json"))).toEqual({
    time,
    stream: "stdout",
    name: "web.1",
    task: longId,
    node: "node1",
    text: "one",
  });
  const queryOf = async (...flags: string[]) => (await logsOf([], [...flags, "web"])).query;
  expect(await queryOf("-n", "7")).toMatchObject({ tail: "7" });
  expect(await queryOf("--tail", "all")).toMatchObject({ tail: "all" });
  expect(await queryOf("--since", "1m30s")).toMatchObject({ since: (nowMs / 1000 - 90).toFixed(3) });
  expect(await queryOf("--since", time)).toMatchObject({ since: `${nowMs / 1000}.000000001` });
  for (const flags of [
    ["--tail", "x"],
    ["--since", "yesterday"],
    ["--since", "2026-99-99"],
  ])
    expect((await logsOf([], [...flags, "web"])).code).toBe(2);
});

test("[L97] the reference may be the ID of a task; an unknown one is refused", async () => {
  expect((await logsOf([frame(1, "one\n")], [longId])).path).toBe(`/tasks/${longId}/logs`);
  const { code, err } = await logsOf([], ["nope"]);
  expect([code, err]).toEqual([1, 'waggle: no such task or service: nope\nsee "waggle service ls"\n']);
});

test("[L98] a line cannot act on the terminal or begin another line, unless --raw is given", async () => {
  const hostile = frame(1, "\x1b]0;title\x07a\rb\n");
  expect((await logsOf([hostile])).out).toBe("web.1.20vas8u1o95a@node1    | \\x1b]0;title\\x07a\\rb\n");
  expect((await logsOf([hostile], ["--json", "web"])).out).toContain(String.raw`\u001b]0;title\u0007a\rb`);
  expect((await logsOf([hostile], ["--raw", "web"])).out).toBe("\x1b]0;title\x07a\rb\n");
});

test.each([
  [
    "an error",
    frame(3, "Error grabbing logs: … for the following reasons: node node2 is down\n"),
    "node2 is down",
  ],
  ["other bytes", Buffer.from("<html>sorry</html>"), "something else than logs"],
  ["a line without its task", Buffer.from([1, 0, 0, 0, 0, 0, 0, 2, 97, 10]), "something else than logs"],
  ["half a frame", frame(1, "x".repeat(99)).subarray(0, 50), "something else than logs"],
])("[L100] after %s the lines before are printed, and the exit code is 1", async (_, bytes, reason) => {
  const { code, out, err } = await logsOf([frame(1, "one\n"), bytes]);
  expect([code, out]).toEqual([1, "web.1.20vas8u1o95a@node1    | one\n"]);
  expect(err).toContain(reason);
});

/** A mesh that sends its logs when a test does. */
async function meshThatFollows() {
  const { promise: opened, resolve } = Promise.withResolvers<ServerResponse>();
  const server = createServer((request, response) => {
    const path = (request.url ?? "").replace(/^\/v[\d.]+/, "").split("?")[0];
    response.setHeader("x-request-id", "request-1");
    if (path === "/services/s1/logs") {
      response.flushHeaders();
      return resolve(response);
    }
    const route = objects[`GET ${path}`] as { readonly json: object };
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(route.json));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(() => {
    server.closeAllConnections();
    server.close();
  });
  const env = {
    WAGGLE_HOST: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    WAGGLE_TOKEN: "x",
  };
  return { env, opened };
}

test("[L99] -f prints lines as they come, and an interrupt ends it with 130", async () => {
  const { env, opened } = await meshThatFollows();
  const interrupt = new AbortController();
  const printed: string[] = [];
  const { promise: seen, resolve } = Promise.withResolvers<void>();
  const out = {
    write: (text: string) => {
      printed.push(text);
      if (printed.length === 2) resolve();
    },
  };
  const running = runCli(["logs", "-f", "--raw", "web"], { env, out, onInterrupt: () => interrupt.signal });
  const response = await opened;
  const bytes = Buffer.concat([frame(1, "one\n"), frame(1, "two\n")]);
  response.write(bytes.subarray(0, 20));
  response.write(bytes.subarray(20));
  await seen;
  expect(printed).toEqual(["one\n", "two\n"]);
  interrupt.abort();
  expect((await running).code).toBe(130);
});

test("[L99] a reader that does not take the lines holds the mesh back", async () => {
  const { env, opened } = await meshThatFollows();
  let drain: () => void = () => undefined;
  let written = 0;
  const out = {
    write: () => {
      written += 1;
      return written < 10;
    },
    on: (_: string, listener: () => void) => {
      drain = listener;
    },
    off: () => undefined,
  };
  const running = runCli(["logs", "-f", "web"], { env, out });
  const response = await opened;
  const line = frame(1, `${"x".repeat(4_000)}\n`);
  let sent = 0;
  while (response.write(line) || sent < 2_000) sent += 1;
  const drained = once(response, "drain").then(() => "drained");
  const later = new Promise((resolve) => setTimeout(resolve, 200, "held back"));
  expect(await Promise.race([drained, later])).toBe("held back");
  expect(written).toBe(10);
  response.end();
  written = -1_000_000;
  drain();
  expect((await running).code).toBe(0);
});
