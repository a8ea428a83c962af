// The response with logs, in Docker's multiplexed stream.
//
//   1 byte   1 stdout, 2 stderr, 3 an error of the stream, after which the Docker CLI ends
//   3 bytes  0
//   4 bytes  length of the rest, big endian
//   [TIME ][com.docker.swarm.node.id=N,com.docker.swarm.service.id=S,com.docker.swarm.task.id=T ]LINE

import type { LogOptions } from "./log-options.ts";
import type { LogReading, NamedLine } from "./log-reading.ts";

const frameHeadBytes = 8;
/** Lines that are read at once, bytes. */
const maxListBytes = 65_536;

const encoder = new TextEncoder();

/** API 1.42 named the stream with frames; before it, both kinds have one name. */
const multiplexedSinceMinor = 42;

type LogFormat = {
  /** The service has a terminal: its lines come without frames, as from dockerd. */
  readonly isRaw: boolean;
  /** The minor part of the client's API version. */
  readonly apiMinor: number;
};

export function logResponse(
  reading: LogReading,
  options: LogOptions,
  { isRaw, apiMinor }: LogFormat,
): Response {
  const body = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const lines = await reading.next(maxListBytes);
        if (lines !== null) {
          controller.enqueue(joined(lines.flatMap((line) => linePieces(line, options, isRaw))));
          return;
        }
        // A follower has read the reasons as lines.
        if (reading.missing.length > 0 && !options.follow && !isRaw)
          controller.enqueue(joined(errorPieces(reading.missing)));
        controller.close();
      },
      cancel: () => reading.close(),
    },
    { highWaterMark: 0 },
  );
  const type = isRaw || apiMinor < multiplexedSinceMinor ? "raw" : "multiplexed";
  return new Response(body, { headers: { "content-type": `application/vnd.docker.${type}-stream` } });
}

function linePieces(line: NamedLine, options: LogOptions, isRaw: boolean): Uint8Array[] {
  const { stream, text } = line;
  const prefix = encoder.encode(prefixOf(line, options));
  const head = isRaw ? [] : [frameHead(stream === "stdout" ? 1 : 2, prefix.length + text.length)];
  return [...head, prefix, text];
}

function prefixOf({ time, of: { id, serviceId, nodeId } }: NamedLine, options: LogOptions): string {
  const named = `com.docker.swarm.node.id=${nodeId},com.docker.swarm.service.id=${serviceId},com.docker.swarm.task.id=${id} `;
  return `${options.timestamps ? `${time} ` : ""}${options.details ? named : ""}`;
}

/** SwarmKit's error. */
function errorPieces(reasons: readonly string[]): Uint8Array[] {
  const text = `Error grabbing logs: rpc error: code = Unknown desc = warning: incomplete log stream. some logs could not be retrieved for the following reasons: ${reasons.join(", ")}\n`;
  const bytes = encoder.encode(text);
  return [frameHead(3, bytes.length), bytes];
}

function frameHead(kind: number, length: number): Uint8Array {
  const head = new Uint8Array(frameHeadBytes);
  head[0] = kind;
  new DataView(head.buffer).setUint32(4, length);
  return head;
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.length;
  }
  return bytes;
}
