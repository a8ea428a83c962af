// Connections to a TCP service through the control API, for meshes without a port that this machine can reach.

import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { text } from "node:stream/consumers";
import { WebSocket } from "ws";
import { ByteSocket, byteSocketOptions } from "../net/byte-socket.ts";
import { authorizationHeaders } from "./client.ts";
import { connectionFailure } from "./connection-failure.ts";
import { refused } from "./errors.ts";
import type { MeshTarget } from "./mesh-target.ts";
import { proxyAgent } from "./proxy.ts";

/** A connection that takes longer is given up, milliseconds: the mesh may try several tasks. */
const meshConnectMs = 20_000;

/** Opens connections to a published port. Each rejects with the mesh's reason if it is refused. */
export function meshDialer(target: MeshTarget, service: string, port: number): () => Promise<Duplex> {
  const query = new URLSearchParams({ service, port: String(port) });
  const url = `${target.url.replace(/^http/, "ws")}/mesh/connect?${query}`;
  return () =>
    new Promise((resolve, reject) => {
      const options = {
        ...byteSocketOptions,
        handshakeTimeout: meshConnectMs,
        ...proxyAgent(url, target.isProxied),
      };
      const ws = new WebSocket(url, { ...options, headers: authorizationHeaders(target) });
      ws.once("open", () => resolve(new ByteSocket(ws)));
      ws.once("unexpected-response", (request, response: IncomingMessage) => {
        void reasonOf(response).then((reason) => {
          request.destroy();
          reject(refused(reason, "waggle status"));
        });
      });
      ws.on("error", (error) => {
        const { reason, advice } = connectionFailure(error, meshConnectMs);
        reject(refused(`cannot connect through ${target.url}: ${reason}`, advice));
      });
    });
}

async function reasonOf(response: IncomingMessage): Promise<string> {
  const body = await text(response);
  try {
    return (JSON.parse(body) as { message: string }).message;
  } catch {
    return `the mesh responded with ${response.statusCode}`;
  }
}
