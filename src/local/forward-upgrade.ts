// Forwards a WebSocket handshake of a listener to the Workers runtime, and then the bytes of both sides.

import { type IncomingMessage, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { joinStreams } from "../net/join-streams.ts";
import type { Abort } from "./client-connection.ts";
import { openRequest, type Refuse, reset, runtimeFailure } from "./forward-request.ts";
import { relayResponse } from "./http1-exchange.ts";
import type { RuntimeRequest } from "./read-request.ts";
import type { RuntimeAgent } from "./runtime-agent.ts";

/** How long one side of a tunnel stays open after the other has ended, milliseconds. */
const halfOpenMs = 10_000;

/**
 * Forwards a handshake. If the response refuses it, the connection ends after the response, because what the
 * client sent after the handshake may be meant for the tunnel.
 *
 * @param head bytes that the client has sent after the handshake
 */
export function forwardUpgrade(
  incoming: IncomingMessage,
  client: Socket,
  head: Buffer,
  handshake: RuntimeRequest,
  agent: RuntimeAgent,
  refuse: Refuse,
): Abort {
  const upstream = openRequest(handshake, agent);
  let isAborted = false;
  const abort = (): void => {
    isAborted = true;
    reset(upstream);
  };
  client.once("close", abort);
  upstream.on("upgrade", (response, tunnel: Socket, first: Buffer) => {
    client.off("close", abort);
    client.write(headOf(response), "latin1");
    client.write(first);
    tunnel.write(head);
    for (const side of [client, tunnel]) side.setTimeout(0);
    joinStreams(client, tunnel, halfOpenMs);
  });
  upstream.on("response", (response) => {
    relayResponse(response, refusalOf(incoming, client));
  });
  upstream.on("error", (error) => {
    if (!isAborted) refuse(runtimeFailure(error, "WebSocket handshake"));
  });
  upstream.end();
  return abort;
}

/** The response to a handshake that opens no tunnel. The connection ends after it. */
export function refusalOf(handshake: IncomingMessage, client: Socket): ServerResponse {
  const outgoing = new ServerResponse(handshake);
  outgoing.shouldKeepAlive = false;
  outgoing.assignSocket(client);
  outgoing.once("finish", () => client.destroySoon());
  return outgoing;
}

/** The head of a 101 as the runtime sent it. */
function headOf({ statusMessage, rawHeaders }: IncomingMessage): string {
  const lines = [`HTTP/1.1 101 ${statusMessage}`];
  for (let index = 0; index < rawHeaders.length; index += 2) {
    lines.push(`${rawHeaders[index]}: ${rawHeaders[index + 1]}`);
  }
  return `${lines.join("\r\n")}\r\n\r\n`;
}
