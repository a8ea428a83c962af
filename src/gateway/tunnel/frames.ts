// The frames of a tunnel: how requests, responses and WebSockets share the one socket between a node's agent
// and the node's Durable Object. A binary message of the socket has one or more whole frames.
//
//   byte 0       type
//   byte 1       flags
//   bytes 2-5    stream, unsigned, big-endian; the object numbers streams from 1, each higher than the last
//   bytes 6-8    length of the payload, unsigned, big-endian
//   bytes 9-     payload
//
//   object → agent  open      window of the response (4 bytes), head of the request
//   agent → object  accepted  window of the request's body (4 bytes)
//   agent → object  head      head of the response
//   object → agent  deliver   nothing: the gateway may get the request
//   both            data      bytes of a body, or of a WebSocket message
//   both            end       nothing, or close code (2 bytes) and reason of a WebSocket
//   both            reset     a code: the stream has ended at once
//   both            window    further bytes that the sender of this frame takes (4 bytes)
//
// @see docs/decisions/0072-tunnel-framing.md

/** Largest payload of a data frame, bytes. */
export const maxDataBytes = 64 * 1024;
/** Largest head of a request or a response, bytes. */
export const maxTunnelHeadBytes = 128 * 1024;
/** Largest message of the socket, bytes. */
export const maxTunnelMessageBytes = 256 * 1024;
/** Size of a frame without its payload, bytes. */
export const frameHeaderBytes = 9;
/**
 * What a data frame takes of a window besides its bytes: many small frames must not take more memory than the
 * window says.
 */
export const dataFrameCost = 64;
/** Bytes of a window at the begin of a payload. */
const windowBytes = 4;
/** Largest number of a stream. */
export const maxStreamNumber = 0xffff_ffff;

/** Why a stream ended before its end. The number is the payload of a reset frame. */
export const resetCodes = {
  /** The other side's user of the stream does not need it any more: its client has gone. */
  canceled: 1,
  /** The stream is over although the other direction had more: the response was complete. */
  done: 2,
  /** The request was not given to the gateway, because too many are open. */
  refused: 3,
  /** The connection behind the stream failed. */
  broken: 4,
  /** A WebSocket message is larger than the tunnel can hold. */
  tooLarge: 5,
} as const;
export type ResetReason = keyof typeof resetCodes;

const resetReasons = new Map(Object.entries(resetCodes).map(([name, code]) => [code, name as ResetReason]));

/** How a data frame continues a WebSocket message; for a body both are false. */
export type DataKind = {
  /** True if the message is text. */
  readonly isText: boolean;
  /** True if the next data frame continues the message. */
  readonly hasMore: boolean;
};

/** The kind of data that is a body's, or the last frame of a binary message. */
export const plainData: DataKind = { isText: false, hasMore: false };

export type Frame = { readonly stream: number } & (
  | {
      readonly type: "open";
      readonly window: number;
      readonly head: Uint8Array;
      /** True if the gateway may get the request at once; no deliver frame follows. */
      readonly isDelivered: boolean;
      /** False: no data and no end follow. */
      readonly hasBody: boolean;
    }
  | { readonly type: "accepted"; readonly window: number }
  | { readonly type: "head"; readonly head: Uint8Array }
  | { readonly type: "deliver" }
  | { readonly type: "data"; readonly bytes: Uint8Array; readonly kind: DataKind }
  | { readonly type: "end"; readonly close: Uint8Array }
  | { readonly type: "reset"; readonly reason: ResetReason }
  | { readonly type: "window"; readonly window: number }
);

const types = { open: 1, accepted: 2, head: 3, data: 4, end: 5, reset: 6, window: 7, deliver: 8 } as const;
const deliverFlag = 1;
const bodyFlag = 2;
const textFlag = 1;
const moreFlag = 2;
/** Longest payload of an end frame: a close code and a reason of RFC 6455 §5.5. */
const maxCloseBytes = 125;

/** Number of bytes that a frame takes. */
export function sizeOfFrame(frame: Frame): number {
  return frameHeaderBytes + payloadBytes(frame);
}

function payloadBytes(frame: Frame): number {
  switch (frame.type) {
    case "open":
      return windowBytes + frame.head.length;
    case "head":
      return frame.head.length;
    case "data":
      return frame.bytes.length;
    case "end":
      return frame.close.length;
    case "reset":
      return 1;
    case "deliver":
      return 0;
    default:
      return windowBytes;
  }
}

/** One message of the socket with these frames. */
export function writeFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  const message = new Uint8Array(frames.reduce((sum, frame) => sum + sizeOfFrame(frame), 0));
  const view = new DataView(message.buffer);
  let at = 0;
  for (const frame of frames) {
    const length = payloadBytes(frame);
    message[at] = types[frame.type];
    message[at + 1] = flagsOf(frame);
    view.setUint32(at + 2, frame.stream);
    view.setUint16(at + 6, length >>> 8);
    message[at + 8] = length & 0xff;
    at += frameHeaderBytes;
    writePayload(frame, message, view, at);
    at += length;
  }
  return message;
}

function flagsOf(frame: Frame): number {
  if (frame.type === "open") return (frame.isDelivered ? deliverFlag : 0) | (frame.hasBody ? bodyFlag : 0);
  if (frame.type !== "data") return 0;
  return (frame.kind.isText ? textFlag : 0) | (frame.kind.hasMore ? moreFlag : 0);
}

function writePayload(frame: Frame, message: Uint8Array, view: DataView, at: number): void {
  switch (frame.type) {
    case "open":
      view.setUint32(at, frame.window);
      message.set(frame.head, at + windowBytes);
      break;
    case "head":
      message.set(frame.head, at);
      break;
    case "data":
      message.set(frame.bytes, at);
      break;
    case "end":
      message.set(frame.close, at);
      break;
    case "reset":
      message[at] = resetCodes[frame.reason];
      break;
    case "deliver":
      break;
    default:
      view.setUint32(at, frame.window);
  }
}

/**
 * Reads the frames of a message; their bytes are views of it.
 *
 * @throws TunnelViolation if the message is not a sequence of whole, known frames within the limits
 */
export function readFrames(message: Uint8Array): Frame[] {
  if (message.length === 0 || message.length > maxTunnelMessageBytes)
    throw new TunnelViolation(`a message of ${message.length} bytes`);
  const view = new DataView(message.buffer, message.byteOffset, message.length);
  const frames: Frame[] = [];
  for (let at = 0; at < message.length; ) {
    if (message.length - at < frameHeaderBytes) throw new TunnelViolation("a frame that is cut off");
    const length = (view.getUint16(at + 6) << 8) | view.getUint8(at + 8);
    const payload = message.subarray(at + frameHeaderBytes, at + frameHeaderBytes + length);
    if (payload.length < length) throw new TunnelViolation("a frame that is cut off");
    frames.push(readFrame(view.getUint8(at), view.getUint8(at + 1), view.getUint32(at + 2), payload));
    at += frameHeaderBytes + length;
  }
  return frames;
}

function readFrame(type: number, flags: number, stream: number, payload: Uint8Array): Frame {
  if (stream === 0) throw new TunnelViolation("a frame of stream 0");
  switch (type) {
    case types.open:
      checkFlags(flags, deliverFlag | bodyFlag);
      checkLength("an open frame", payload, windowBytes, windowBytes + maxTunnelHeadBytes);
      return {
        type: "open",
        stream,
        window: readWindow(payload),
        head: payload.subarray(windowBytes),
        isDelivered: (flags & deliverFlag) !== 0,
        hasBody: (flags & bodyFlag) !== 0,
      };
    case types.accepted:
      checkFlags(flags, 0);
      checkLength("an accepted frame", payload, windowBytes, windowBytes);
      return { type: "accepted", stream, window: readWindow(payload) };
    case types.head:
      checkFlags(flags, 0);
      checkLength("a head", payload, 0, maxTunnelHeadBytes);
      return { type: "head", stream, head: payload };
    case types.data:
      checkFlags(flags, textFlag | moreFlag);
      checkLength("a data frame", payload, 0, maxDataBytes);
      return {
        type: "data",
        stream,
        bytes: payload,
        kind: { isText: (flags & textFlag) !== 0, hasMore: (flags & moreFlag) !== 0 },
      };
    case types.end:
      checkFlags(flags, 0);
      checkLength("an end frame", payload, 0, maxCloseBytes);
      return { type: "end", stream, close: payload };
    case types.reset: {
      checkFlags(flags, 0);
      checkLength("a reset", payload, 1, 1);
      const reason = resetReasons.get(payload[0] as never);
      if (reason === undefined) throw new TunnelViolation(`a reset with the code ${payload[0]}`);
      return { type: "reset", stream, reason };
    }
    case types.window:
      checkFlags(flags, 0);
      checkLength("a window", payload, windowBytes, windowBytes);
      return { type: "window", stream, window: readWindow(payload) };
    case types.deliver:
      checkFlags(flags, 0);
      checkLength("a deliver frame", payload, 0, 0);
      return { type: "deliver", stream };
    default:
      throw new TunnelViolation(`a frame of type ${type}`);
  }
}

function checkFlags(flags: number, allowed: number): void {
  if ((flags & ~allowed) !== 0) throw new TunnelViolation(`flags ${flags}`);
}

function checkLength(what: string, { length }: Uint8Array, min: number, max: number): void {
  if (length < min || length > max) throw new TunnelViolation(`${what} of ${length} bytes`);
}

function readWindow(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset, windowBytes).getUint32(0);
}

/** The other side of a tunnel broke the protocol; the tunnel ends. The message says what came. */
export class TunnelViolation extends Error {
  constructor(what: string) {
    super(`the other end of the tunnel sent ${what}`);
  }
}
