// Attempts `logs` at a gateway, over real connections.

import { afterEach, expect, test } from "vitest";
import { logKeyOf } from "../../../../src/agent/gateway/proof.ts";
import { logBody } from "../../../../src/agent/logs/log-body.ts";
import type { LogQuery } from "../../../../src/agent/logs/log-query.ts";
import { readLogFrames, type TaskLine } from "../../../../src/gateway/logs/log-frames.ts";
import { type LogLine, printLogTime } from "../../../../src/gateway/logs/log-line.ts";
import { type LogRequest, printLogTarget, readLogTarget } from "../../../../src/gateway/logs/log-request.ts";
import {
  type AttemptChanges,
  attempt,
  openGateway,
  rawClient,
  requestBytes,
  sign,
} from "../../../support/gateway.ts";
import { until } from "../../../support/until.ts";

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
});

const credential = "the-credential-of-the-node";

type ReadLogs = (taskId: string, query: LogQuery) => AsyncIterable<LogLine>;

async function open(readLogs: ReadLogs) {
  const opened = await openGateway(
    {},
    {
      logs: {
        keys: () => [logKeyOf(credential)],
        body: (target, signal) => logBody({ readLogs }, target, signal),
      },
    },
  );
  stops.push(() => opened.gateway.close(0));
  return opened.gateway;
}

const all: LogRequest = {
  tasks: [{ id: "a", after: null }],
  streams: ["stdout", "stderr"],
  tail: null,
  since: null,
  follow: false,
};

/** An attempt by the registry. */
function signLogs(request: Partial<LogRequest> = {}, changes: AttemptChanges = {}) {
  const target = printLogTarget({ ...all, ...request });
  const { id, key } = logKeyOf(credential);
  return sign({ kind: "logs", taskId: "", port: 0, host: null, keyId: id, key, target, ...changes });
}

function line(ms: number, text: string): LogLine {
  return { stream: "stdout", time: printLogTime(ms), text: Buffer.from(text) };
}

async function linesOf(body: string, tasks: number): Promise<string[]> {
  const parts = (async function* () {
    yield Buffer.from(body, "latin1");
  })();
  const lines: TaskLine[] = [];
  for await (const list of readLogFrames(parts, tasks)) lines.push(...list);
  return lines.map(({ task, text }) => `${task} ${Buffer.from(text).toString().trim()}`);
}

test("[N185] the target of a request for logs reads back, and anything else is none", () => {
  const after = printLogTime(5);
  const request = {
    ...all,
    tasks: [
      { id: "a1", after },
      { id: "b2", after: null },
    ],
    tail: 3,
    since: after,
    follow: true,
  };
  for (const printed of [all, request]) expect(readLogTarget(printLogTarget(printed))).toEqual(printed);
  const target = printLogTarget(all);
  for (const broken of [
    "/",
    "/logs",
    target.replace("tasks=a", "tasks="),
    target.replace("tasks=a", "tasks=../b"),
    target.replace("tasks=a", "tasks=a@now"),
    target.replace("tasks=a", `tasks=${Array.from({ length: 101 }, () => "a").join(",")}`),
    target.replace("stderr", "stdin"),
    `${target}&tail=-1`,
    `${target}&since=yesterday`,
  ])
    expect(readLogTarget(broken), broken).toBeNull();
});

test("[N185] the gateway sends the lines of the tasks in the order of their times", async () => {
  const logs: Record<string, LogLine[]> = {
    a: [line(1, "one"), line(4, "four")],
    b: [line(2, "two"), line(3, "three")],
  };
  const queries: [string, LogQuery][] = [];
  const gateway = await open(async function* (id, query) {
    queries.push([id, query]);
    yield* logs[id] ?? [];
  });
  const after = printLogTime(0);
  const tasks = [
    { id: "a", after: null },
    { id: "b", after },
  ];
  const { status, outcome, body } = await attempt(gateway, signLogs({ tasks, tail: 2, streams: ["stdout"] }));
  expect([status, outcome]).toEqual([200, "ready"]);
  expect(await linesOf(body, 2)).toEqual(["0 one", "1 two", "1 three", "0 four"]);
  expect(queries).toMatchObject([
    ["a", { tail: 2, streams: ["stdout"], after: null, follow: false }],
    ["b", { after }],
  ]);
});

test("[N187] the keys of routers read no logs, and the key for logs proves nothing else", async () => {
  const gateway = await open(async function* () {
    yield line(1, "private");
  });
  const { id, key } = logKeyOf(credential);
  for (const signed of [
    sign({ kind: "logs", taskId: "", port: 0, host: null, target: printLogTarget(all) }),
    signLogs({}, { key: logKeyOf("another").key }),
    sign({ keyId: id, key }),
    sign({ kind: "hello", keyId: id, key }),
  ]) {
    const { status, outcome, text } = await attempt(gateway, signed);
    expect([status, outcome]).toEqual([403, null]);
    expect(text).not.toContain("private");
  }
});

test("[N185] a target that cannot be read is answered with the reason", async () => {
  const gateway = await open(async function* () {});
  const { outcome, body } = await attempt(gateway, signLogs({}, { target: "/etc/passwd" }));
  expect(outcome).toBe("gone");
  expect(body).toContain("different releases");
});

test("[N188] a reader that stops reading stops the task's lines, and one that leaves ends their reading", async () => {
  let read = 0;
  let isEnded = false;
  const gateway = await open(async function* () {
    try {
      for (;;) {
        read += 1;
        yield line(read, "x".repeat(1_000));
      }
    } finally {
      isEnded = true;
    }
  });
  const client = rawClient(gateway.port, requestBytes(signLogs({ follow: true })));
  await until("lines", () => client.text().length > 1_000_000);
  client.socket.pause();
  let before = -1;
  await until(
    "no further lines",
    () => {
      const stood = before === read;
      before = read;
      return stood;
    },
    { everyMs: 200 },
  );
  expect(read).toBeLessThan(client.text().length / 1_000 + 20_000);
  client.socket.destroy();
  await until("the end", () => isEnded);
});

test("[N188] a gateway sends 64 streams of logs at a time, and says so to the next reader", async () => {
  const gateway = await open(async function* (_, { signal, follow }) {
    yield line(1, "first\n");
    if (follow) await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });
  const clients = Array.from({ length: 64 }, () =>
    rawClient(gateway.port, requestBytes(signLogs({ follow: true }))),
  );
  stops.push(() => clients.forEach(({ socket }) => void socket.destroy()));
  await until("64 streams", () => clients.every(({ text }) => text().includes("first")));
  const refused = await attempt(gateway, signLogs());
  expect(refused.outcome).toBe("full");
  expect(refused.body).toContain("64 readers");
  clients[0]?.socket.destroy();
  await until("a free place", async () => (await attempt(gateway, signLogs())).outcome !== "full");
});
