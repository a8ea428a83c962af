// Reads the response of a check as it arrives: its status, then its body without the transfer coding.

/** How much of a response is read, bytes: HAProxy's buffer. */
const maxCheckResponseBytes = 16_384;

const newline = 0x0a;

type Stage = "status line" | "headers" | "body" | "chunk size" | "chunk" | "chunk end" | "complete";

/** Reads each byte once, so that a response in small pieces costs no more than one in a single piece. */
export class ResponseReader {
  readonly #bytes = new Uint8Array(maxCheckResponseBytes);
  #length = 0;
  #position = 0;
  #stage: Stage = "status line";
  #isChunked = false;
  /** Bytes until the end of the body or of the chunk; Infinity: until the end of the connection. */
  #remaining = Number.POSITIVE_INFINITY;
  readonly #body = new Uint8Array(maxCheckResponseBytes);
  #bodyLength = 0;
  #status: number | "incomplete" | "invalid" = "incomplete";

  /** Adds a piece. Bytes after `maxCheckResponseBytes` are dropped. */
  add(piece: Uint8Array): void {
    const taken = piece.subarray(0, maxCheckResponseBytes - this.#length);
    this.#bytes.set(taken, this.#length);
    this.#length += taken.length;
    while (this.#readNext());
  }

  /** The status; `invalid` if the response is not HTTP/1. */
  get status(): number | "incomplete" | "invalid" {
    return this.#status;
  }

  /** True if nothing more is read: the body has ended, or the buffer is full. */
  get isComplete(): boolean {
    return this.#stage === "complete" || this.#length === maxCheckResponseBytes;
  }

  /** Length of the body read so far, bytes. */
  get bodyLength(): number {
    return this.#bodyLength;
  }

  /** The body read so far, as UTF-8. */
  bodyText(): string {
    return new TextDecoder().decode(this.#body.subarray(0, this.#bodyLength));
  }

  /** Reads one line or one part of the body. False if more bytes are needed. */
  #readNext(): boolean {
    if (this.#stage === "complete") return false;
    if (this.#stage === "body" || this.#stage === "chunk") return this.#readBody();
    const line = this.#readLine();
    if (line === null) {
      if (this.#stage === "status line" && !this.#mayBeStatusLine()) this.#status = "invalid";
      return false;
    }
    if (this.#stage === "status line") this.#readStatus(line);
    else if (this.#stage === "headers") this.#readHeader(line);
    else if (this.#stage === "chunk size") this.#readChunkSize(line);
    else this.#stage = "chunk size";
    return true;
  }

  /** The next line without its end; null if it is incomplete. */
  #readLine(): string | null {
    const end = this.#bytes.subarray(0, this.#length).indexOf(newline, this.#position);
    if (end < 0) return null;
    const line = new TextDecoder("latin1").decode(this.#bytes.subarray(this.#position, end));
    this.#position = end + 1;
    return line.endsWith("\r") ? line.slice(0, -1) : line;
  }

  #mayBeStatusLine(): boolean {
    const start = new TextDecoder().decode(this.#bytes.subarray(0, Math.min(this.#length, 7)));
    return "HTTP/1.".startsWith(start);
  }

  #readStatus(line: string): void {
    const status = /^HTTP\/1\.[01] (\d{3})(?: |$)/.exec(line)?.[1];
    this.#status = status === undefined ? "invalid" : Number(status);
    this.#stage = status === undefined ? "complete" : "headers";
  }

  #readHeader(line: string): void {
    if (line === "") {
      if (this.#isChunked) this.#stage = "chunk size";
      else this.#stage = this.#remaining === 0 ? "complete" : "body";
      return;
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, colon).toLowerCase();
    const value = line.slice(colon + 1).trim();
    if (name === "transfer-encoding") this.#isChunked = /\bchunked\b/i.test(value);
    if (name === "content-length" && /^\d{1,15}$/.test(value)) this.#remaining = Number(value);
  }

  /** A last chunk or an unreadable size ends the body (RFC 9112 §7.1). */
  #readChunkSize(line: string): void {
    const size = /^[0-9a-f]{1,8}/i.exec(line)?.[0] ?? "0";
    this.#remaining = Number.parseInt(size, 16);
    this.#stage = this.#remaining === 0 ? "complete" : "chunk";
  }

  #readBody(): boolean {
    const end = Math.min(this.#length, this.#position + this.#remaining);
    const part = this.#bytes.subarray(this.#position, end);
    this.#body.set(part, this.#bodyLength);
    this.#bodyLength += part.length;
    this.#position = end;
    this.#remaining -= part.length;
    if (this.#remaining > 0) return false;
    this.#stage = this.#stage === "chunk" ? "chunk end" : "complete";
    return true;
  }
}
