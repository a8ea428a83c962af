// The sockets of connections to TCP services through this isolate.

import { connect } from "cloudflare:sockets";
import { waitUntil } from "cloudflare:workers";
import { Connector } from "../src/control/connect.ts";
import { type ByteEnd, byteEndOf } from "../src/gateway/byte-streams.ts";
import type { Env } from "./env.ts";
import { planeAt } from "./plane.ts";

let connector: Connector | undefined;

/** This isolate's connections to TCP services. */
export function connectorOf(request: Request, env: Env): Connector {
  const plane = planeAt(request, env);
  connector ??= new Connector({
    plane,
    acceptClient: () => {
      const [client, own] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
      return { response: new Response(null, { status: 101, webSocket: client }), end: accepted(own) };
    },
    endOf: ({ webSocket }) => (webSocket === null ? null : accepted(webSocket)),
    dialServer,
    waitUntil,
  });
  return connector;
}

function accepted(ws: WebSocket): ByteEnd {
  ws.binaryType = "arraybuffer";
  ws.accept();
  return byteEndOf(ws);
}

/** @param origin `http://203.0.113.7:5432`; over TLS with `https:` */
async function dialServer(origin: string): Promise<ByteEnd> {
  const { protocol, hostname, port } = new URL(origin);
  const isTls = protocol === "https:";
  const address = { hostname, port: Number(port || (isTls ? 443 : 80)) };
  const socket = connect(address, { secureTransport: isTls ? "on" : "off", allowHalfOpen: true });
  // Both fail with the one that is waited for.
  socket.closed.catch(() => undefined);
  await socket.opened;
  return {
    readable: socket.readable,
    writable: socket.writable,
    reset: () => void socket.close().catch(() => undefined),
  };
}
