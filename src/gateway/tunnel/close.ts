// How a WebSocket's close crosses a tunnel: in the payload of the end frame.

/** The close of a WebSocket. `code` is null if it had none. */
export type RelayedClose = { readonly code: number | null; readonly reason: string };

/** Codes that stand for a missing close frame or code, and that no endpoint may send (RFC 6455 §7.4.1). */
const unsendable: ReadonlySet<number> = new Set([1004, 1005, 1006, 1015]);

/** Longest reason in a close frame, bytes (RFC 6455 §5.5). */
const maxReasonBytes = 123;

/** The payload of the end frame for a close. */
export function writeClose(code: number, reason: string): Uint8Array {
  if (unsendable.has(code) || code < 1000 || code > 4999) return new Uint8Array();
  const bytes = new TextEncoder().encode(reason).subarray(0, maxReasonBytes);
  const payload = new Uint8Array(2 + bytes.length);
  new DataView(payload.buffer).setUint16(0, code);
  payload.set(bytes, 2);
  return payload;
}

/** Reads the payload of an end frame. */
export function readClose(payload: Uint8Array): RelayedClose {
  if (payload.length < 2) return { code: null, reason: "" };
  const code = new DataView(payload.buffer, payload.byteOffset, 2).getUint16(0);
  if (unsendable.has(code) || code < 1000 || code > 4999) return { code: null, reason: "" };
  return { code, reason: new TextDecoder().decode(payload.subarray(2)) };
}
