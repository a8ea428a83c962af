// A frame from an agent: read strictly, and when it cannot be, told back in a few words.

import { AgentMessage } from "../protocol/agent.ts";

/** Largest frame taken, bytes: room for a hello of some thousand tasks. */
export const maxAgentMessageBytes = 1_048_576;

export type ParsedAgentMessage =
  | { readonly ok: true; readonly message: AgentMessage }
  | { readonly ok: false; readonly reason: string };

/**
 * Reads a frame of an agent's socket.
 *
 * @param greeted whether the socket has said hello; it must, before anything else
 */
export function readAgentMessage(frame: string | ArrayBuffer, greeted: boolean): ParsedAgentMessage {
  if (typeof frame !== "string")
    return bad(`a binary frame of ${frame.byteLength} bytes: frames are JSON text`);
  const bytes = new TextEncoder().encode(frame).length;
  if (bytes > maxAgentMessageBytes)
    return bad(`a frame of ${bytes} bytes: at most ${maxAgentMessageBytes} are read`);
  const read = AgentMessage.safeParse(parseJson(frame));
  if (!read.success) {
    const [issue] = read.error.issues;
    return bad(`cannot read ${excerpt(frame)}: ${issue?.path.join(".") || "frame"}: ${issue?.message}`);
  }
  if (!greeted && read.data.type !== "hello") return bad(`${read.data.type} before hello`);
  return { ok: true, message: read.data };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function excerpt(text: string): string {
  return JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text);
}

function bad(reason: string): ParsedAgentMessage {
  return { ok: false, reason };
}
