// A request that came through the tunnel, as the gateway serves it.

import { Readable } from "node:stream";
import { maxTunnelHeadBytes } from "../../gateway/tunnel/frames.ts";
import {
  type HeaderLine,
  headerValues,
  printResponseHead,
  type TunnelRequestHead,
} from "../../gateway/tunnel/heads.ts";
import type { StreamData, TunnelStream } from "../../gateway/tunnel/stream.ts";

/** A request of the tunnel, before the gateway has it. */
export type TunnelledRequest = {
  readonly head: TunnelRequestHead;
  readonly stream: TunnelStream;
  /** Resolves when the tunnel's socket takes a frame. */
  readonly ready: () => Promise<void>;
};

/** The head of a response; a character of a string is a byte. */
export type TunnelledHead = {
  readonly status: number;
  readonly reason: string;
  /** Names and values in turn. */
  readonly rawHeaders: readonly string[];
};

/** Ends at the HTTP connection of its hop, which a tunnel does not have (RFC 9110 §7.6.1). */
const hopHeaders: ReadonlySet<string> = new Set(["connection", "keep-alive", "transfer-encoding", "upgrade"]);

/** Serves one request; `respond` is called once. */
export class TunnelExchange {
  readonly method: string;
  readonly rawHeaders: readonly string[];
  readonly isUpgrade = false;
  readonly body: Readable;
  /** Called once, when the response is complete or the router is gone. */
  onClose: () => void = () => undefined;
  readonly #stream: TunnelStream;
  readonly #ready: () => Promise<void>;
  #hasClosed = false;
  /** What ends with the stream. */
  #responseBody: Readable | null = null;

  constructor({ head, stream, ready }: TunnelledRequest) {
    this.method = head.method;
    this.rawHeaders = framedHeaders(head.lines, stream.hasBody);
    this.#stream = stream;
    this.#ready = ready;
    this.body = bodyOf(stream);
    // Without a listener, a router that goes would end the process.
    this.body.on("error", () => undefined);
    stream.onFailure((failure) => {
      this.body.destroy(failure);
      this.#responseBody?.destroy(failure);
      this.close();
    });
  }

  /** Sends a response. If its body fails, the stream is reset, so that the response is not complete. */
  respond(head: TunnelledHead, body: Readable | string): void {
    if (sendHead(this.#stream, head)) void this.#sendBody(body);
    else if (typeof body !== "string") body.destroy();
  }

  switchProtocols(): void {
    throw new Error("this request did not ask for another protocol");
  }

  /** Reports once that the exchange is over. */
  close(): void {
    if (this.#hasClosed) return;
    this.#hasClosed = true;
    this.onClose();
  }

  async #sendBody(body: Readable | string): Promise<void> {
    const parts = typeof body === "string" ? [Buffer.from(body)] : body;
    if (typeof body !== "string") this.#responseBody = body;
    try {
      for await (const part of parts) await this.#send(part as Buffer);
      this.#stream.end();
    } catch {
      this.#stream.reset("broken");
    }
    this.close();
  }

  async #send(part: Buffer): Promise<void> {
    for (let at = 0; at < part.length; ) {
      await this.#ready();
      const piece = part.subarray(at, at + (await this.#stream.writable()));
      this.#stream.write(piece);
      at += piece.length;
    }
  }
}

/** Sends a head; false if it is too large for the tunnel. */
export function sendHead(stream: TunnelStream, { status, reason, rawHeaders }: TunnelledHead): boolean {
  const lines: HeaderLine[] = [];
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (!hopHeaders.has(name.toLowerCase())) lines.push([name, rawHeaders[at + 1] as string]);
  }
  const bytes = Buffer.from(printResponseHead({ status, reason, lines }), "latin1");
  if (bytes.length > maxTunnelHeadBytes) {
    stream.reset("broken");
    return false;
  }
  stream.sendHead(bytes);
  return true;
}

/** The header lines with those that frame the body as HTTP/1.1 does. */
function framedHeaders(lines: readonly HeaderLine[], hasBody: boolean): string[] {
  const framed = lines.filter(([name]) => !hopHeaders.has(name.toLowerCase())).flat();
  const isSized = headerValues(lines, "content-length").length > 0;
  return hasBody && !isSized ? [...framed, "transfer-encoding", "chunked"] : framed;
}

/** The request's body. The router may send more as it is read. */
function bodyOf(stream: TunnelStream): Readable {
  let last: StreamData | null = null;
  return new Readable({
    read() {
      if (last !== null) stream.passOn(last);
      last = null;
      stream.read().then(
        (data) => {
          last = data;
          this.push(data === null ? null : data.bytes);
        },
        (error) => this.destroy(error),
      );
    },
  });
}
