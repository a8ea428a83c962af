// A client under constant load: `load-client.ts URL RATE`. It sends GETs at a rate, independent of earlier ones,
// each once, until SIGTERM. Then it waits for those that are open, and prints its counts as JSON.

import { Agent, get } from "node:http";

/** What a load was answered with. */
export type LoadCounts = {
  readonly sent: number;
  readonly failed: number;
  /** The reasons of failures, with their numbers. */
  readonly why: Readonly<Record<string, number>>;
  /** Times of the first and the last failure, epoch milliseconds; null without one. */
  readonly failedMs: readonly [number, number] | null;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
};

/** A request without a complete response after this time has failed. */
const timeoutMs = 10_000;

const [url = "", rate = ""] = process.argv.slice(2);
const agent = new Agent({ keepAlive: true });
const latencies: number[] = [];
const why: Record<string, number> = {};
let failedMs: [number, number] | null = null;
let open = 0;
let sent = 0;

const startedMs = performance.now();
const timer = setInterval(() => {
  const due = Math.floor(((performance.now() - startedMs) * Number(rate)) / 1000) + 1;
  while (sent < due) send();
}, 1);
process.once("SIGTERM", () => {
  clearInterval(timer);
  finishWhenAnswered();
});

function send(): void {
  const sentMs = performance.now();
  sent += 1;
  open += 1;
  let isOver = false;
  const end = (reason: string | null): void => {
    if (isOver) return;
    isOver = true;
    open -= 1;
    latencies.push(performance.now() - sentMs);
    if (reason === null) return;
    why[reason] = (why[reason] ?? 0) + 1;
    failedMs = [failedMs?.[0] ?? Date.now(), Date.now()];
  };
  const request = get(url, { agent, signal: AbortSignal.timeout(timeoutMs) }, (response) => {
    let body = "";
    response.setEncoding("utf8");
    response.on("data", (text) => {
      body += text;
    });
    response.on("end", () =>
      end(response.statusCode === 200 ? null : `${response.statusCode} ${reasonOf(body)}`),
    );
    response.on("error", (error) => end(error.message));
  });
  request.on("error", (error) => end(error.message));
}

/** The message of an error response, short enough to group equal ones. */
function reasonOf(body: string): string {
  const message = /"message":\s*"([^"]*)"/.exec(body)?.[1] ?? body.split("\n")[0] ?? "";
  return message.slice(0, 120).trim();
}

function finishWhenAnswered(): void {
  if (open > 0) {
    setTimeout(finishWhenAnswered, 10);
    return;
  }
  latencies.sort((one, other) => one - other);
  const quantile = (share: number): number =>
    Math.round(latencies[Math.floor(latencies.length * share)] ?? 0);
  const failed = Object.values(why).reduce((sum, count) => sum + count, 0);
  const counts: LoadCounts = {
    sent,
    failed,
    why,
    failedMs,
    p50Ms: quantile(0.5),
    p99Ms: quantile(0.99),
    maxMs: Math.round(latencies.at(-1) ?? 0),
  };
  process.stdout.write(`${JSON.stringify(counts)}\n`, () => process.exit(0));
}
