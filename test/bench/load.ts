// The load of the traffic benchmark: keep-alive connections, each of which sends a GET after the response to
// the last. Runs in its own process, so that its CPU time does not count for a proxy.

import { createHmac } from "node:crypto";
import { connect } from "node:net";
import {
  attemptHeader,
  hostHeader,
  printAttempt,
  proofBytes,
  provenText,
  targetHeader,
} from "../../src/gateway/attempt.ts";

const target = "/hello?n=1";

let attempts = 0;

export type LoadOrder = {
  readonly host: string;
  readonly port: number;
  /** The Host header. */
  readonly authority: string;
  /** The other header lines, each ended by CRLF. */
  readonly headers: string;
  /** The key, base64url, of the node at whose gateway each request is an attempt; absent: plain requests. */
  readonly attemptKey?: string | undefined;
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
  const head = `GET ${target} HTTP/1.1\r\nHost: ${order.authority}\r\n${order.headers}`;
  const request = Buffer.from(`${head}\r\n`, "latin1");
  const key = order.attemptKey === undefined ? null : Buffer.from(order.attemptKey, "base64url");
  return new Promise((resolve) => {
    let errors = 0;
    let pending = "";
    let sentMs = 0;
    /** Length of a response; 0 before the first. All are equal, and parsing each would be slow. */
    let responseBytes = 0;
    const socket = connect(order.port, order.host);
    socket.setNoDelay(true);
    const send = () => {
      const bytes = key === null ? request : `${head}${attemptLines(key)}\r\n`;
      sentMs = performance.now();
      socket.write(bytes);
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

/** The header lines of a new attempt at port 80 of task t1. */
function attemptLines(key: Buffer): string {
  attempts += 1;
  const attempt = {
    keyId: "k1",
    taskId: "t1",
    port: 80,
    id: `${process.pid}.${attempts.toString(36).padStart(8, "0")}`,
    issuedMs: Date.now(),
    kind: "repeat",
  } as const;
  const text = provenText(attempt, { method: "GET", target, host: "www.test" });
  const proof = createHmac("sha256", key).update(text).digest().toString("base64url", 0, proofBytes);
  const value = printAttempt(attempt, proof);
  return `${attemptHeader}: ${value}\r\n${targetHeader}: ${target}\r\n${hostHeader}: www.test\r\n`;
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
