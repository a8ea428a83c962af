// The watchers' sockets of the registry object: each gets every event and every new table version as it
// happens.

import type { MeshEvent } from "../src/domain/model/event.ts";
import type { WatchFrame } from "../src/protocol/watch.ts";
import type { Effects } from "../src/registry/effects.ts";
import { trySend } from "./agent-sockets.ts";

const watchTag = "watch";

/** Close code of RFC 6455 §7.4.1. */
const policyViolation = 1008;

const sessionEnded = "the session has ended";

type WatcherAttachment = { readonly untilMs: number };

export class WatchSockets {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /**
   * Opens a watcher's socket and sends the missed events and the table's version.
   *
   * @param untilMs expiry of the watcher's credential; no events are sent after it. Epoch milliseconds, or
   *   Infinity
   * @param session id of the dashboard's session that it belongs to; null for any other watcher
   */
  accept(
    missed: readonly MeshEvent[],
    tableVersion: number,
    untilMs: number,
    session: string | null,
  ): Response {
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    this.#ctx.acceptWebSocket(server, session === null ? [watchTag] : [watchTag, sessionTag(session)]);
    server.serializeAttachment({ untilMs } satisfies WatcherAttachment);
    for (const event of missed) send(server, { type: "event", event });
    send(server, { type: "table", version: tableVersion });
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Closes the sockets of a session that has ended. */
  closeSession(session: string): void {
    for (const ws of this.#ctx.getWebSockets(sessionTag(session))) {
      if (ws.readyState === WebSocket.OPEN) ws.close(policyViolation, sessionEnded);
    }
  }

  /** Sends the events and the new table version to every watcher. */
  broadcast({ events, tableVersion }: Effects): void {
    if (events.length === 0 && tableVersion === null) return;
    for (const ws of this.#ctx.getWebSockets(watchTag)) {
      if (ws.readyState !== WebSocket.OPEN) continue;
      // A socket that an earlier release opened has no attachment.
      const { untilMs } = (ws.deserializeAttachment() as WatcherAttachment | null) ?? { untilMs: Infinity };
      if (untilMs <= Date.now()) {
        ws.close(policyViolation, sessionEnded);
        continue;
      }
      for (const event of events) send(ws, { type: "event", event });
      if (tableVersion !== null) send(ws, { type: "table", version: tableVersion });
    }
  }
}

function sessionTag(session: string): string {
  return `session:${session}`;
}

function send(ws: WebSocket, frame: WatchFrame): void {
  trySend(ws, JSON.stringify(frame));
}
