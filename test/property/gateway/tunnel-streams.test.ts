import fc from "fast-check";
import { expect, test } from "vitest";
import { type Frame, plainData, TunnelViolation, writeFrames } from "../../../src/gateway/tunnel/frames.ts";
import type { TunnelStream } from "../../../src/gateway/tunnel/stream.ts";
import { maxHeldBytes } from "../../../src/gateway/tunnel/windows.ts";
import { settle, TestEnd } from "../../support/tunnel-ends.ts";
import { anyFrame } from "./arbitrary-frames.ts";

const kinds = { isDelivered: true, hasBody: true };
const head = new TextEncoder().encode("POST");

test("[O42] whatever frames arrive, an end stays open with bounded memory or ends with all its streams", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom("object" as const, "agent" as const),
      fc.nat(6),
      fc.array(anyFrame, { maxLength: 60 }),
      async (side, opened, frames) => {
        const test = new TestEnd(side);
        const streams: TunnelStream[] = [];
        for (let at = 0; side === "object" && at < opened; at += 1) {
          const stream = test.end.open(head, kinds);
          if (stream !== null) streams.push(stream);
        }
        let hasEnded = false;
        for (const frame of frames) {
          try {
            test.end.receive(writeFrames([frame]));
          } catch (error) {
            expect(error).toBeInstanceOf(TunnelViolation);
            hasEnded = true;
          }
          expect(test.end.heldBytes).toBeLessThanOrEqual(maxHeldBytes);
        }
        if (!hasEnded) return;
        const own = [...streams, ...test.requests.map(({ stream }) => stream)];
        for (const stream of own) expect(stream.isClosed).toBe(true);
        expect(test.end.open(head, kinds)).toBeNull();
      },
    ),
  );
});

/** What the users of both ends do next. */
const step = fc.oneof(
  fc.record({ do: fc.constant("open" as const), isDelivered: fc.boolean() }),
  fc.record({ do: fc.constant("upload" as const), at: fc.nat(5), size: fc.nat(5_000) }),
  fc.record({ do: fc.constant("download" as const), at: fc.nat(5), size: fc.nat(5_000) }),
  fc.record({ do: fc.constant("end" as const), at: fc.nat(5), side: fc.boolean() }),
  fc.record({ do: fc.constant("reset" as const), at: fc.nat(5), side: fc.boolean() }),
  fc.record({ do: fc.constant("settle" as const) }),
);

test("[O42] no stream gets another's bytes, and what a stream gets is the begin of what was sent to it", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const [object, agent] = [new TestEnd("object"), new TestEnd("agent")];
      const opened: { stream: TunnelStream; up: number; down: number }[] = [];
      const received = new Map<string, number>();
      const readAll = async (name: string, stream: TunnelStream, mark: number) => {
        for (let data = await stream.read(); data !== null; data = await stream.read()) {
          expect([...data.bytes].every((byte) => byte === mark)).toBe(true);
          received.set(name, (received.get(name) ?? 0) + data.bytes.length);
          stream.passOn(data);
        }
      };
      const agentStream = (number: number) => agent.requests.find(({ stream }) => stream.number === number);
      const seen = new Set<number>();
      const run = async () => {
        await settle(object, agent);
        for (const { stream } of agent.requests) {
          if (seen.has(stream.number)) continue;
          seen.add(stream.number);
          stream.sendHead(head);
          readAll(`up ${stream.number}`, stream, stream.number).catch(() => {});
        }
        await settle(object, agent);
      };
      for (const now of steps) {
        const entry = "at" in now ? opened[now.at] : undefined;
        if (now.do === "open") {
          const stream = object.end.open(head, { isDelivered: now.isDelivered, hasBody: true });
          if (stream === null) throw new Error("not opened");
          opened.push({ stream, up: 0, down: 0 });
          stream.accepted.then(() => stream.deliver()).catch(() => {});
          stream.head
            .then(() => readAll(`down ${stream.number}`, stream, stream.number + 100))
            .catch(() => {});
        } else if (now.do === "settle") await run();
        else if (entry !== undefined) {
          const other = agentStream(entry.stream.number)?.stream;
          const side = "side" in now && now.side ? other : entry.stream;
          const writer = now.do === "download" ? other : entry.stream;
          const canWrite = entry.stream.isDelivered && other !== undefined && seen.has(entry.stream.number);
          if (now.do === "reset") side?.reset("canceled");
          else if (now.do === "end" && canWrite) side?.end();
          else if ("size" in now && canWrite && writer !== undefined && !writer.isClosed) {
            const mark = entry.stream.number + (now.do === "download" ? 100 : 0);
            writer.write(new Uint8Array(now.size).fill(mark), plainData);
            if (now.do === "upload") entry.up += now.size;
            else entry.down += now.size;
            await run();
          }
        }
      }
      await run();
      for (const { stream, up, down } of opened) {
        expect(received.get(`up ${stream.number}`) ?? 0).toBeLessThanOrEqual(up);
        expect(received.get(`down ${stream.number}`) ?? 0).toBeLessThanOrEqual(down);
      }
    }),
    { numRuns: 60 },
  );
});

test("[O41] frames of a stream that has ended are ignored, whatever they are", () => {
  fc.assert(
    fc.property(fc.array(anyFrame, { maxLength: 20 }), (frames) => {
      const object = new TestEnd("object");
      object.end.open(head, kinds)?.reset("canceled");
      object.takeMessages();
      for (const frame of frames) {
        if (frame.type !== "open") object.end.receive(writeFrames([{ ...frame, stream: 1 } as Frame]));
      }
      expect(object.takeFrames()).toEqual([]);
    }),
  );
});
