// The log routes over a registry and real gateways, whose nodes have prepared lines. test/system/logs.test.ts has a
// whole mesh.

import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { afterEach, expect, test } from "vitest";
import { checkProof, logKeyOf } from "../../../src/agent/gateway/proof.ts";
import { logBody } from "../../../src/agent/logs/log-body.ts";
import type { LogQuery } from "../../../src/agent/logs/log-query.ts";
import type { Task } from "../../../src/domain/model/task.ts";
import {
  attemptHeader,
  gatewayHeader,
  printOutcome,
  readAttempt,
  targetHeader,
} from "../../../src/gateway/attempt.ts";
import { logFrame } from "../../../src/gateway/logs/log-frames.ts";
import {
  type LogLine,
  type LogStream,
  maxLogPartBytes,
  printLogTime,
} from "../../../src/gateway/logs/log-line.ts";
import { openGateway } from "../../support/gateway.ts";
import { running, spec, TestControl, viewerToken } from "./support.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

type NodeLogs = (taskId: string, query: LogQuery) => Iterable<LogLine> | AsyncIterable<LogLine>;

/** A mesh of two nodes with a service `web` of two tasks. */
async function meshOf(logs: NodeLogs, bodies: (nodeId: string) => Readable | null = () => null) {
  const ports = new Map<string, number>();
  const control: TestControl = new TestControl(2, {
    dialGateway: (_gateway, nodeId, init) => fetch(`http://127.0.0.1:${ports.get(nodeId)}/`, init),
  });
  const readLogs = async function* (id: string, query: LogQuery) {
    yield* logs(id, query);
  };
  for (const { id, credential } of control.mesh.nodes.values()) {
    const keys = () => [logKeyOf(credential)];
    const { gateway } = await openGateway(
      {},
      {
        logs: {
          keys,
          body: (target, signal) => bodies(id) ?? logBody({ readLogs }, target, signal),
        },
        clocks: {
          wallMs: () => control.mesh.nowMs,
          registryMs: () => control.mesh.nowMs,
          monotonicMs: () => performance.now(),
        },
      },
    );
    stops.push(() => gateway.close(0));
    ports.set(id, gateway.port);
  }
  await control.create("web");
  const tasks = [1, 2].map((slot) => control.mesh.tasks().find((task) => task.slot === slot) as Task);
  return { control, tasks: tasks as [Task, Task], ports };
}

function line(ms: number, text: string, stream: LogStream = "stdout"): LogLine {
  return { stream, time: printLogTime(ms), text: Buffer.from(text) };
}

/** The frames of a multiplexed stream, as `1 text`. */
function framesOf(response: { readonly bytes: Uint8Array }): string[] {
  const bytes = Buffer.from(response.bytes);
  const frames: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const length = bytes.readUInt32BE(at + 4);
    frames.push(`${bytes[at]} ${bytes.subarray(at + 8, at + 8 + length)}`);
    at += 8 + length;
  }
  return frames;
}

test("[A140] the lines of a service come from all nodes in the order of their times, with their stream", async () => {
  const { control, tasks } = await meshOf((id) =>
    id === tasks[0].id
      ? [line(1, "one\n"), line(4, "four\n", "stderr")]
      : [line(2, "two\n", "stderr"), line(3, "three\n")],
  );
  expect(tasks[0].nodeId).not.toBe(tasks[1].nodeId);
  const response = await control.ask("GET /services/web/logs?stdout=1&stderr=1");
  const { status, headers } = response;
  expect([status, headers.get("content-type")]).toEqual([200, "application/vnd.docker.multiplexed-stream"]);
  expect(framesOf(response)).toEqual(["1 one\n", "2 two\n", "1 three\n", "2 four\n"]);
  const ofTask = await control.ask(`GET /tasks/${tasks[1].id}/logs?stdout=true&stderr=true`);
  expect(framesOf(ofTask)).toEqual(["2 two\n", "1 three\n"]);
});

test("[A140] before API 1.42 the stream with frames has the name of the one without", async () => {
  const { control, tasks } = await meshOf(() => [line(1, "one\n")]);
  const old = await control.ask(`GET /v1.41/tasks/${tasks[0].id}/logs?stdout=1`);
  expect(old.headers.get("content-type")).toBe("application/vnd.docker.raw-stream");
  expect(framesOf(old)).toEqual(["1 one\n"]);
});

test("[A140] the lines of a service with a terminal come as they are", async () => {
  const { control } = await meshOf(() => [line(1, "one\n")]);
  await control.ask("POST /services/create", {
    body: spec("tty", { ...running({ TTY: true }), Mode: { Replicated: { Replicas: 1 } }, EndpointSpec: {} }),
  });
  control.mesh.work();
  const { headers, text } = await control.ask("GET /services/tty/logs?stdout=1");
  expect([headers.get("content-type"), text]).toEqual(["application/vnd.docker.raw-stream", "one\n"]);
});

test("[A141] a line begins with its time and its task if the client asks for them", async () => {
  const { control, tasks } = await meshOf(() => [line(1, "one\n")]);
  const [{ id, nodeId, serviceId }] = tasks;
  const path = `/tasks/${id}/logs?stdout=1`;
  const details = `com.docker.swarm.node.id=${nodeId},com.docker.swarm.service.id=${serviceId},com.docker.swarm.task.id=${id}`;
  const time = "1970-01-01T00:00:00.001000000Z";
  for (const [query, frame] of [
    ["&timestamps=1", `1 ${time} one\n`],
    ["&details=1", `1 ${details} one\n`],
    ["&details=1&timestamps=1", `1 ${time} ${details} one\n`],
  ])
    expect(framesOf(await control.ask(`GET ${path}${query}`))).toEqual([frame]);
});

test("[A141] streams, tail and since go to the nodes; what cannot be read is refused as dockerd does", async () => {
  const queries: LogQuery[] = [];
  const { control } = await meshOf((_, query) => {
    queries.push(query);
    return [];
  });
  await control.ask("GET /services/web/logs?stderr=1&tail=7&since=1764331200.5");
  expect(queries).toHaveLength(2);
  expect(queries[0]).toMatchObject({ streams: ["stderr"], tail: 7, since: "2025-11-28T12:00:00.500000000Z" });
  queries.length = 0;
  await control.ask("GET /services/web/logs?stdout=1&tail=all&since=0");
  expect(queries[0]).toMatchObject({ streams: ["stdout"], tail: null, since: null });
  for (const [query, message] of [
    ["", "you must choose at least one stream"],
    ["stdout=1&tail=x", 'tail value must be a positive integer or "all"'],
    ["stdout=1&tail=-1", "negative tail values not supported"],
    ["stdout=1&since=yesterday", '"yesterday" is not a number of seconds since 1970'],
  ] as const) {
    const { status, json } = await control.ask(`GET /services/web/logs?${query}`);
    expect([query, status]).toEqual([query, 400]);
    expect(json.message).toContain(message);
  }
  expect((await control.ask("GET /services/nope/logs?stdout=1")).status).toBe(404);
  expect((await control.ask("GET /tasks/nope/logs?stdout=1")).status).toBe(404);
});

test("[A142] a viewer reads no logs", async () => {
  const { control, tasks } = await meshOf(() => [line(1, "private\n")]);
  for (const path of ["/services/web/logs", `/tasks/${tasks[0].id}/logs`]) {
    const { status, text } = await control.ask(`GET ${path}?stdout=1`, { token: viewerToken });
    expect(status).toBe(403);
    expect(text).not.toContain("private");
  }
});

test("[A143] lines of nodes that can be read are sent, and an error of the stream says which cannot, and why", async () => {
  const { control, tasks, ports } = await meshOf((id) => [line(1, `${id}\n`)]);
  const [first, second] = tasks;
  const names = new Map([...control.mesh.nodes.values()].map(({ id, name }) => [id, name]));
  const read = async () => framesOf(await control.ask("GET /services/web/logs?stdout=1"));
  ports.set(second.nodeId ?? "", 1);
  const [line1, error] = await read();
  expect(line1).toBe(`1 ${first.id}\n`);
  expect(error).toContain(
    "3 Error grabbing logs: rpc error: code = Unknown desc = warning: incomplete log stream",
  );
  expect(error).toContain(`node ${names.get(second.nodeId ?? "")} does not answer`);
});

test.each([
  ["bytes that are no lines", () => Buffer.from("GET / HTTP/1.1\r\n\r\n"), "cannot be read"],
  [
    "a line of a task that was not asked for",
    () => logFrame({ ...line(1, "x\n"), task: 7 }),
    "cannot be read",
  ],
  [
    "a longer line than there can be",
    () => logFrame({ ...line(1, "x".repeat(maxLogPartBytes + 2)), task: 0 }),
    "cannot be read",
  ],
  [
    "a line without a time",
    () => logFrame({ ...line(1, "x\n"), task: 0, time: "\x1b]0;owned\x07".padEnd(30, "x") }),
    "cannot be read",
  ],
  ["half a line", () => logFrame({ ...line(1, "whole\n"), task: 0 }).subarray(0, 20), "ended within a line"],
])("[A144] a node that sends %s is cut off, and the other one's lines are sent", async (_, bytes, reason) => {
  let broken = "";
  const { control, tasks } = await meshOf(
    (id) => [line(1, `${id}\n`)],
    (nodeId) => (nodeId === broken ? Readable.from([bytes()]) : null),
  );
  broken = tasks[1].nodeId ?? "";
  const frames = framesOf(await control.ask("GET /services/web/logs?stdout=1"));
  expect(frames).toHaveLength(2);
  expect(frames[0]).toBe(`1 ${tasks[0].id}\n`);
  expect(frames[1]).toContain(reason);
});

test("[A450] the reason of a node that sends no logs is short and printable, however much it sends", async () => {
  const { control, tasks, ports } = await meshOf((id) => [line(1, `${id}\n`)]);
  const nodeId = tasks[1].nodeId ?? "";
  const credential = [...control.mesh.nodes.values()].find(({ id }) => id === nodeId)?.credential ?? "";
  let sent = 0;
  const server = createServer((request, response) => {
    const head = readAttempt(String(request.headers[attemptHeader]));
    const proven = { method: "GET", target: String(request.headers[targetHeader]), host: null };
    const { mark } = checkProof(head?.attempt as never, proven, head?.proof ?? "", [logKeyOf(credential)]);
    response.writeHead(503, { [gatewayHeader]: printOutcome("gone", mark ?? "") });
    const send = () => {
      sent += 65_536;
      if (sent < 100_000_000) response.write(`\x1b[2Jx\n`.padEnd(65_536, "x"), send);
    };
    send();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  stops.push(
    () => server.closeAllConnections(),
    () => server.close(),
  );
  ports.set(nodeId, (server.address() as AddressInfo).port);
  const [, error = ""] = framesOf(await control.ask("GET /services/web/logs?stdout=1"));
  expect(error).toContain("\\x1b[2Jx\\n");
  expect(error).not.toContain("\x1b");
  expect(error.length).toBeLessThan(700);
  expect(sent).toBeLessThan(50_000_000);
});
