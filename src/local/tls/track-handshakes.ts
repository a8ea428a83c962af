// The connections of a server with TLS: counted from their start, before any handshake, and reset as TCP connections.

import type { Server } from "node:https";
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { DescriptorBudget } from "../descriptor-budget.ts";

/**
 * @param budget counts a connection during its handshake
 * @param accept receives each connection after its handshake, before its first request is read
 * @returns ends the connections whose handshake is under way
 */
export function trackHandshakes(
  server: Server,
  budget: DescriptorBudget,
  accept: (socket: TLSSocket) => void,
): () => void {
  const byPeer = new Map<string, Socket>();
  const pending = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    const peer = peerOf(socket);
    byPeer.set(peer, socket);
    pending.add(socket);
    socket.once("close", () => {
      pending.delete(socket);
      byPeer.delete(peer);
      budget.disconnect(socket);
    });
    socket.on("error", () => socket.destroy());
    if (!budget.connect(socket, () => socket.destroy())) socket.destroy();
  });
  server.on("secureConnection", (stream: TLSSocket) => {
    const socket = byPeer.get(peerOf(stream));
    if (socket !== undefined) {
      pending.delete(socket);
      budget.disconnect(socket);
      // Node resets a TCP connection, and not the TLS stream in it.
      stream.resetAndDestroy = () => {
        socket.resetAndDestroy();
        return stream.destroy();
      };
    }
    accept(stream);
  });
  return () => {
    for (const socket of pending) socket.destroy();
  };
}

function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
