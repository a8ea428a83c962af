// The load of the benchmark: keep-alive connections that each send a GET, wait for its answer, and send the next.
// Runs in a process of its own (see `startLoad`), so that its work is not counted as anybody else's.

import { connect } from "node:net";

export type LoadOrder = {
  readonly host: string;
  readonly port: number;
  /** What the Host header says. */
  readonly authority: string;
  /** Header lines sent besides Host, each ended by CRLF. */
  readonly headers: string;
  readonly connections: number;
  readonly durationMs: number;
};

/** What came of it. Latencies in microseconds, of whole requests. */
export type LoadResult = {
  readonly requests: number;
  readonly errors: number;
  readonly elapsedMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
};

/** Answers each order with its result until the parent goes away. */
function serve(): void {
  process.on("message", (order: LoadOrder) => {
    void run(order).then((result) => process.send?.(result));
  });
  process.on("disconnect", () => process.exit(0));
}

async function run(order: LoadOrder): Promise<LoadResult> {
  const latencies: number[] = [];
  const startedMs = performance.now();
  const endsMs = startedMs + order.durationMs;
  const errors = await Promise.all(
    Array.from({ length: order.connections }, () => drive(order, endsMs, latencies)),
  );
  const elapsedMs = performance.now() - startedMs;
  latencies.sort((a, b) => a - b);
  const quantile = (q: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * q))] ?? 0;
  return {
    requests: latencies.length,
    errors: errors.reduce((sum, count) => sum + count, 0),
    elapsedMs,
    p50Us: quantile(0.5),
    p99Us: quantile(0.99),
  };
}

/** One connection's loop. Every answer must be a 200 with a Content-Length; anything else counts as an error. */
function drive(order: LoadOrder, endsMs: number, latencies: number[]): Promise<number> {
  const head = `GET /hello?n=1 HTTP/1.1\r\nHost: ${order.authority}\r\n${order.headers}\r\n`;
  const request = Buffer.from(head, "latin1");
  return new Promise((resolve) => {
    let errors = 0;
    let pending = "";
    let sentMs = 0;
    /** Bytes of an answer, once one was read whole: all are alike, and reading each would cost more than sending it. */
    let usualBytes = 0;
    const socket = connect(order.port, order.host);
    socket.setNoDelay(true);
    const send = () => {
      sentMs = performance.now();
      socket.write(request);
    };
    const take = (isOk: boolean) => {
      const nowMs = performance.now();
      if (isOk) latencies.push((nowMs - sentMs) * 1_000);
      else errors += 1;
      if (nowMs < endsMs) send();
      else socket.end();
    };
    socket.on("connect", send);
    socket.on("data", (chunk: Buffer) => {
      if (pending === "" && chunk.length === usualBytes) return take(isOk(chunk));
      pending += chunk.toString("latin1");
      if (!isWhole(pending)) return;
      usualBytes = pending.length;
      const ok = pending.startsWith("HTTP/1.1 200");
      pending = "";
      take(ok);
    });
    socket.on("error", () => {
      errors += 1;
    });
    socket.on("close", () => resolve(errors));
  });
}

/** The status line says 200, and there is a head at all. */
function isOk(chunk: Buffer): boolean {
  return chunk[0] === 0x48 && chunk[9] === 0x32 && chunk[10] === 0x30 && chunk[11] === 0x30;
}

function isWhole(text: string): boolean {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /content-length: (\d+)/i.exec(text.slice(0, head));
  return length !== null && text.length >= head + 4 + Number(length[1]);
}

if (process.send) serve();
