// A stand-in for the gateway behind a tunnel: sends each request to one HTTP server.

import { Agent, request as httpRequest, type IncomingMessage } from "node:http";
import type { TunnelledExchange } from "../../src/agent/tunnel/upgrade-exchange.ts";

/** Kept open, so that the server does not reset a connection whose request it did not read. */
const connections = new Agent({ keepAlive: true });

/** Serves exchanges by the server at `port` of 127.0.0.1, with the target of `x-waggle-target`. */
export function forwardExchange(exchange: TunnelledExchange, port: number): void {
  const { method, rawHeaders, body } = exchange;
  const names = rawHeaders.map((text) => text.toLowerCase());
  const target = rawHeaders[names.indexOf("x-waggle-target") + 1] as string;
  const headers = names.includes("host") ? [...rawHeaders] : ["host", "task", ...rawHeaders];
  const options = { port, host: "127.0.0.1", method, path: target, headers, agent: connections } as const;
  const outgoing = httpRequest(options as object);
  exchange.onClose = () => outgoing.destroy();
  let hasResponse = false;
  outgoing.on("error", () => {
    if (!hasResponse) exchange.respond({ status: 502, reason: "", rawHeaders: [] }, "broken");
  });
  outgoing.once("response", (response: IncomingMessage) => {
    hasResponse = true;
    exchange.respond(headOf(response), response);
  });
  outgoing.once("upgrade", (response, socket, first) => {
    exchange.switchProtocols(headOf(response), socket, first);
  });
  const hasBody = names.includes("content-length") || names.includes("transfer-encoding");
  if (hasBody) body.pipe(outgoing);
  else outgoing.end();
}

function headOf({ statusCode, statusMessage, rawHeaders }: IncomingMessage) {
  return {
    status: statusCode as number,
    reason: statusMessage as string,
    rawHeaders: [...rawHeaders, "x-waggle-gateway", "task mark"],
  };
}
