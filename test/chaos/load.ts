// The load generator of the chaos run: sends requests at a constant rate, independent of earlier ones, each
// once. Its own process (see `startLoad`) keeps the harness's work out of the latencies.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Agent, request } from "undici";
import { postIdHeader } from "./contender.ts";

export type LoadOrder = {
  readonly url: string;
  /** Number of the first request. The body of a POST is its number. */
  readonly firstId: number;
  /** Requests per second. */
  readonly rate: number;
  readonly seconds: number;
  /** Share of POSTs, 0 to 1. */
  readonly postShare: number;
  /** A request without a complete response after this time has failed. */
  readonly timeoutMs: number;
};

/** One request. The latency counts from its due time, so that a delayed client does not hide a stall. */
export type Sample = {
  /** The body of a POST. */
  readonly id: string;
  readonly method: "GET" | "POST";
  /** Due time, from the start of the load. */
  readonly dueMs: number;
  readonly latencyMs: number;
  /** `app`: a 503 from the application itself, correctly passed on. */
  readonly outcome: "ok" | "app" | "failed";
  /** The reason of a failure; else empty. */
  readonly why: string;
};

export type Load = { readonly samples: Promise<readonly Sample[]>; readonly stop: () => void };

/** Resolves when the load has started. */
export async function startLoad(order: LoadOrder): Promise<Load> {
  const child = fork(fileURLToPath(import.meta.url), [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.send(order);
  await nextMessage(child);
  return {
    samples: nextMessage<readonly Sample[]>(child).finally(() => child.disconnect()),
    stop: () => void child.kill("SIGKILL"),
  };
}

function nextMessage<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once("message", (value) => resolve(value as T));
    child.once("exit", (code) => reject(new Error(`the load generator exited with code ${code}`)));
  });
}

/** Runs in the child process: sends the load and reports its samples. */
async function runLoad(order: LoadOrder): Promise<void> {
  // Keep-alive without a limit of connections, like a browser or another proxy.
  const dispatcher = new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const startedMs = performance.now();
  process.send?.("started");
  const total = Math.round(order.rate * order.seconds);
  const pending: Promise<Sample>[] = [];
  while (pending.length < total) {
    const elapsedMs = performance.now() - startedMs;
    const due = Math.min(total, Math.floor((elapsedMs * order.rate) / 1000) + 1);
    while (pending.length < due) pending.push(sample(order, dispatcher, startedMs, pending.length));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  process.send?.(await Promise.all(pending));
}

async function sample(
  order: LoadOrder,
  dispatcher: Agent,
  startedMs: number,
  number: number,
): Promise<Sample> {
  const postInterval = Math.round(1 / order.postShare);
  const method = number % postInterval === postInterval - 1 ? "POST" : "GET";
  const dueMs = (number * 1000) / order.rate;
  const id = String(order.firstId + number);
  const outcome = await send(order, dispatcher, method, id);
  return { id, method, dueMs, latencyMs: performance.now() - startedMs - dueMs, ...outcome };
}

async function send(
  { url, timeoutMs }: LoadOrder,
  dispatcher: Agent,
  method: "GET" | "POST",
  body: string,
): Promise<Pick<Sample, "outcome" | "why">> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const post = { body, headers: { [postIdHeader]: body } };
    const response = await request(url, { method, dispatcher, signal, ...(method === "POST" && post) });
    const text = await response.body.text();
    if (response.statusCode === 200 && text.startsWith("slot ")) return { outcome: "ok", why: "" };
    if (response.headers["x-chaos-app"] !== undefined) return { outcome: "app", why: "" };
    return { outcome: "failed", why: `${response.statusCode} ${reason(text)}` };
  } catch (error) {
    const { name, code, message: text } = error as Error & { code?: string };
    return { outcome: "failed", why: name === "TimeoutError" ? "timeout" : (code ?? text) };
  }
}

/** The message of an error response, short enough to group equal ones. */
function reason(text: string): string {
  const message = /"message":\s*"([^"]*)"/.exec(text)?.[1] ?? text.replace(/<[^>]*>/g, " ");
  return message.replace(/\s+/g, " ").slice(0, 120).trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once("message", (order: LoadOrder) => void runLoad(order));
  process.once("disconnect", () => process.exit(0));
}
