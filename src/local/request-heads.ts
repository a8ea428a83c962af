// Request heads on one client connection: finds each HTTP/1.1 request head in the bytes, writes one header line into
// it, and lets everything else through untouched. It frames requests and nothing more; what it cannot frame without
// doubt it refuses, because two readers that frame differently are a request-smuggling hole (RFC 9112 §11.2).

/** Longest request head, bytes. Node's own default is 16 KiB, HAProxy's buffer too; cookies of real sites need more. */
export const maxHeadBytes = 64 * 1024;

/** Longest chunk-size line, bytes: sizes are short, extensions are hardly ever used. */
const maxChunkLineBytes = 1024;

/** A request that was refused: the status to answer with, and why. */
type Refusal = { readonly status: 400 | 431 | 501; readonly reason: string };

type FeedResult = {
  /** Bytes to send on, in order. */
  readonly out: readonly Uint8Array[];
  readonly refusal: Refusal | null;
  /** True when a WebSocket upgrade was sent on: the answer decides what the next bytes are. */
  readonly isUpgrade: boolean;
};

type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" };

type ParserState =
  | { readonly kind: "head" }
  | { readonly kind: "length"; left: number }
  | { readonly kind: "chunk-line" }
  | { readonly kind: "chunk-data"; left: number }
  | { readonly kind: "trailer" }
  | { readonly kind: "held" }
  | { readonly kind: "tunnel" };

const crlf = Buffer.from("\r\n");
const headEnd = Buffer.from("\r\n\r\n");

/** Follows one connection's requests. Feed it what the client sends, in order. */
export class RequestHeads {
  readonly #headerLine: Buffer | null;
  readonly #headerName: string;
  #state: ParserState = { kind: "head" };
  #buffered: Buffer = Buffer.alloc(0);

  /**
   * @param name header to insert, lower case; any such header of the client's is dropped
   * @param value its value; null: none is inserted
   */
  constructor(name: string, value: string | null) {
    this.#headerName = name;
    this.#headerLine = value === null ? null : Buffer.from(`${name}: ${value}\r\n`, "latin1");
  }

  /** Takes the client's next bytes. After a refusal, or while an upgrade is undecided, it must not be fed on. */
  feed(bytes: Buffer): FeedResult {
    const out: Uint8Array[] = [];
    let rest = this.#buffered.length === 0 ? bytes : Buffer.concat([this.#buffered, bytes]);
    this.#buffered = Buffer.alloc(0);
    while (rest.length > 0) {
      const step = this.#step(rest, out);
      if (step.refusal !== null) return { out, refusal: step.refusal, isUpgrade: false };
      if (this.#state.kind === "held") {
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

  /** Tells how the upgrade was answered; what the client sent meanwhile comes out. */
  decideUpgrade(switched: boolean): FeedResult {
    this.#state = switched ? { kind: "tunnel" } : { kind: "head" };
    return this.feed(Buffer.alloc(0));
  }

  #step(rest: Buffer, out: Uint8Array[]): { used: number; refusal: Refusal | null } {
    const phase = this.#state;
    switch (phase.kind) {
      case "head":
        return this.#head(rest, out);
      case "length":
      case "chunk-data":
        return this.#body(phase, rest, out);
      case "chunk-line":
        return this.#chunkLine(rest, out);
      case "trailer":
        return this.#trailer(rest, out);
      case "held":
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
    this.#state = head.isUpgrade ? { kind: "held" } : bodyState(head.framing);
    return { used: end + 4, refusal: null };
  }

  #body(phase: { kind: "length" | "chunk-data"; left: number }, rest: Buffer, out: Uint8Array[]) {
    const used = Math.min(phase.left, rest.length);
    out.push(rest.subarray(0, used));
    phase.left -= used;
    if (phase.left === 0) this.#state = { kind: phase.kind === "length" ? "head" : "chunk-line" };
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
    // The data's own line end travels with it.
    this.#state = bytes === 0 ? { kind: "trailer" } : { kind: "chunk-data", left: bytes + 2 };
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
  if (framing.kind === "length" && framing.bytes > 0) return { kind: "length", left: framing.bytes };
  return { kind: "head" };
}

type ParsedHead = {
  readonly framing: Framing;
  readonly isUpgrade: boolean;
  /** The header lines to send instead of the client's own; null when those can stay. */
  readonly replacementLines: string | null;
};

/** Reads a head (no final empty line) as RFC 9112 writes it, without the leniences of §2.2 and §5.2. */
function readHead(text: string, drop: string): ParsedHead | Refusal {
  if (/[\0]|\r(?!\n)|(?<!\r)\n/.test(text))
    return { status: 400, reason: "a bare CR, LF or NUL in the request head" };
  const [requestLine = "", ...lines] = text.split("\r\n");
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+ [^ ]+ HTTP\/1\.[01]$/.test(requestLine)) {
    return { status: 400, reason: "the request line cannot be read: expected METHOD TARGET HTTP/1.1" };
  }
  if (requestLine.startsWith("CONNECT ")) {
    return { status: 501, reason: "CONNECT is for proxies that tunnel; this one passes HTTP and WebSockets" };
  }
  const seen = new Map<string, string[]>();
  let dropped = false;
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line);
    if (field?.[1] === undefined)
      return { status: 400, reason: "a header line cannot be read: expected Name: value" };
    const name = field[1].toLowerCase();
    if (name === drop) dropped = true;
    const values = seen.get(name);
    if (values === undefined) seen.set(name, [field[2] ?? ""]);
    else values.push(field[2] ?? "");
  }
  const framing = readFraming(seen);
  if ("status" in framing) return framing;
  const kept = dropped ? lines.filter((line) => !line.toLowerCase().startsWith(`${drop}:`)) : null;
  return {
    framing,
    isUpgrade: (seen.get("upgrade") ?? []).some((value) => value.toLowerCase() === "websocket"),
    replacementLines: kept === null ? null : [...kept, "", ""].join("\r\n"),
  };
}

function readFraming(seen: ReadonlyMap<string, readonly string[]>): Framing | Refusal {
  const lengths = seen.get("content-length") ?? [];
  const codings = seen.get("transfer-encoding") ?? [];
  if (lengths.length > 1)
    return { status: 400, reason: `${lengths.length} Content-Length headers; expected one` };
  if ((seen.get("host") ?? []).length > 1) return { status: 400, reason: "more than one Host header" };
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
