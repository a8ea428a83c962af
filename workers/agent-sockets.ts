// The agents' sockets of the registry object. They outlive the object while it hibernates, so the state of a
// socket is in its attachment.

import { closeCodes, type ProbeRequest } from "../src/protocol/agent.ts";
import type { NodeAssignment } from "../src/registry/assignments.ts";
import { seeNode } from "../src/registry/liveness.ts";

type AgentAttachment = {
  readonly kind: "agent";
  readonly nodeId: string;
  /** Where its connection comes from; null if unknown. Absent in sockets of earlier releases. */
  readonly client: string | null;
  /**
   * When it opened or last carried a message, epoch milliseconds. The platform has the time of the last ping.
   */
  readonly heardAtMs: number;
  /** The platform's time of the last ping that `heardAtMs` includes, epoch milliseconds. */
  readonly pingedAtMs?: number;
  /** True if it carried a hello. */
  readonly greeted: boolean;
  /** Closed by the registry; later messages are ignored. */
  readonly closed: boolean;
  /** Index of the last assignment sent. */
  readonly index: number;
  readonly assignedHash: string;
};

/** Longest reason in a close frame, bytes (RFC 6455 §5.5). */
const maxReasonBytes = 123;

export class AgentSockets {
  readonly #ctx: DurableObjectState;

  constructor(ctx: DurableObjectState) {
    this.#ctx = ctx;
  }

  /** Opens a socket for a node and closes the node's older ones. @param client where it comes from */
  accept(nodeId: string, client: string | null, nowMs: number): Response {
    this.close(nodeId, closeCodes.superseded, "a newer socket of this node replaced it");
    const [agentEnd, ownEnd] = Object.values(new WebSocketPair()) as [WebSocket, WebSocket];
    this.#ctx.acceptWebSocket(ownEnd, [tagOf(nodeId)]);
    const attachment: AgentAttachment = {
      kind: "agent",
      nodeId,
      client,
      heardAtMs: nowMs,
      greeted: false,
      closed: false,
      index: 0,
      assignedHash: "",
    };
    ownEnd.serializeAttachment(attachment);
    return new Response(null, { status: 101, webSocket: agentEnd });
  }

  /** Records a message on a socket. Returns its state, or null if it is not an agent's or was closed. */
  touch(ws: WebSocket, nowMs: number): AgentAttachment | null {
    const socket = attachmentOf(ws);
    if (socket === null || socket.closed) return null;
    ws.serializeAttachment({ ...socket, heardAtMs: nowMs });
    return socket;
  }

  /** Records that a socket carried a hello. */
  markGreeted(ws: WebSocket): void {
    const socket = attachmentOf(ws);
    if (socket !== null) ws.serializeAttachment({ ...socket, greeted: true });
  }

  /**
   * By node with an open socket, when it last sent a message or a ping, epoch milliseconds. Before its hello, only
   * when it opened counts: the hello may wait behind those of other nodes.
   */
  lastSeen(nowMs: number): ReadonlyMap<string, number> {
    const lastSeenMs = new Map<string, number>();
    for (const ws of this.#ctx.getWebSockets()) {
      const socket = openSocket(ws);
      if (socket === null) continue;
      if (!socket.greeted) {
        lastSeenMs.set(socket.nodeId, Math.max(socket.heardAtMs, lastSeenMs.get(socket.nodeId) ?? 0));
        continue;
      }
      const pingedAtMs = this.#ctx.getWebSocketAutoResponseTimestamp(ws)?.getTime() ?? 0;
      const before = { seenAtMs: socket.heardAtMs, pingedAtMs: socket.pingedAtMs ?? 0 };
      const { seenAtMs } = seeNode(before, pingedAtMs, nowMs);
      if (seenAtMs !== before.seenAtMs || pingedAtMs !== before.pingedAtMs)
        ws.serializeAttachment({ ...socket, heardAtMs: seenAtMs, pingedAtMs });
      lastSeenMs.set(socket.nodeId, Math.max(seenAtMs, lastSeenMs.get(socket.nodeId) ?? 0));
    }
    return lastSeenMs;
  }

  /** The node that lost its last socket with this one; null if it has another, or this was not an agent's. */
  disconnectedNode(ws: WebSocket): string | null {
    const socket = attachmentOf(ws);
    if (socket === null) return null;
    const others = this.#ctx.getWebSockets(tagOf(socket.nodeId)).filter((other) => other !== ws);
    return others.some((other) => openSocket(other) !== null) ? null : socket.nodeId;
  }

  /** Sends an assignment unless the node's socket already has it. */
  assign({ nodeId, body, hash, resend }: NodeAssignment, nowMs: number): void {
    for (const ws of this.#ctx.getWebSockets(tagOf(nodeId))) {
      const socket = openSocket(ws);
      if (!socket?.greeted || (socket.assignedHash === hash && !resend)) continue;
      const index = socket.index + 1;
      if (trySend(ws, JSON.stringify({ ...body, index, nowMs }))) {
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
  const attachment = ws.deserializeAttachment() as AgentAttachment | null;
  return attachment?.kind === "agent" ? attachment : null;
}

/**
 * Null for a closed socket: it stays in the platform's list until its peer answers, which a frozen agent
 * never does.
 */
function openSocket(ws: WebSocket): AgentAttachment | null {
  const socket = attachmentOf(ws);
  return socket === null || socket.closed || ws.readyState !== WebSocket.OPEN ? null : socket;
}

/** Sends a frame. False if the socket is broken: its peer gets the current state when it redials. */
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
