// One request of an HTTP/1.1 connection and its response, as Node's server has them.

import type { IncomingMessage, ServerResponse } from "node:http";
import type { ClientConnection } from "./client-connection.ts";
import type { ClientExchange } from "./forward-request.ts";
import { responseHeaders } from "./response-headers.ts";

/** A response that breaks off resets the client's connection, so that no reader takes it for complete. */
export function http1Exchange(
  incoming: IncomingMessage,
  outgoing: ServerResponse,
  client: Pick<ClientConnection, "refuse" | "endAfter">,
): ClientExchange {
  return {
    body: incoming,
    hasResponse: () => outgoing.headersSent,
    refuse: (refusal) => client.refuse(refusal),
    respond: (response) => {
      // The client may go on with the body after all, or take the connection for free.
      if (response.statusCode === 408 && !incoming.complete) client.endAfter(outgoing);
      relayResponse(response, outgoing);
    },
    onLost: (abort) => {
      outgoing.once("close", () => {
        if (!outgoing.writableFinished) abort();
      });
    },
  };
}

/** Passes the response to the client. */
export function relayResponse(response: IncomingMessage, outgoing: ServerResponse): void {
  outgoing.sendDate = false;
  if (staysOpen(outgoing)) outgoing.removeHeader("connection");
  outgoing.writeHead(
    response.statusCode ?? 502,
    response.statusMessage ?? "",
    responseHeaders(response.rawHeaders),
  );
  // The head goes out with the first bytes if they are here already, else alone.
  setImmediate(() => {
    // Not flushHeaders, which writes the head as UTF-8.
    if (!outgoing.writableEnded && !outgoing.destroyed) outgoing.write(Buffer.alloc(0));
  });
  response.pipe(outgoing);
  response.once("error", () => outgoing.socket?.resetAndDestroy());
}

/** True if the connection stays open without a Connection header: HTTP/1.1, with both sides open. */
function staysOpen({ shouldKeepAlive, req }: ServerResponse): boolean {
  return shouldKeepAlive && req.httpVersion === "1.1" && !req.socket.readableEnded;
}
