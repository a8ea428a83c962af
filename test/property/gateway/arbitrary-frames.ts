// Arbitrary frames of a tunnel.

import fc from "fast-check";
import { type Frame, type ResetReason, resetCodes } from "../../../src/gateway/tunnel/frames.ts";

const stream = fc.oneof(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 0xffff_ffff }));
const bytes = fc.uint8Array({ maxLength: 300 });
const window = fc.oneof(fc.nat(70_000), fc.integer({ min: 0, max: 0xffff_ffff }));
const kind = fc.record({ isText: fc.boolean(), hasMore: fc.boolean() });
const reason = fc.constantFrom(...(Object.keys(resetCodes) as ResetReason[]));

/** Any frame; streams 1 to 6 are the most likely ones. */
export const anyFrame: fc.Arbitrary<Frame> = fc.oneof(
  fc.record({
    type: fc.constant("open" as const),
    stream,
    window,
    head: bytes,
    isDelivered: fc.boolean(),
    hasBody: fc.boolean(),
  }),
  fc.record({ type: fc.constant("accepted" as const), stream, window }),
  fc.record({ type: fc.constant("head" as const), stream, head: bytes }),
  fc.record({ type: fc.constant("deliver" as const), stream }),
  fc.record({ type: fc.constant("data" as const), stream, bytes, kind }),
  fc.record({ type: fc.constant("end" as const), stream, close: fc.uint8Array({ maxLength: 125 }) }),
  fc.record({ type: fc.constant("reset" as const), stream, reason }),
  fc.record({ type: fc.constant("window" as const), stream, window }),
);
