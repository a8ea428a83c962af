import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type WebSocket, WebSocketServer } from "ws";
import { TunnelClient } from "../../../src/agent/tunnel/tunnel-client.ts";
import { until } from "../../support/until.ts";

let server: Server;
let upgrades: IncomingMessage[];
let sockets: WebSocket[];
let closes: number[];
let skippedMs: number;
let lines: string[];
let abort: AbortController;
let end: Promise<unknown>;

beforeEach(async () => {
  [upgrades, sockets, closes, lines, skippedMs] = [[], [], [], [], 0];
  server = createServer();
  new WebSocketServer({ server }).on("connection", (ws, request) => {
    upgrades.push(request);
    sockets.push(ws);
    ws.on("close", (code) => closes.push(code));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  abort = new AbortController();
  const client = new TunnelClient({
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    membership: { nodeId: "n".repeat(25), credential: "c".repeat(40) },
    handle: () => {},
    log: (line) => lines.push(line),
    nowMs: () => Date.now() + skippedMs,
    random: () => 0,
  });
  end = client.run(abort.signal);
  await until("the first socket", () => sockets[0]);
});

afterEach(async () => {
  abort.abort();
  await end;
  server.close();
});

test("[O54] an agent dials its tunnel with the headers of its other socket, and dials again when it breaks", async () => {
  expect(upgrades[0]?.url).toBe("/mesh/tunnel");
  expect(upgrades[0]?.headers).toMatchObject({
    authorization: `Bearer ${"c".repeat(40)}`,
    "x-waggle-node": "n".repeat(25),
    "x-waggle-protocol": "3",
  });
  sockets[0]?.terminate();
  await until("the second socket", () => sockets[1]);
  expect(lines).toContain(
    "lost the connection to the mesh's tunnel (1006); requests on it ended, reconnecting",
  );
});

test("[O54] an agent whose tunnel is silent for 15 s dials again", async () => {
  skippedMs = 15_001;
  await until("the second socket", () => sockets[1], { withinMs: 10_000 });
}, 15_000);

test("[O54] an agent that another one replaced does not dial again", async () => {
  sockets[0]?.close(4409, "replaced");
  expect(await end).toBe("superseded");
  expect(sockets).toHaveLength(1);
});

test("[O41] an agent ends a tunnel whose object breaks the protocol, and dials again", async () => {
  sockets[0]?.send(Buffer.from([4, 0, 0, 0, 0, 1, 0, 0, 0]));
  await until("the second socket", () => sockets[1]);
  expect(closes).toContain(4400);
  expect(lines).toContain(
    "ended the tunnel: the other end of the tunnel sent a frame of stream 1, which was not opened",
  );
});
