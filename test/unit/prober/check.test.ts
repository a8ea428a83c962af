// Checks of real servers on this machine, each with a fault of its own.

import { createServer, type Server, type Socket } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { readExpectation } from "../../../src/domain/model/check-expect.ts";
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

function responseCheck(check: HttpCheck): ResponseCheck {
  return new ResponseCheck(check, readExpectation(check.expect));
}

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function expecting(kind: "string" | "rstring", pattern: string, not = false): HttpCheck {
  return { ...http, expect: { kind, pattern, not } };
}

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
    const answer = responseCheck({ ...http, disableOn404: true });
    expect(answer.add(bytes("HTTP/1.1 404 Not Found\r\n"))).toEqual({ word: "L7OKC", code: 404 });
  });
});

describe("a response body", () => {
  const ok = "HTTP/1.1 200 OK\r\n";

  test("[F38] is read up to 16 KiB with the head, and decided there", () => {
    const answer = responseCheck(expecting("string", "late"));
    expect(answer.add(bytes(`${ok}\r\n${"x".repeat(16_000)}`))).toBeNull();
    expect(answer.add(bytes(`${"x".repeat(400)}late`))).toEqual({ word: "L7RSP", code: 200 });
    const negated = responseCheck(expecting("string", "late", true));
    expect(negated.add(bytes(`${ok}\r\n${"x".repeat(17_000)}late`))).toEqual({ word: "L7OK", code: 200 });
  });

  test("[F38] in single bytes costs a bounded number of matches, and is still matched as a whole", () => {
    let matches = 0;
    const answer = new ResponseCheck(http, {
      of: "body",
      not: false,
      size: 100,
      matches: (body) => {
        matches += 1;
        return body.endsWith("!");
      },
    });
    for (const byte of bytes(`${ok}\r\n${"x".repeat(15_000)}`))
      expect(answer.add(new Uint8Array([byte]))).toBeNull();
    expect(matches).toBeLessThan(200);
    expect(answer.add(bytes("!"))).toBeNull();
    expect(answer.atTimeout()).toEqual({ word: "L7OK", code: 200 });
    expect(answer.end()).toEqual({ word: "L7OK", code: 200 });
  });

  test("[F38] in single bytes is read by its framing: head, chunks and length", () => {
    const chunked = `${ok}transfer-encoding: gzip, Chunked\r\n\r\n5;a=b\r\nall r\r\n4\r\neady\r\n0\r\n\r\n`;
    const sized = `${ok}Content-Length: 9\r\n\r\nall ready, and more`;
    for (const text of [chunked, sized]) {
      const answer = responseCheck(expecting("rstring", "^all ready$"));
      const verdicts = [...bytes(text)].map((byte) => answer.add(new Uint8Array([byte])));
      expect(verdicts.find((verdict) => verdict !== null)).toEqual({ word: "L7OK", code: 200 });
    }
    const broken = responseCheck(expecting("string", "ready"));
    expect(broken.add(bytes(`${ok}transfer-encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\nready`))).toEqual({
      word: "L7RSP",
      code: 200,
    });
  });

  test("[F37] is UTF-8, in whatever pieces it arrives", () => {
    const answer = responseCheck(expecting("rstring", "^gr.n bereit$"));
    const verdicts = [...bytes(`${ok}content-length: 12\r\n\r\ngrün bereit`)].map((byte) =>
      answer.add(new Uint8Array([byte])),
    );
    expect(verdicts.at(-1)).toEqual({ word: "L7OK", code: 200 });
  });

  test("[F41] that is missing meets no expectation of a body", () => {
    for (const check of [
      expecting("string", "x", true),
      expecting("rstring", "^$"),
      expecting("rstring", ""),
    ]) {
      const answer = responseCheck(check);
      expect(answer.add(bytes(`${ok}content-length: 0\r\n\r\n`))).toEqual({ word: "L7RSP", code: 200 });
    }
  });

  test("[F39] fails a check whose stored pattern is refused, with the reason", () => {
    const answer = responseCheck(expecting("rstring", "(?=a)b", true));
    expect(answer.add(bytes(`${ok}\r\nab`))).toEqual({
      word: "L7RSP",
      code: 200,
      detail: expect.stringContaining(
        'cannot use the pattern "(?=a)b": lookahead (?= is not in RE2\'s syntax',
      ),
    });
  });

  test("[F43] that cannot be matched because of an error of the mesh fails the check with that error", async () => {
    const port = await serverWith(answering(`${ok}\r\nx`));
    const matches = () => {
      throw new Error("out of states");
    };
    const expectationOf = () => ({ of: "body", not: false, size: 1, matches }) as const;
    const result = await runCheck(target(port, { http }), { ...nodeCheckDeps, expectationOf });
    expect(checkText({ ...result, durationMs: 1 })).toBe("SOCKERR in 1ms (Error: out of states)");
  });

  test("[F36] that would make a backtracking engine run for years is matched at once", async () => {
    const evil = `${ok}\r\n${"a".repeat(15_000)}!`;
    const startedMs = performance.now();
    for (const pattern of ["(a+)+$", "^(a|aa)+$", "(a*)*b", "(.*a){20}$", "^(([a-z])+.)+[A-Z]([a-z])+$"]) {
      const port = await serverWith(answering(evil));
      const result = await resultOf(port, { timeoutMs: 5_000, http: expecting("rstring", pattern) });
      expect([pattern, result]).toEqual([pattern, "L7RSP/200"]);
    }
    expect(performance.now() - startedMs).toBeLessThan(5_000);
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
