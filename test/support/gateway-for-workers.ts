// The servers that tests in workerd check as gateways, in the process of Vitest: a real gateway, and others.

import { createServer as createHttpServer, type Server as HttpServer } from "node:http";
import { type AddressInfo, createServer as createTcpServer, type Server } from "node:net";
import { text } from "node:stream/consumers";
import type { TestProject } from "vitest/node";
import { Gateway } from "../../src/agent/gateway/gateway.ts";
import type { NodeKey } from "../../src/agent/gateway/proof.ts";
import type { SentNodeKey } from "../../src/protocol/agent.ts";
import type { GatewayPorts } from "./gateway-ports.ts";

/** Vitest calls this before the tests, and the returned function after them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  let keys: readonly NodeKey[] = [];
  const gateway = await Gateway.open("127.0.0.1", 0, {
    keys: () => keys,
    task: () => null,
    clocks: { wallMs: Date.now, registryMs: () => null, monotonicMs: () => performance.now() },
    log: () => undefined,
  });
  const keyServer = createHttpServer(async (request, response) => {
    const sent = JSON.parse(await text(request)) as readonly SentNodeKey[];
    keys = sent.map(({ id, key }) => ({ id, key: Buffer.from(key, "base64url") }));
    response.end();
  });
  const other = createHttpServer((_request, response) => response.end("hello"));
  const silent = createTcpServer((socket) => socket.on("error", () => undefined).resume());
  const servers = [keyServer, other, silent];
  for (const server of servers) await listen(server);
  const ports: GatewayPorts = {
    gateway: gateway.port,
    keys: portOf(keyServer),
    other: portOf(other),
    silent: portOf(silent),
  };
  project.provide("gatewayPorts", ports);
  return async () => {
    for (const server of servers) server.close();
    await gateway.close(0);
  };
}

function listen(server: HttpServer | Server): Promise<void> {
  return new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
}

function portOf(server: HttpServer | Server): number {
  return (server.address() as AddressInfo).port;
}
