import { expect, test } from "vitest";
import { maxHeadBytes, RequestHeads } from "../../../src/local/request-heads.ts";

const entryHeader = "x-waggle-entry: vouched\r\n";

function pass(text: string): {
  out: string;
  refusal: { status: number; reason: string } | null;
  upgrade: boolean;
} {
  const heads = new RequestHeads("x-waggle-entry", "vouched");
  const fed = heads.feed(Buffer.from(text, "latin1"));
  return { out: Buffer.concat(fed.out).toString("latin1"), refusal: fed.refusal, upgrade: fed.isUpgrade };
}

test("[U10] each request head gets the entry header after its request line, and nothing else changes", () => {
  const get = "GET /a?b HTTP/1.1\r\nHost: x\r\nCookie: a=1\r\n\r\n";
  const post = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nGET /";
  const { out } = pass(get + post + get);
  const marked = (text: string) => text.replace("HTTP/1.1\r\n", `HTTP/1.1\r\n${entryHeader}`);
  expect(out).toBe(marked(get) + marked(post) + marked(get));
});

test("[U10] a chunked body with trailers passes unchanged, and the next request gets the entry header", () => {
  const body = "5;ext=1\r\nGET /\r\n0\r\nX-Sum: 1\r\n\r\n";
  const { out } = pass(
    `POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n${body}GET /2 HTTP/1.1\r\n\r\n`,
  );
  expect(out).toContain(`\r\n\r\n${body}GET /2 HTTP/1.1\r\n${entryHeader}\r\n`);
});

test("[U11] the client's own entry headers are dropped in any spelling", () => {
  const { out } = pass(
    "GET / HTTP/1.1\r\nX-WAGGLE-Entry: forged\r\nHost: x\r\nx-waggle-entry:forged\r\n\r\n",
  );
  expect(out).toBe(`GET / HTTP/1.1\r\n${entryHeader}Host: x\r\n\r\n`);
});

test.each([
  [
    "two Content-Lengths",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\n",
    400,
    "2 Content-Length headers",
  ],
  ["a list in Content-Length", "POST / HTTP/1.1\r\nContent-Length: 3, 3\r\n\r\n", 400, '"3, 3"'],
  ["a signed Content-Length", "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n", 400, '"+3"'],
  ["both lengths", "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400, "both"],
  [
    "another transfer coding",
    "POST / HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
    501,
    '"gzip, chunked"',
  ],
  [
    "two codings",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
    501,
    "identity",
  ],
  ["two hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400, "Host"],
  ["space before the colon", "GET / HTTP/1.1\r\nContent-Length : 3\r\n\r\n", 400, "header line"],
  ["a folded line", "GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n", 400, "header line"],
  ["a bare LF", "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "bare"],
  ["a request line of two words", "GET /\r\n\r\n", 400, "request line"],
  ["CONNECT", "CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", 501, "CONNECT"],
  ["a bad chunk size", "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\n", 400, "chunk size"],
  ["a head of 100 KB", `GET / HTTP/1.1\r\nA: ${"a".repeat(100_000)}\r\n\r\n`, 431, "64 KiB"],
])("[U12] a request with ambiguous framing is refused: %s", (_name, text, status, reason) => {
  const { refusal } = pass(text);
  expect(refusal?.status).toBe(status);
  expect(refusal?.reason).toContain(reason);
});

test("[U12] a head above the limit is refused before it ends", () => {
  expect(pass(`GET / HTTP/1.1\r\nA: ${"a".repeat(maxHeadBytes)}`).refusal?.status).toBe(431);
});

test("[U13] bytes after a WebSocket upgrade wait for the response; then they are a tunnel or the next request", () => {
  const upgrade = "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";
  for (const [switched, expected] of [
    [true, "GET /2 HTTP/1.1\r\n\r\n"],
    [false, `GET /2 HTTP/1.1\r\n${entryHeader}\r\n`],
  ] as const) {
    const heads = new RequestHeads("x-waggle-entry", "vouched");
    expect(heads.feed(Buffer.from(`${upgrade}GET /2 HTTP/1.1\r\n\r\n`)).isUpgrade).toBe(true);
    expect(Buffer.concat(heads.decideUpgrade(switched).out).toString()).toBe(expected);
  }
});
