import { beforeEach, expect, test } from "vitest";
import { readClose, writeClose } from "../../../src/gateway/tunnel/close.ts";
import { dataFrameCost, type Frame, plainData, writeFrames } from "../../../src/gateway/tunnel/frames.ts";
import {
  MessageAssembler,
  MessageQueue,
  maxRelayedMessageBytes,
  sendMessage,
} from "../../../src/gateway/tunnel/messages.ts";
import { isUndeliveredByTunnel, readTunnelOutcome } from "../../../src/gateway/tunnel/relay.ts";
import type { StreamFrame, TunnelStream } from "../../../src/gateway/tunnel/stream.ts";
import { BytePool, baseWindowBytes, maxTunnelStreams } from "../../../src/gateway/tunnel/windows.ts";
import { settle, TestEnd } from "../../support/tunnel-ends.ts";

const head = new TextEncoder().encode("POST");
const once = { isDelivered: false, hasBody: true };
const repeat = { isDelivered: true, hasBody: false };

let object: TestEnd;
let agent: TestEnd;

beforeEach(() => {
  object = new TestEnd("object");
  agent = new TestEnd("agent");
});

function opened(kind = once): TunnelStream {
  const stream = object.end.open(head, kind);
  if (stream === null) throw new Error("the stream was not opened");
  return stream;
}

/** What the object does with frames of an agent for stream 1. */
function fromAgent(...frames: StreamFrame[]): string {
  return outcome(object, frames);
}

/** What the agent does with frames of an object for stream 1. */
function fromObject(...frames: StreamFrame[]): string {
  return outcome(agent, frames);
}

function outcome({ end }: TestEnd, frames: readonly StreamFrame[]): string {
  try {
    for (const frame of frames) end.receive(writeFrames([{ ...frame, stream: 1 } as Frame]));
    return "goes on";
  } catch (error) {
    return (error as Error).message.replace("the other end of the tunnel sent ", "");
  }
}

const accepted = { type: "accepted", window: 1_000_000 } as const;
const response = { type: "head", head: new TextEncoder().encode("200 OK") } as const;
const data = { type: "data", bytes: new Uint8Array(10), kind: plainData } as const;
const end = { type: "end", close: new Uint8Array() } as const;
const deliver = { type: "deliver" } as const;
const open = { type: "open", window: 1_000_000, head, ...once } as const;

test.each<[string, StreamFrame[]]>([
  ["an accepted frame out of order", [accepted, accepted]],
  ["a response out of order", [response]],
  ["a response out of order", [accepted, response]],
  ["data out of order", [accepted, data]],
  ["an end out of order", [accepted, end]],
  ["an open frame", [open]],
  ["a window that is too large", [accepted, { type: "window", window: 0x7fff_ffff }]],
])("[O41] the object ends the tunnel for %s", (reason, frames) => {
  opened();
  expect(fromAgent(...frames)).toBe(reason);
  expect(object.end.openStreams).toBe(0);
});

test.each<[string, StreamFrame[]]>([
  ["a response out of order", [accepted, response, response]],
  ["data beyond the window", [accepted, response, ...Array.from({ length: 1_000 }, () => data)]],
  ["a deliver frame out of order", [accepted, deliver]],
])("[O41] the object ends the tunnel for %s after delivery", (reason, frames) => {
  opened(repeat);
  expect(fromAgent(...frames)).toBe(reason);
});

test.each<[string, StreamFrame[]]>([
  ["an open frame for stream 1, which was opened before", [open, open]],
  ["an accepted frame out of order", [open, accepted]],
  ["a response out of order", [open, response]],
  ["data out of order", [open, data]],
  ["a deliver frame out of order", [open, deliver, deliver]],
  ["data out of order", [open, deliver, end, data]],
  ["an end out of order", [open, deliver, end, end]],
  ["a frame of stream 1, which was not opened", [data]],
])("[O41] the agent ends the tunnel for %s", (reason, frames) => {
  expect(fromObject(...frames)).toBe(reason);
  expect(agent.end.openStreams).toBe(0);
});

test("[O46] a request that may not be repeated reaches the gateway only after the object knows that the agent has it", async () => {
  const stream = opened(once);
  await settle(object, agent);
  await stream.accepted;
  expect(agent.requests).toEqual([]);
  expect(stream.isDelivered).toBe(false);
  stream.deliver();
  await settle(object, agent);
  expect(agent.requests.map((request) => request.head)).toEqual(["POST"]);
});

test("[O46] a request that may be repeated reaches the gateway at once", async () => {
  const stream = opened(repeat);
  expect(stream.isDelivered).toBe(true);
  await settle(object, agent);
  expect(agent.requests).toHaveLength(1);
});

test("[O46] the agent refuses a request beyond its maximum, and the object opens none", () => {
  for (let number = 1; number <= maxTunnelStreams; number += 1) opened(repeat);
  expect(object.end.open(head, repeat)).toBeNull();
  const frames = object.takeMessages();
  for (const message of frames) agent.end.receive(message);
  agent.end.receive(writeFrames([{ ...open, stream: maxTunnelStreams + 1 }]));
  expect(agent.takeFrames().at(-1)).toEqual({
    type: "reset",
    stream: maxTunnelStreams + 1,
    reason: "refused",
  });
});

test("[O42] heads that the agent has not read are bounded, also of streams that were reset", () => {
  const large = new Uint8Array(100_000);
  let count = 0;
  for (let stream = object.end.open(large, once); stream !== null; stream = object.end.open(large, once)) {
    stream.reset("canceled");
    count += 1;
  }
  expect(count).toBe(41);
  object.end.receive(writeFrames([{ ...accepted, stream: 1 }]));
  expect(object.end.open(large, once)).not.toBeNull();
});

test("[O43] a sender stops at the window, and goes on when the reader passes data on", async () => {
  const stream = opened();
  await settle(object, agent);
  stream.deliver();
  let sentBytes = 0;
  const sending = (async () => {
    while (sentBytes < 3_000_000) {
      const size = await stream.writable();
      stream.write(new Uint8Array(size));
      sentBytes += size;
    }
    stream.end();
  })();
  await settle(object, agent);
  expect(sentBytes).toBeLessThanOrEqual(64 * 1024);
  const own = agent.requests[0]?.stream as TunnelStream;
  expect(agent.end.heldBytes).toBeLessThanOrEqual(64 * 1024);
  let readBytes = 0;
  const reading = (async () => {
    for (let part = await own.read(); part !== null; part = await own.read()) {
      readBytes += part.bytes.length;
      own.passOn(part);
    }
  })();
  await settle(object, agent);
  await Promise.all([sending, reading]);
  expect(readBytes).toBe(sentBytes);
});

test("[O43] when many streams are open, each has its base window, and those whose readers stopped keep none of the others from going on", async () => {
  const streams = Array.from({ length: 1_000 }, () => opened());
  await settle(object, agent);
  for (const stream of streams) stream.deliver();
  await settle(object, agent);
  for (const stream of streams) {
    const size = await stream.writable();
    expect(size).toBeGreaterThanOrEqual(baseWindowBytes - dataFrameCost);
    stream.write(new Uint8Array(size));
  }
  await settle(object, agent);
  const last = agent.requests.at(-1)?.stream as TunnelStream;
  const part = await last.read();
  if (part !== null) last.passOn(part);
  await settle(object, agent);
  expect(await (streams.at(-1) as TunnelStream).writable()).toBeGreaterThan(baseWindowBytes / 2);
});

test("[O42] a response that ended counts until its reader has taken it", async () => {
  const stream = opened(repeat);
  await settle(object, agent);
  const own = agent.requests[0]?.stream as TunnelStream;
  own.sendHead(response.head);
  own.write(new Uint8Array(5_000));
  own.end();
  await settle(object, agent);
  expect(agent.end.openStreams).toBe(0);
  expect(object.end.openStreams).toBe(1);
  const part = await stream.read();
  if (part !== null) stream.passOn(part);
  expect(await stream.read()).toBeNull();
  expect(object.end.openStreams).toBe(0);
  expect(object.end.heldBytes).toBe(0);
});

test("[O42] a response that ended is dropped when its reader goes", async () => {
  const stream = opened(repeat);
  await settle(object, agent);
  const own = agent.requests[0]?.stream as TunnelStream;
  own.sendHead(response.head);
  own.write(new Uint8Array(5_000));
  own.end();
  await settle(object, agent);
  stream.reset("canceled");
  expect(object.end.openStreams).toBe(0);
});

test("[O45] a response that is complete ends a request whose body is not", async () => {
  const stream = opened();
  await settle(object, agent);
  stream.deliver();
  await settle(object, agent);
  const own = agent.requests[0]?.stream as TunnelStream;
  own.sendHead(response.head);
  own.end();
  await settle(object, agent);
  expect(await stream.read()).toBeNull();
  await expect(stream.writable()).rejects.toThrow("done");
  expect(own.isClosed).toBe(true);
});

test("[O48] a reset ends the other side's reads and writes with its reason", async () => {
  const stream = opened();
  await settle(object, agent);
  stream.deliver();
  await settle(object, agent);
  const own = agent.requests[0]?.stream as TunnelStream;
  const reading = expect(own.read()).rejects.toThrow("canceled");
  stream.reset("canceled");
  await settle(object, agent);
  await reading;
  await expect(own.writable()).rejects.toThrow("canceled");
});

test("[O49] a message of any size crosses as one message of its kind", async () => {
  const stream = opened();
  await settle(object, agent);
  stream.deliver();
  await settle(object, agent);
  const own = agent.requests[0]?.stream as TunnelStream;
  const assembler = new MessageAssembler(new BytePool(maxRelayedMessageBytes));
  const messages = [
    { isText: true, bytes: new Uint8Array(0) },
    { isText: false, bytes: new Uint8Array(500_000).fill(7) },
    { isText: true, bytes: new Uint8Array(70_000).fill(65) },
  ];
  const sending = (async () => {
    for (const message of messages) await sendMessage(stream, message);
    stream.end(writeClose(4001, "bye"));
  })();
  const received: unknown[] = [];
  const reading = (async () => {
    for (let part = await own.read(); part !== null; part = await own.read()) {
      const message = assembler.add(part);
      if (message !== null) received.push({ isText: message.isText, length: message.bytes.length });
      own.passOn(part);
    }
  })();
  await settle(object, agent);
  await Promise.all([sending, reading]);
  expect(received).toEqual(messages.map(({ isText, bytes }) => ({ isText, length: bytes.length })));
  expect(readClose(own.closePayload)).toEqual({ code: 4001, reason: "bye" });
});

test("[O49] messages that are too large, or that no reader takes, are refused", () => {
  const pool = new BytePool(1_000);
  const assembler = new MessageAssembler(pool);
  const more = { isText: false, hasMore: true };
  expect(assembler.add({ bytes: new Uint8Array(900), kind: more })).toBeNull();
  expect(() => assembler.add({ bytes: new Uint8Array(200), kind: more })).toThrow(RangeError);
  assembler.clear();
  expect(pool.freeBytes).toBe(1_000);
  const queue = new MessageQueue(pool);
  const message = { isText: false, bytes: new Uint8Array(200) };
  expect([queue.add(message), queue.add(message), queue.add(message)]).toEqual([true, true, false]);
  queue.clear();
  expect(pool.freeBytes).toBe(1_000);
});

test("[O46] an outcome reads back, and all but broken were not delivered", () => {
  const outcomes = ["absent", "full", "lost", "broken"].map((text) => readTunnelOutcome(text));
  expect(outcomes.map((outcome) => outcome !== null && isUndeliveredByTunnel(outcome))).toEqual([
    ...[true, true, true, false],
  ]);
  expect([readTunnelOutcome(null), readTunnelOutcome("toString")]).toEqual([null, null]);
});

test.each([[1005], [1006], [1015], [999], [5000]])("[O49] %i is sent as a close without a code", (code) => {
  expect(readClose(writeClose(code, "x"))).toEqual({ code: null, reason: "" });
});
