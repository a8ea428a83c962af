// Checks of real servers on this machine, each with a fault of its own.

import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { checkText } from "../../../src/domain/model/check-result.ts";
import type { ProbeTarget } from "../../../src/domain/model/probe-list.ts";
import {
  defaultHttpCheck,
  type HttpCheck,
  type PartialCheckSpec,
  withCheckDefaults,
} from "../../../src/domain/model/server.ts";
import { runCheck } from "../../../src/prober/check.ts";
import { ResponseCheck, requestText } from "../../../src/prober/http-check.ts";
import { nodeCheckDeps } from "../../support/dial.ts";

const servers: Server[] = [];
const sockets = new Set<Socket>();

afterEach(async () => {
  for (const socket of sockets) socket.destroy();
  sockets.clear();
  for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
});

/** Starts a server that handles each connection with `handle`. Returns its port. */
async function serverWith(handle: (socket: Socket) => void): Promise<number> {
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    handle(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  return typeof address === "object" ? (address?.port ?? 0) : 0;
}

function answering(text: string): (socket: Socket) => void {
  return (socket) => socket.once("data", () => socket.end(text));
}

function target(port: number, words: PartialCheckSpec = {}): ProbeTarget {
  const check = withCheckDefaults({ timeoutMs: 300, ...words }, { tls: false });
  return { serverId: "s", name: "web/s", epoch: 1, host: "127.0.0.1", port, check, counter: 2 };
}

async function resultOf(port: number, words: PartialCheckSpec = {}): Promise<string> {
  return checkText(await runCheck(target(port, words), nodeCheckDeps)).replace(/ in \d+ms$/, "");
}

function resetting(socket: Socket): void {
  socket.once("data", () => socket.resetAndDestroy());
}

const http = defaultHttpCheck;

describe("a TCP check", () => {
  test("[F12] distinguishes a server that accepts from one that refuses", async () => {
    expect(await resultOf(await serverWith(() => undefined))).toBe("L4OK");
    const port = await serverWith((socket) => socket.end());
    for (const server of servers.splice(0)) await new Promise((resolve) => server.close(resolve));
    expect(await resultOf(port)).toBe("L4CON");
  });
});

describe("an HTTP check", () => {
  test("[F12] passes by status, and names a status that fails", async () => {
    expect(await resultOf(await serverWith(answering("HTTP/1.1 200 OK\r\n\r\n")), { http })).toBe("L7OK/200");
    expect(await resultOf(await serverWith(answering("HTTP/1.0 503 Busy\r\n\r\n")), { http })).toBe(
      "L7STS/503",
    );
  });

  test("[F12] distinguishes silence from an invalid response and from a connection that ends without one", async () => {
    expect(await resultOf(await serverWith(() => undefined), { http })).toBe("L7TOUT");
    expect(await resultOf(await serverWith(answering("SSH-2.0-OpenSSH\r\n")), { http })).toBe("L7RSP");
    expect(await resultOf(await serverWith((socket) => socket.end()), { http })).toBe("L7RSP");
    expect(await resultOf(await serverWith(resetting), { http })).toBe("L7RSP");
  });

  test("[F12] takes no longer than its timeout, however slowly the response arrives", async () => {
    const port = await serverWith((socket) => {
      const timer = setInterval(() => socket.write("H"), 20);
      socket.once("close", () => clearInterval(timer));
    });
    const expect_ = { kind: "string", pattern: "never", not: false } as const;
    const result = await runCheck(target(port, { http: { ...http, expect: expect_ } }), nodeCheckDeps);
    expect(result.durationMs).toBeLessThan(600);
  });

  test("[F12] matches the body, also a chunked one, in whatever pieces it arrives", async () => {
    const expects = (pattern: string, not = false): PartialCheckSpec => ({
      http: { ...http, expect: { kind: "string", pattern, not } },
    });
    const body = "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nall ready";
    expect(await resultOf(await serverWith(answering(body)), expects("ready"))).toBe("L7OK/200");
    expect(await resultOf(await serverWith(answering(body)), expects("asleep"))).toBe("L7RSP/200");
    expect(await resultOf(await serverWith(answering(body)), expects("ready", true))).toBe("L7RSP/200");
    const chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nrea\r\n2\r\ndy\r\n0\r\n\r\n";
    expect(await resultOf(await serverWith(answering(chunked)), expects("ready"))).toBe("L7OK/200");
    const inPieces = (socket: Socket) =>
      socket.once("data", () => {
        for (const [at, one] of [...body].entries()) setTimeout(() => socket.write(one), at);
      });
    expect(await resultOf(await serverWith(inPieces), expects("ready"))).toBe("L7OK/200");
  });

  test("[F12] reads a 404 as a request for no new requests if configured so", () => {
    const answer = new ResponseCheck({ ...http, disableOn404: true });
    expect(answer.add("HTTP/1.1 404 Not Found\r\n")).toEqual({ word: "L7OKC", code: 404 });
  });
});

describe("the request of a check", () => {
  const get: HttpCheck = { ...http, method: "GET", uri: "/health", version: "HTTP/1.1" };

  test("[F13] is as configured, with a Host header where HTTP/1.1 needs one, and closes its connection", () => {
    expect(requestText(http, "10.0.0.1", 80)).toBe("OPTIONS / HTTP/1.0\r\nConnection: close\r\n\r\n");
    expect(requestText(get, "fd00::1", 80)).toBe(
      "GET /health HTTP/1.1\r\nHost: [fd00::1]:80\r\nConnection: close\r\n\r\n",
    );
    const named = { ...get, headers: [{ name: "host", value: "www.example.com" }] };
    expect(requestText(named, "10.0.0.1", 80)).toBe(
      "GET /health HTTP/1.1\r\nhost: www.example.com\r\nConnection: close\r\n\r\n",
    );
  });

  test("[F13] arrives unchanged", async () => {
    const arrived = Promise.withResolvers<string>();
    const port = await serverWith((socket) =>
      socket.once("data", (bytes) => {
        arrived.resolve(bytes.toString());
        socket.end("HTTP/1.1 204 No Content\r\n\r\n");
      }),
    );
    expect(await resultOf(port, { http: get })).toBe("L7OK/204");
    expect(await arrived.promise).toBe(requestText(get, "127.0.0.1", port));
  });
});
