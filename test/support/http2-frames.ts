// HTTP/2 as frames (RFC 9113 §4.1): a client that sends what no library would.

import { once } from "node:events";
import { connect, type TLSSocket } from "node:tls";

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goaway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const;

export const frameFlags = { none: 0, endStream: 1, ack: 1, endHeaders: 4 } as const;

export const errorCodes = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  refusedStream: 7,
  cancel: 8,
  enhanceYourCalm: 11,
} as const;

export type Frame = {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
};

export function frame(
  type: number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

export function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

/** A SETTINGS frame of identifiers and values (RFC 9113 §6.5.1). */
export function settingsFrame(...settings: readonly (readonly [number, number])[]): Buffer {
  const payload = settings.map(([id, value]) => Buffer.concat([Buffer.from([0, id]), uint32(value)]));
  return frame(frameTypes.settings, frameFlags.none, 0, Buffer.concat(payload));
}

/** A header block in which each field is a literal that is not indexed (RFC 7541 §6.2.2). A character is a byte. */
export function literalBlock(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(
    fields.flatMap(([name, value]) => [Buffer.from([0]), hpackText(name), hpackText(value)]),
  );
}

/** A string of HPACK without Huffman coding (RFC 7541 §5.2). */
export function hpackText(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes]);
  const digits = [127];
  let rest = bytes.length - 127;
  for (; rest >= 128; rest = Math.floor(rest / 128)) digits.push((rest % 128) + 128);
  return Buffer.concat([Buffer.from([...digits, rest]), bytes]);
}

/** The pseudo-headers of a request, and what else it has. */
export function requestFields(
  path: string,
  { method = "GET", authority = "localhost", more = [] as readonly (readonly [string, string])[] } = {},
): readonly (readonly [string, string])[] {
  return [[":method", method], [":scheme", "https"], [":path", path], [":authority", authority], ...more];
}

/** A connection of HTTP/2 by hand. It confirms nothing by itself. */
export class FrameClient {
  readonly socket: TLSSocket;
  readonly received: Frame[] = [];
  isClosed = false;
  #unread = Buffer.alloc(0);

  private constructor(socket: TLSSocket) {
    this.socket = socket;
    socket.on("error", () => undefined);
    socket.on("close", () => {
      this.isClosed = true;
    });
    socket.on("data", (bytes) => {
      this.#unread = Buffer.concat([this.#unread, bytes]);
      for (let frameEnd = this.#frameEnd(); this.#unread.length >= frameEnd; frameEnd = this.#frameEnd()) {
        this.received.push({
          type: this.#unread.readUInt8(3),
          flags: this.#unread.readUInt8(4),
          stream: this.#unread.readUInt32BE(5),
          payload: this.#unread.subarray(9, frameEnd),
        });
        this.#unread = this.#unread.subarray(frameEnd);
      }
    });
  }

  /** Connects and sends the preface with these settings. */
  static async connect(port: number, settings = settingsFrame()): Promise<FrameClient> {
    const options = { host: "127.0.0.1", port, servername: "localhost", rejectUnauthorized: false };
    const socket = connect({ ...options, ALPNProtocols: ["h2"] });
    const client = new FrameClient(socket);
    await once(socket, "secureConnect");
    socket.write("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    socket.write(settings);
    return client;
  }

  send(...frames: readonly Buffer[]): void {
    if (!this.isClosed) this.socket.write(Buffer.concat(frames));
  }

  /** Sends a request of one HEADERS frame. */
  request(
    stream: number,
    fields: readonly (readonly [string, string])[],
    flags: number = frameFlags.endStream,
  ): void {
    this.send(frame(frameTypes.headers, frameFlags.endHeaders | flags, stream, literalBlock(fields)));
  }

  /** The codes of the stream's resets so far. */
  resets(stream: number): readonly number[] {
    return this.#codes(frameTypes.rstStream, stream, 0);
  }

  /** The codes of the connection's GOAWAY frames so far. */
  get goaways(): readonly number[] {
    return this.#codes(frameTypes.goaway, 0, 4);
  }

  /** The body of a response so far. */
  body(stream: number): string {
    const parts = this.received.filter((one) => one.type === frameTypes.data && one.stream === stream);
    return Buffer.concat(parts.map(({ payload }) => payload)).toString("latin1");
  }

  /** True once a response has begun. */
  hasResponse(stream: number): boolean {
    return this.received.some((one) => one.type === frameTypes.headers && one.stream === stream);
  }

  #codes(type: number, stream: number, at: number): readonly number[] {
    const frames = this.received.filter((one) => one.type === type && one.stream === stream);
    return frames.map(({ payload }) => payload.readUInt32BE(at));
  }

  #frameEnd(): number {
    return this.#unread.length < 9 ? Number.POSITIVE_INFINITY : 9 + this.#unread.readUIntBE(0, 3);
  }
}
