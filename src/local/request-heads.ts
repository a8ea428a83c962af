// Inserts one header line into each HTTP/1.1 request head of a client connection and passes all other bytes
// unchanged. It refuses requests whose framing is ambiguous, because two parsers that frame them differently
// allow request smuggling (RFC 9112 §11.2).

/** Limit of a request head. Node.js and HAProxy default to 16 KiB; the cookies of some sites need more. */
export const maxHeadBytes = 64 * 1024;

/** Limit of a chunk-size line. Sizes are short, and chunk extensions are rare. */
const maxChunkLineBytes = 1024;

/** The status and reason of the response to a refused request. */
type Refusal = { readonly status: 400 | 431 | 501; readonly reason: string };

type FeedResult = {
  /** Bytes to forward, in order. */
  readonly out: readonly Uint8Array[];
  readonly refusal: Refusal | null;
  /** True after the head of a WebSocket upgrade: the response decides how the next bytes are read. */
  readonly isUpgrade: boolean;
};

type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

type ParserState =
  | { readonly kind: "head" }
  | { readonly kind: "length"; remaining: number }
  | { readonly kind: "chunk-line" }
  | { readonly kind: "chunk-data"; remaining: number }
  | { readonly kind: "trailer" }
  | { readonly kind: "upgrading" }
  | { readonly kind: "tunnel" };

const crlf = Buffer.from("\r\n");
const headEnd = Buffer.from("\r\n\r\n");

/**
 * Parses the requests of one connection.
 *
 * @see docs/decisions/0004-listeners-on-one-machine.md
 */
export class RequestHeads {
  readonly #headerLine: Buffer | null;
  readonly #headerName: string;
  #state: ParserState = { kind: "head" };
  #buffered: Buffer = Buffer.alloc(0);

  /**
   * @param name the header to insert, in lower case; headers of this name from the client are dropped
   * @param value its value; null to insert no header
   */
  constructor(name: string, value: string | null) {
    this.#headerName = name;
    this.#headerLine = value === null ? null : Buffer.from(`${name}: ${value}\r\n`, "latin1");
  }

  /** Parses the client's next bytes. Must not be called after a refusal, or while an upgrade is undecided. */
  feed(bytes: Buffer): FeedResult {
    const out: Uint8Array[] = [];
    let rest = this.#buffered.length === 0 ? bytes : Buffer.concat([this.#buffered, bytes]);
    this.#buffered = Buffer.alloc(0);
    while (rest.length > 0) {
      const step = this.#step(rest, out);
      if (step.refusal !== null) return { out, refusal: step.refusal, isUpgrade: false };
      if (this.#state.kind === "upgrading") {
        this.#buffered = rest.subarray(step.used);
        return { out, refusal: null, isUpgrade: true };
      }
      if (step.used === 0) {
        this.#buffered = rest;
        break;
      }
      rest = rest.subarray(step.used);
    }
    return { out, refusal: null, isUpgrade: false };
  }

  /** Continues after the response to an upgrade, with the bytes that the client has sent meanwhile. */
  decideUpgrade(isSwitched: boolean): FeedResult {
    this.#state = isSwitched ? { kind: "tunnel" } : { kind: "head" };
    return this.feed(Buffer.alloc(0));
  }

  #step(rest: Buffer, out: Uint8Array[]): { used: number; refusal: Refusal | null } {
    const state = this.#state;
    switch (state.kind) {
      case "head":
        return this.#head(rest, out);
      case "length":
      case "chunk-data":
        return this.#body(state, rest, out);
      case "chunk-line":
        return this.#chunkLine(rest, out);
      case "trailer":
        return this.#trailer(rest, out);
      case "upgrading":
        return { used: 0, refusal: null };
      case "tunnel":
        out.push(rest);
        return { used: rest.length, refusal: null };
    }
  }

  #head(rest: Buffer, out: Uint8Array[]) {
    // RFC 9112 §2.2: an empty line before the request line is skipped.
    if (rest[0] === 13 && rest[1] === 10) return { used: 2, refusal: null };
    const end = rest.indexOf(headEnd);
    if ((end === -1 ? rest.length : end) > maxHeadBytes) {
      return refuse(431, `the request head is larger than ${maxHeadBytes / 1024} KiB`);
    }
    if (end === -1) return { used: 0, refusal: null };
    const head = readHead(rest.toString("latin1", 0, end), this.#headerName);
    if ("status" in head) return { used: 0, refusal: head };
    const lineEnd = rest.indexOf(crlf) + 2;
    out.push(rest.subarray(0, lineEnd));
    if (this.#headerLine !== null) out.push(this.#headerLine);
    out.push(
      head.replacementLines === null
        ? rest.subarray(lineEnd, end + 4)
        : Buffer.from(head.replacementLines, "latin1"),
    );
    this.#state = head.isUpgrade ? { kind: "upgrading" } : bodyState(head.framing);
    return { used: end + 4, refusal: null };
  }

  #body(state: { kind: "length" | "chunk-data"; remaining: number }, rest: Buffer, out: Uint8Array[]) {
    const used = Math.min(state.remaining, rest.length);
    out.push(rest.subarray(0, used));
    state.remaining -= used;
    if (state.remaining === 0) this.#state = { kind: state.kind === "length" ? "head" : "chunk-line" };
    return { used, refusal: null };
  }

  #chunkLine(rest: Buffer, out: Uint8Array[]) {
    const end = rest.indexOf(crlf);
    if (end === -1) {
      return rest.length > maxChunkLineBytes
        ? refuse(400, "a chunk size line is too long")
        : { used: 0, refusal: null };
    }
    const size = /^([0-9a-fA-F]{1,12})[ \t]*(;[^\n]*)?$/.exec(rest.toString("latin1", 0, end));
    if (size?.[1] === undefined) return refuse(400, "a chunk size cannot be read");
    out.push(rest.subarray(0, end + 2));
    const bytes = Number.parseInt(size[1], 16);
    // Two more bytes for the CRLF after the data.
    this.#state = bytes === 0 ? { kind: "trailer" } : { kind: "chunk-data", remaining: bytes + 2 };
    return { used: end + 2, refusal: null };
  }

  #trailer(rest: Buffer, out: Uint8Array[]) {
    const end = rest.indexOf(crlf);
    if (end === -1) {
      return rest.length > maxHeadBytes
        ? refuse(431, "the trailers are too large")
        : { used: 0, refusal: null };
    }
    out.push(rest.subarray(0, end + 2));
    if (end === 0) this.#state = { kind: "head" };
    return { used: end + 2, refusal: null };
  }
}

function refuse(status: Refusal["status"], reason: string) {
  return { used: 0, refusal: { status, reason } };
}

function bodyState(framing: Framing): ParserState {
  if (framing.kind === "chunked") return { kind: "chunk-line" };
  if (framing.kind === "length" && framing.bytes > 0) return { kind: "length", remaining: framing.bytes };
  return { kind: "head" };
}

type ParsedHead = {
  readonly framing: Framing;
  readonly isUpgrade: boolean;
  /** The header lines to send instead of the client's; null if those are sent unchanged. */
  readonly replacementLines: string | null;
};

/** Parses a head, without the final empty line, by RFC 9112 but without the leniency of §2.2 and §5.2. */
function readHead(text: string, drop: string): ParsedHead | Refusal {
  if (/[\0]|\r(?!\n)|(?<!\r)\n/.test(text))
    return { status: 400, reason: "a bare CR, LF or NUL in the request head" };
  const [requestLine = "", ...lines] = text.split("\r\n");
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ ]+ HTTP\/1\.[01]$/.test(requestLine)) {
    return { status: 400, reason: "the request line cannot be read: expected METHOD TARGET HTTP/1.1" };
  }
  if (requestLine.startsWith("CONNECT ")) {
    return { status: 501, reason: "CONNECT is not supported; the mesh passes HTTP and WebSockets" };
  }
  const headers = new Map<string, string[]>();
  let hasDropped = false;
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field?.[1] === undefined)
      return { status: 400, reason: "a header line cannot be read: expected Name: value" };
    const name = field[1].toLowerCase();
    if (name === drop) hasDropped = true;
    const values = headers.get(name);
    if (values === undefined) headers.set(name, [field[2] ?? ""]);
    else values.push(field[2] ?? "");
  }
  const framing = readFraming(headers);
  if ("status" in framing) return framing;
  const kept = hasDropped ? lines.filter((line) => !line.toLowerCase().startsWith(`${drop}:`)) : null;
  return {
    framing,
    isUpgrade: (headers.get("upgrade") ?? []).some((value) => value.toLowerCase() === "websocket"),
    replacementLines: kept === null ? null : [...kept, "", ""].join("\r\n"),
  };
}

function readFraming(headers: ReadonlyMap<string, readonly string[]>): Framing | Refusal {
  const lengths = headers.get("content-length") ?? [];
  const codings = headers.get("transfer-encoding") ?? [];
  if (lengths.length > 1)
    return { status: 400, reason: `${lengths.length} Content-Length headers; expected one` };
  if ((headers.get("host") ?? []).length > 1) return { status: 400, reason: "more than one Host header" };
  if (codings.length > 0) {
    if (lengths.length > 0) return { status: 400, reason: "both Content-Length and Transfer-Encoding" };
    if (codings.length > 1 || codings[0]?.toLowerCase() !== "chunked") {
      return { status: 501, reason: `cannot read Transfer-Encoding "${codings.join(", ")}"; chunked works` };
    }
    return { kind: "chunked" };
  }
  const [length] = lengths;
  if (length === undefined) return { kind: "none" };
  if (!/^[0-9]{1,15}$/.test(length)) return { status: 400, reason: `cannot read Content-Length "${length}"` };
  return { kind: "length", bytes: Number(length) };
}
