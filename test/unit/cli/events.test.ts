import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import type { MeshEvent } from "../../../src/domain/model/event.ts";
import { type FakeMesh, fakeMesh, nowMs, runCli, runOn } from "./support.ts";

const eventOf = (seq: number): MeshEvent => ({
  seq,
  atMs: nowMs + seq,
  actor: "operator",
  action: "service.create",
  subject: { type: "service", id: "x", name: `web${seq}` },
  why: seq === 1 ? "" : "asked for",
});
const storedEvents = [1, 2, 3, 4, 5].map(eventOf);

let closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing) await close();
  closing = [];
});

/** A mesh with the stored events, which returns at most two after a number. */
async function meshWithEvents(): Promise<FakeMesh> {
  return fakeMesh({
    "GET /mesh/events": ({ query }) => {
      const limit = Number(query.get("limit"));
      const since = query.get("since");
      if (since === null) return { json: storedEvents.slice(-limit) };
      return { json: storedEvents.filter(({ seq }) => seq > Number(since)).slice(0, Math.min(2, limit)) };
    },
  });
}

describe("[L12] stored events", () => {
  test("[L12] are printed one per line: time, number, action, subject, actor and reason", async () => {
    await using mesh = await meshWithEvents();
    expect((await runOn(mesh, ["events", "--tail", "2"])).out).toBe(
      "2026-11-24T12:00:00.004Z      4  service.create     web4              by operator       asked for\n" +
        "2026-11-24T12:00:00.005Z      5  service.create     web5              by operator       asked for\n",
    );
  });

  test("[L12] are printed completely after a number, over several responses; --json is one object per line", async () => {
    await using mesh = await meshWithEvents();
    const { out } = await runOn(mesh, ["events", "--since", "1", "--json"]);
    const lines = out.trimEnd().split("\n");
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual(storedEvents.slice(1));
  });
});

describe("[L103] --since, --until and --filter", () => {
  const event = (seq: number, minutesAgo: number, type: "service" | "node", action: string, name: string) =>
    ({
      seq,
      atMs: nowMs - minutesAgo * 60_000,
      actor: type === "node" ? "node node1" : "operator",
      action: `${type}.${action}`,
      subject: { type, id: `id${name}0000`, name },
      why: "",
    }) satisfies MeshEvent;
  const kept = [
    event(1, 60, "service", "create", "web"),
    event(2, 20, "node", "down", "node1"),
    event(3, 9, "service", "update", "web"),
    event(4, 5, "service", "create", "api"),
    event(5, 1, "node", "ready", "node1"),
  ];
  const seqsOf = async (...args: string[]) => {
    await using mesh = await fakeMesh({
      "GET /mesh/events": ({ query }) => {
        const since = Number(query.get("since") ?? 0);
        return { json: kept.filter(({ seq }) => seq > since) };
      },
    });
    const { code, out, err } = await runOn(mesh, ["events", "--format", "{{.seq}}", ...args]);
    return code === 0 ? out.trim().split("\n").map(Number) : [code, err];
  };

  test.each<[readonly string[], readonly number[]]>([
    [
      ["--since", "10m"],
      [3, 4, 5],
    ],
    [
      ["--since", "1h"],
      [1, 2, 3, 4, 5],
    ],
    [
      ["--since", "2026-11-24T11:51:00Z"],
      [3, 4, 5],
    ],
    [
      ["--since", "3"],
      [4, 5],
    ],
    [
      ["--since", "30m", "--until", "5m"],
      [2, 3],
    ],
    [["--since", "0", "--tail", "1"], [5]],
    [
      ["--filter", "type=service"],
      [1, 3, 4],
    ],
    [
      ["--filter", "type=service", "--filter", "type=node"],
      [1, 2, 3, 4, 5],
    ],
    [
      ["--filter", "type=service", "--filter", "name=web"],
      [1, 3],
    ],
    [["--filter", "service=web", "--since", "10m"], [3]],
    [
      ["--filter", "action=create"],
      [1, 4],
    ],
    [["--filter", "event=node.down"], [2]],
    [
      ["--filter", "actor=node1"],
      [2, 5],
    ],
    [
      ["--filter", "node=idnode10000"],
      [2, 5],
    ],
    [["--filter", "type=service", "--tail", "1"], [4]],
  ])("[L103] %j prints the events %j", async (args, expected) => {
    expect(await seqsOf(...args)).toEqual(expected);
  });

  test.each([
    [["--filter", "colour=red"], 'cannot filter events by "colour"'],
    [["--filter", "type=colour"], 'no events of type "colour"'],
    [["--since", "soon"], "must be the number of an event, a duration or a time"],
    [["--until", "1m", "-f"], "--until and --follow exclude each other"],
  ])("[L103] %j is refused", async (args, message) => {
    expect(await seqsOf(...args)).toEqual([2, expect.stringContaining(message)]);
  });

  test("[L103] a filter holds for followed events", async () => {
    const interrupt = new AbortController();
    const url = await watched((socket) => {
      for (const one of kept) socket.send(frame(one));
    });
    let out = "";
    const write = (text: string) => {
      out += text;
      if (text.includes("api")) interrupt.abort();
    };
    await runCli(
      ["events", "-f", "--filter", "type=service", "--format", "{{.subject.name}}", "--host", url],
      {
        env: { WAGGLE_TOKEN: "secret" },
        out: { write },
        onInterrupt: () => interrupt.signal,
      },
    );
    expect(out).toBe("web\nweb\napi\n");
  });
});

/** A mesh with a watch socket that a test serves: `serve` gets each socket and its `since` number. */
async function watched(serve: (socket: WebSocket, since: number) => void): Promise<string> {
  const server = createServer((request, response) => {
    response.setHeader("content-type", "application/json");
    response.setHeader("x-request-id", "request-1");
    const isAllowed = request.headers.authorization === "Bearer secret";
    response.statusCode = isAllowed ? 200 : 401;
    response.end(isAllowed ? "[]" : '{"message":"no"}');
  });
  const sockets = new WebSocketServer({ server, path: "/mesh/watch" });
  sockets.on("connection", (socket, request) => {
    serve(socket, Number(new URL(request.url ?? "", "http://x").searchParams.get("since")));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  closing.push(async () => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const frame = (event: MeshEvent) => JSON.stringify({ type: "event", event });

describe("[L12] new events", () => {
  test("[L12] are printed once each and in order, over a broken socket and repeated events", async () => {
    const sinceNumbers: number[] = [];
    const interrupt = new AbortController();
    const url = await watched((socket, since) => {
      sinceNumbers.push(since);
      if (sinceNumbers.length === 1) {
        for (const event of storedEvents.slice(0, 2)) socket.send(frame(event));
        socket.send(JSON.stringify({ type: "table", version: 9 }));
        socket.send("not JSON");
        socket.close(1001);
      } else for (const event of storedEvents.slice(1)) socket.send(frame(event));
    });
    let out = "";
    const write = (text: string) => {
      out += text;
      if (text.includes('"seq":5')) interrupt.abort();
    };
    const { code } = await runCli(["events", "-f", "--json", "--host", url], {
      env: { WAGGLE_TOKEN: "secret" },
      out: { write },
      onInterrupt: () => interrupt.signal,
    });
    expect(code).toBe(130);
    expect(
      out
        .trimEnd()
        .split("\n")
        .map((line) => (JSON.parse(line) as MeshEvent).seq),
    ).toEqual([1, 2, 3, 4, 5]);
    expect(sinceNumbers).toEqual([0, 2]);
  });

  test("[L12] end with 130 on Ctrl-C before the mesh responds", async () => {
    const interrupt = new AbortController();
    await using mesh = await fakeMesh({ "GET /mesh/events": { json: [] } });
    mesh.server.on("upgrade", (_request, socket) => {
      socket.resume();
      socket.on("end", () => socket.destroy());
      interrupt.abort();
    });
    const ran = await runOn(mesh, ["events", "-f"], { onInterrupt: () => interrupt.signal });
    expect(ran).toEqual({ code: 130, out: "", err: "" });
  });

  test("[L12] end with 4 if the token is refused", async () => {
    const url = await watched(() => {});
    expect(await runCli(["events", "-f", "--host", url])).toMatchObject({ code: 4 });
  });
});
