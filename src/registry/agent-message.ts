// Parses a frame of an agent's socket. A refusal quotes what was read.

import { AgentMessage } from "../protocol/agent.ts";

/** Largest accepted frame, bytes: room for a hello with a few thousand tasks. */
const maxAgentMessageBytes = 1_048_576;

export type ParsedAgentMessage =
  | { readonly ok: true; readonly message: AgentMessage }
  | { readonly ok: false; readonly reason: string };

/** @param isGreeted whether the socket already carried a hello, which must be its first message */
export function readAgentMessage(frame: string | ArrayBuffer, isGreeted: boolean): ParsedAgentMessage {
  if (typeof frame !== "string")
    return unreadable(`a binary frame of ${frame.byteLength} bytes: frames are JSON text`);
  const bytes = new TextEncoder().encode(frame).length;
  if (bytes > maxAgentMessageBytes)
    return unreadable(`a frame of ${bytes} bytes: at most ${maxAgentMessageBytes} are read`);
  const parsed = AgentMessage.safeParse(parseJson(frame));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return unreadable(
      `cannot read ${excerpt(frame)}: ${issue?.path.join(".") || "frame"}: ${issue?.message}`,
    );
  }
  if (!isGreeted && parsed.data.type !== "hello") return unreadable(`${parsed.data.type} before hello`);
  return { ok: true, message: parsed.data };
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

function unreadable(reason: string): ParsedAgentMessage {
  return { ok: false, reason };
}
