import { createServer as createHttpServer } from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { probeTask } from "../../../src/agent/probes.ts";

const servers: Server[] = [];
const noAbort = new AbortController().signal;

afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

test.each([
  [200, true, /^L7OK\/200 in \d+ms$/],
  [302, true, /^L7OK\/302 in \d+ms$/],
  [404, false, /^L7STS\/404 in \d+ms$/],
  [503, false, /^L7STS\/503 in \d+ms$/],
])("[N19] an HTTP probe answered with %i passes: %s", async (status, ok, text) => {
  const origin = await listen(createHttpServer((_request, response) => response.writeHead(status).end()));
  expect(await http(origin)).toEqual({ ok, text: expect.stringMatching(text) });
});

test("[N19] a refused connection is L4CON", async () => {
  const server = createServer();
  const origin = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  for (const result of [await http(origin), await tcp(origin)]) {
    expect(result).toEqual({ ok: false, text: expect.stringMatching(/^L4CON in \d+ms$/) });
  }
});

test("[N19] a TCP probe passes with a connection", async () => {
  const origin = await listen(createServer());
  expect(await tcp(origin)).toEqual({ ok: true, text: expect.stringMatching(/^L4OK in \d+ms$/) });
});

test("[N19] a server that accepts connections and does not respond is L7TOUT after a second", async () => {
  const origin = await listen(createServer());
  const { ok, text } = await http(origin);
  expect(ok).toBe(false);
  expect(Number(/^L7TOUT in (\d+)ms$/.exec(text)?.[1])).toBeGreaterThanOrEqual(990);
});

test("[N19] a response that is not HTTP is L7RSP", async () => {
  const origin = await listen(createServer((socket) => socket.end("220 mail\r\n")));
  expect(await http(origin)).toEqual({ ok: false, text: expect.stringMatching(/^L7RSP in \d+ms$/) });
});

test("[N19] every port must pass; the result names the one that fails", async () => {
  const passing = await listen(createHttpServer((_request, response) => response.end()));
  const closed = createServer();
  const failing = await listen(closed);
  await new Promise((resolve) => closed.close(resolve));
  const endpoints = [
    { target: 80, origin: passing },
    { target: 443, origin: failing },
  ];
  const result = await probeTask(endpoints, { kind: "http", path: "/" }, noAbort);
  expect(result).toEqual({ ok: false, text: expect.stringMatching(/^L4CON in \d+ms \(port 443\)$/) });
});

function http(origin: string) {
  return probeTask([{ target: 80, origin }], { kind: "http", path: "/" }, noAbort);
}

function tcp(origin: string) {
  return probeTask([{ target: 80, origin }], { kind: "tcp" }, noAbort);
}

function listen(server: Server): Promise<string> {
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", () =>
      resolve(`http://127.0.0.1:${(server.address() as AddressInfo).port}`),
    );
  });
}
