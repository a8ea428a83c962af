// HTTP/1.1 over sockets, byte for byte: a client without opinions, and a reader of what comes back. Texts are
// latin1, so that one character is one byte.

import { connect, type Socket } from "node:net";

/** What a client writes: at once, or when what the peer has sent matches. */
export type ClientStep = string | { readonly after: RegExp; readonly send: string };

export type Exchange = {
  /** All that the peer sent. */
  readonly text: string;
  /** False if the time was up before the peer closed the connection. */
  readonly isClosed: boolean;
};

type ExchangeOptions = {
  readonly host?: string;
  readonly withinMs?: number;
  readonly isDone?: (text: string) => boolean;
};

/** Writes the steps in order and reads until the peer closes, `isDone` holds or `withinMs` is over. */
export function exchange(
  port: number,
  steps: readonly ClientStep[],
  { host = "127.0.0.1", withinMs = 10_000, isDone = () => false }: ExchangeOptions = {},
): Promise<Exchange> {
  return new Promise((resolve) => {
    const waiting = [...steps];
    let text = "";
    const socket: Socket = connect({ port, host, noDelay: true });
    const end = (isClosed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ text, isClosed });
    };
    const timer = setTimeout(() => end(false), withinMs);
    const writeNext = () => {
      for (let step = waiting[0]; step !== undefined; step = waiting[0]) {
        if (typeof step !== "string" && !step.after.test(text)) return;
        waiting.shift();
        socket.write(Buffer.from(typeof step === "string" ? step : step.send, "latin1"));
      }
    };
    socket.on("connect", writeNext);
    socket.on("data", (bytes: Buffer) => {
      text += bytes.toString("latin1");
      if (isDone(text)) end(false);
      else writeNext();
    });
    socket.on("error", () => undefined);
    socket.on("close", () => end(true));
  });
}

/** An HTTP message's start line, header lines as `name: value` with the name in lower case, and body. */
export type RawMessage = {
  readonly start: string;
  readonly headers: readonly string[];
  readonly body: string;
  /** Trailer lines of a chunked body. */
  readonly trailers: readonly string[];
  /** The message and all that was sent for it. */
  readonly length: number;
};

export type RawResponse = RawMessage & { readonly status: number };

/**
 * Reads responses one after the other.
 *
 * @param methods of the requests that they belong to; a response to HEAD has no body. GET if there are fewer
 * @param isClosed the connection is closed, which ends a body without a length
 * @returns the complete ones, and the text after them
 */
export function readResponses(
  text: string,
  methods: readonly string[] = [],
  isClosed = true,
): { readonly responses: readonly RawResponse[]; readonly rest: string } {
  const responses: RawResponse[] = [];
  let rest = text;
  let finals = 0;
  for (;;) {
    const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(rest)?.[1] ?? Number.NaN);
    const isInterim = status < 200 && status !== 101;
    const hasNoBody = isInterim || status === 204 || status === 304 || methods[finals] === "HEAD";
    const message = Number.isNaN(status)
      ? null
      : readMessage(rest, hasNoBody ? "none" : isClosed ? "close" : "wait");
    if (message === null) return { responses, rest };
    responses.push({ ...message, status });
    rest = rest.slice(message.length);
    if (!isInterim) finals += 1;
  }
}

/**
 * Reads the first message of a text.
 *
 * @param unframed what a message without a length has: no body, a body up to the end of the text, or a body that may
 *   still go on
 * @returns null if it is not complete
 */
export function readMessage(text: string, unframed: "none" | "close" | "wait" | "empty"): RawMessage | null {
  const end = text.indexOf("\r\n\r\n");
  if (end < 0) return null;
  const [start = "", ...lines] = text.slice(0, end).split("\r\n");
  const headers = lines.map((line) =>
    line.replace(/^([^:]*):[ \t]*(.*?)[ \t]*$/s, (_, name: string, value: string) => {
      return `${name.toLowerCase()}: ${value}`;
    }),
  );
  const bodyAt = end + 4;
  const whole = (body: string, length: number, trailers: readonly string[] = []): RawMessage => {
    return { start, headers, body, trailers, length };
  };
  if (unframed === "none") return whole("", bodyAt);
  if (headers.some((line) => /^transfer-encoding:.*chunked$/i.test(line))) {
    const chunked = readChunks(text.slice(bodyAt));
    return chunked === null ? null : whole(chunked.body, bodyAt + chunked.length, chunked.trailers);
  }
  const length = headers.map((line) => /^content-length: (\d+)$/.exec(line)?.[1]).find(Boolean);
  if (length === undefined) {
    if (unframed === "empty") return whole("", bodyAt);
    return unframed === "close" ? whole(text.slice(bodyAt), text.length) : null;
  }
  const bodyEnd = bodyAt + Number(length);
  return text.length < bodyEnd ? null : whole(text.slice(bodyAt, bodyEnd), bodyEnd);
}

function readChunks(text: string): { body: string; length: number; trailers: readonly string[] } | null {
  let body = "";
  let at = 0;
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const size = Number.parseInt(text.slice(at, lineEnd), 16);
    if (Number.isNaN(size)) return null;
    at = lineEnd + 2;
    if (size === 0) break;
    body += text.slice(at, at + size);
    at += size + 2;
    if (at > text.length) return null;
  }
  const trailers: string[] = [];
  for (;;) {
    const lineEnd = text.indexOf("\r\n", at);
    if (lineEnd < 0) return null;
    const line = text.slice(at, lineEnd);
    at = lineEnd + 2;
    if (line === "") return { body, length: at, trailers };
    trailers.push(line);
  }
}
