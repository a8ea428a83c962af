import fc from "fast-check";
import { expect, test } from "vitest";
import {
  type Frame,
  frameHeaderBytes,
  maxDataBytes,
  maxTunnelHeadBytes,
  readFrames,
  TunnelViolation,
  writeFrames,
} from "../../../src/gateway/tunnel/frames.ts";
import {
  printRequestHead,
  printResponseHead,
  readRequestHead,
  readResponseHead,
} from "../../../src/gateway/tunnel/heads.ts";
import { anyFrame } from "./arbitrary-frames.ts";

test("[O40] frames read back equal, alone and several in a message", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { minLength: 1, maxLength: 20 }), (frames) => {
      expect(readFrames(writeFrames(frames)).map(plain)).toEqual(frames.map(plain));
    }),
  );
});

test("[O40] bytes that are not whole, known frames are a violation", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      expect(readsBackOrViolates(bytes)).toBe(true);
    }),
  );
  fc.assert(
    fc.property(anyFrame, fc.nat(), (frame, at) => {
      const message = writeFrames([frame]);
      const cut = message.subarray(0, at % message.length);
      expect(() => readFrames(cut)).toThrow(TunnelViolation);
    }),
  );
});

test.each([
  ["data of more than 64 KiB", 4, maxDataBytes + 1],
  ["a head of more than 128 KiB", 3, maxTunnelHeadBytes + 1],
  ["an open frame with a head of more than 128 KiB", 1, maxTunnelHeadBytes + 5],
  ["an open frame without a window", 1, 3],
  ["a close of more than 125 bytes", 5, 126],
  ["a reset of two bytes", 6, 2],
  ["a reset with an unknown code", 6, 1],
  ["a window of three bytes", 7, 3],
  ["a deliver frame with a payload", 8, 1],
  ["an unknown type", 9, 0],
])("[O40] %s is a violation", (_, type, length) => {
  const message = new Uint8Array(frameHeaderBytes + length);
  message.set([type, 0, 0, 0, 0, 1, length >> 16, (length >> 8) & 0xff, length & 0xff]);
  expect(() => readFrames(message)).toThrow(TunnelViolation);
});

test("[O40] unknown flags, stream 0 and a message of more than 256 KiB are violations", () => {
  const data = writeFrames([{ type: "end", stream: 1, close: new Uint8Array() }]);
  expect(readFrames(data)).toHaveLength(1);
  expect(() => readFrames(data.with(1, 1))).toThrow(TunnelViolation);
  expect(() => readFrames(data.with(5, 0))).toThrow(TunnelViolation);
  const many = Array.from({ length: 30_000 }, () => ({ type: "deliver", stream: 1 }) as const);
  expect(() => readFrames(writeFrames(many))).toThrow(TunnelViolation);
});

const token = fc.stringMatching(/^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,20}$/);
const value = fc.string({ unit: fc.integer({ min: 32, max: 255 }).map((code) => String.fromCharCode(code)) });
const lines = fc.array(fc.tuple(token, value), { maxLength: 20 });

test("[O44] heads read back equal, with their lines in order", () => {
  fc.assert(
    fc.property(token, lines, (method, own) => {
      expect(readRequestHead(printRequestHead({ method, lines: own }))).toEqual({ method, lines: own });
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 100, max: 999 }), value, lines, (status, reason, own) => {
      const head = { status, reason, lines: own };
      expect(readResponseHead(printResponseHead(head))).toEqual(head);
    }),
  );
});

test.each(["", " ", "GET\n", "GET\nname", "GET\n:value", "GET\nna me:1", "GET\na:\r", "GET\na:\0", "G T"])(
  "[O44] %j is not the head of a request",
  (text) => expect(readRequestHead(text)).toBeNull(),
);

test.each(["", "200", "20 OK", "2000 OK", "099 OK", "200 OK\nname", "200 \r", "OK 200"])(
  "[O44] %j is not the head of a response",
  (text) => expect(readResponseHead(text)).toBeNull(),
);

function readsBackOrViolates(bytes: Uint8Array): boolean {
  try {
    return Buffer.from(writeFrames(readFrames(bytes))).equals(bytes);
  } catch (error) {
    return error instanceof TunnelViolation;
  }
}

/** The frame with plain arrays, so that views of larger buffers compare equal. */
function plain(frame: Frame): unknown {
  return JSON.parse(JSON.stringify(frame, (_, part) => (part instanceof Uint8Array ? [...part] : part)));
}
