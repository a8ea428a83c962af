// The load of the traffic benchmark: keep-alive connections, each of which sends a GET after the response to
// the last. Runs in its own process, so that its CPU time does not count for a proxy.

import { connect } from "node:net";

export type LoadOrder = {
  readonly host: string;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  /** The other header lines, each ended by CRLF. */
  readonly headers: string;
  readonly connections: number;
  readonly durationMs: number;
};

/** The result of an order. Latencies are those of whole requests, microseconds. */
export type LoadResult = {
  readonly requests: number;
  readonly errors: number;
  readonly elapsedMs: number;
  readonly p50Us: number;
  readonly p99Us: number;
};

/** Runs each order of the parent process and sends back its result. */
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

/** Runs one connection. A response other than 200 counts as an error. */
function drive(order: LoadOrder, endsMs: number, latencies: number[]): Promise<number> {
  const head = `GET /hello?n=1 HTTP/1.1\r\nHost: ${order.authority}\r\n${order.headers}\r\n`;
  const request = Buffer.from(head, "latin1");
  return new Promise((resolve) => {
    let errors = 0;
    let pending = "";
    let sentMs = 0;
    /** Length of a response; 0 before the first. All are equal, and parsing each would be slow. */
    let responseBytes = 0;
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
      if (pending === "" && chunk.length === responseBytes) return take(isOk(chunk));
      pending += chunk.toString("latin1");
      if (!isComplete(pending)) return;
      responseBytes = pending.length;
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

/** Whether the status line has status 200. */
function isOk(chunk: Buffer): boolean {
  return chunk[0] === 0x48 && chunk[9] === 0x32 && chunk[10] === 0x30 && chunk[11] === 0x30;
}

function isComplete(text: string): boolean {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0) return false;
  const length = /content-length: (\d+)/i.exec(text.slice(0, head));
  return length !== null && text.length >= head + 4 + Number(length[1]);
}

if (process.send) serve();
