// The agents' sockets of the registry object. They outlive it while it hibernates, so all it must remember of one is
// in the socket's attachment.

import { closeCodes, type ProbeRequest } from "../src/protocol/agent.ts";
import type { NodeAssignment } from "../src/registry/assignments.ts";

/** What a socket's attachment holds. */
export type AgentAttachment = {
  readonly kind: "agent";
  readonly nodeId: string;
  /** When it opened or last carried a message, epoch milliseconds; pings are counted by the platform. */
  readonly heardAtMs: number;
  /** Said hello. */
  readonly greeted: boolean;
  /** Closed from this side; what still comes in is not read. */
  readonly closed: boolean;
  /** Index of the assignment last sent. */
  readonly index: number;
  readonly assignedHash: string;
};

/** A close frame's reason ends at this many bytes (RFC 6455 §5.5). */
const maxReasonBytes = 123;

export class AgentSockets {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Opens a socket for a node. The node's older ones are closed: only the newest speaks for it. */
  accept(nodeId: string, nowMs: number): Response {
    this.close(nodeId, closeCodes.superseded, "a newer socket of this node took over");
    const [client, server] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    this.#ctx.acceptWebSocket(server, [tagOf(nodeId)]);
    const socket: AgentAttachment = {
      kind: "agent",
      nodeId,
      heardAtMs: nowMs,
      greeted: false,
      closed: false,
      index: 0,
      assignedHash: "",
    };
    server.serializeAttachment(socket);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** The socket a message came in on, noted as heard; null when it is not one to listen to. */
  touch(ws: WebSocket, nowMs: number): AgentAttachment | null {
    const socket = attachmentOf(ws);
    if (socket === null || socket.closed) return null;
    ws.serializeAttachment({ ...socket, heardAtMs: nowMs });
    return socket;
  }

  /** Notes that a socket said hello. */
  markGreeted(ws: WebSocket): void {
    const socket = attachmentOf(ws);
    if (socket !== null) ws.serializeAttachment({ ...socket, greeted: true });
  }

  /** When each node was last heard on a socket that is open and said hello, epoch milliseconds. */
  lastSeen(): ReadonlyMap<string, number> {
    const heard = new Map<string, number>();
    for (const ws of this.#ctx.getWebSockets()) {
      const socket = openSocket(ws);
      if (!socket?.greeted) continue;
      const pingedAtMs = this.#ctx.getWebSocketAutoResponseTimestamp(ws)?.getTime() ?? 0;
      const atMs = Math.max(pingedAtMs, socket.heardAtMs, heard.get(socket.nodeId) ?? 0);
      heard.set(socket.nodeId, atMs);
    }
    return heard;
  }

  /** The node that has no socket any more now that this one closed; null when it has, or this was no agent's. */
  disconnectedNode(ws: WebSocket): string | null {
    const socket = attachmentOf(ws);
    if (socket === null) return null;
    const others = this.#ctx.getWebSockets(tagOf(socket.nodeId)).filter((other) => other !== ws);
    return others.some((other) => openSocket(other) !== null) ? null : socket.nodeId;
  }

  /** Sends an assignment to the node's socket unless it has it already. */
  assign({ nodeId, body, hash, resend }: NodeAssignment): void {
    for (const ws of this.#ctx.getWebSockets(tagOf(nodeId))) {
      const socket = openSocket(ws);
      if (!socket?.greeted || (socket.assignedHash === hash && !resend)) continue;
      const index = socket.index + 1;
      if (trySend(ws, JSON.stringify({ ...body, index }))) {
        ws.serializeAttachment({ ...socket, index, assignedHash: hash });
      }
    }
  }

  /** Asks a node's agent to probe tasks now. */
  probe(nodeId: string, taskIds: readonly string[]): void {
    const frame: ProbeRequest = { type: "probe", taskIds: [...taskIds] };
    for (const ws of this.#ctx.getWebSockets(tagOf(nodeId))) {
      if (openSocket(ws)?.greeted) trySend(ws, JSON.stringify(frame));
    }
  }

  /** Closes every socket of a node. */
  close(nodeId: string, code: number, reason: string): void {
    for (const ws of this.#ctx.getWebSockets(tagOf(nodeId))) {
      const socket = openSocket(ws);
      if (socket === null) continue;
      ws.serializeAttachment({ ...socket, closed: true });
      ws.close(code, shortenReason(reason));
    }
  }
}

function tagOf(nodeId: string): string {
  return `node:${nodeId}`;
}

function attachmentOf(ws: WebSocket): AgentAttachment | null {
  const attached = ws.deserializeAttachment() as AgentAttachment | null;
  return attached?.kind === "agent" ? attached : null;
}

/** A closed socket stays listed until its other end has answered, which a frozen agent never does. */
function openSocket(ws: WebSocket): AgentAttachment | null {
  const socket = attachmentOf(ws);
  return socket === null || socket.closed || ws.readyState !== WebSocket.OPEN ? null : socket;
}

/**
 * Sends a frame; false when the socket broke meanwhile. What was decided stands all the same, and whoever is at the
 * other end is told anew when it redials.
 */
export function trySend(ws: WebSocket, text: string): boolean {
  try {
    ws.send(text);
    return true;
  } catch {
    return false;
  }
}

function shortenReason(reason: string): string {
  let text = reason;
  while (new TextEncoder().encode(text).length > maxReasonBytes) text = `${[...text].slice(0, -2).join("")}…`;
  return text;
}
