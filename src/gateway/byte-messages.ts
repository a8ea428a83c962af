// A TCP connection as messages of a WebSocket. Both ends speak it, whatever passes the messages on between them:
// Workers, the relay, the tunnel of a node. Those cannot slow a sender down, so the ends do.
//
//   0, bytes       bytes of the connection, at most 64 KiB
//   1              this direction has ended (half-close); the other one may go on
//   2, 4 bytes     the sender of this message takes so many further bytes, unsigned, big-endian
//
// Each direction begins with a window of 256 KiB, which is what all parts between the ends hold of it at most. The
// WebSocket closes with 1000 when both directions have ended; any other close is a reset of the connection.
//
// @see docs/decisions/0081-relay.md

/** Bytes that may be sent before the other end takes more. */
export const byteWindow = 256 * 1024;
/** Largest number of bytes in a message, without the type. */
export const maxMessageBytes = 64 * 1024;

const types = { bytes: 0, end: 1, window: 2 } as const;

export type ByteMessage =
  | { readonly type: "bytes"; readonly bytes: Uint8Array }
  | { readonly type: "end" }
  | { readonly type: "window"; readonly window: number };

/** Writes a message. */
export function writeByteMessage(message: ByteMessage): Uint8Array {
  if (message.type === "end") return Uint8Array.of(types.end);
  if (message.type === "bytes") {
    const bytes = new Uint8Array(1 + message.bytes.length);
    bytes.set(message.bytes, 1);
    return bytes;
  }
  const bytes = new Uint8Array(5);
  bytes[0] = types.window;
  new DataView(bytes.buffer).setUint32(1, message.window);
  return bytes;
}

/** Reads a message, whose bytes are a view of it; null if it is not one. */
export function readByteMessage(message: Uint8Array): ByteMessage | null {
  const [type] = message;
  if (type === types.bytes && message.length > 1 && message.length <= 1 + maxMessageBytes)
    return { type: "bytes", bytes: message.subarray(1) };
  if (type === types.end && message.length === 1) return { type: "end" };
  if (type !== types.window || message.length !== 5) return null;
  const window = new DataView(message.buffer, message.byteOffset, 5).getUint32(1);
  return window > 0 && window <= byteWindow ? { type: "window", window } : null;
}
