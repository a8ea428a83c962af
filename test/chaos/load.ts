// The load of the chaos run: requests at a constant rate of arrival, whatever becomes of earlier ones, each sent once.
// Runs in a process of its own (see `startLoad`), so that the harness's work does not show in its latencies.

import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { Agent, request } from "undici";

export type LoadOrder = {
  readonly url: string;
  /** Number of the first request; a POST carries its number as its body. */
  readonly firstId: number;
  /** Requests a second. */
  readonly rate: number;
  readonly seconds: number;
  /** Of all requests, 0 to 1. */
  readonly postShare: number;
  /** A request without a whole answer after this long has failed, milliseconds. */
  readonly timeoutMs: number;
};

/** One request. Its latency counts from when it was due, so that a client that lags behind cannot hide a stall. */
export type Sample = {
  readonly method: "GET" | "POST";
  /** When it was due, from the start of the load. */
  readonly dueMs: number;
  readonly latencyMs: number;
  /** `app`: a 503 that the application itself gave, passed on as it should be. */
  readonly outcome: "ok" | "app" | "failed";
  /** Why it failed; empty when it did not. */
  readonly why: string;
};

export type Load = { readonly samples: Promise<readonly Sample[]>; readonly stop: () => void };

/** Starts a load; resolves once its first request is sent. */
export async function startLoad(order: LoadOrder): Promise<Load> {
  const child = fork(fileURLToPath(import.meta.url), [], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  child.send(order);
  await message(child);
  return {
    samples: message<readonly Sample[]>(child).finally(() => child.disconnect()),
    stop: () => void child.kill("SIGKILL"),
  };
}

function message<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once("message", (value) => resolve(value as T));
    child.once("exit", (code) => reject(new Error(`the load ended with ${code}`)));
  });
}

/** The child's side: one order, one answer. */
async function serve(order: LoadOrder): Promise<void> {
  // Connections are kept alive and as many as are needed, as a browser or another proxy would have them.
  const dispatcher = new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0 });
  const startedMs = performance.now();
  process.send?.("started");
  const total = Math.round(order.rate * order.seconds);
  const pending: Promise<Sample>[] = [];
  while (pending.length < total) {
    const elapsedMs = performance.now() - startedMs;
    const due = Math.min(total, Math.floor((elapsedMs * order.rate) / 1000) + 1);
    while (pending.length < due) pending.push(ask(order, dispatcher, startedMs, pending.length));
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  process.send?.(await Promise.all(pending));
}

async function ask(order: LoadOrder, dispatcher: Agent, startedMs: number, number: number): Promise<Sample> {
  const every = Math.round(1 / order.postShare);
  const method = number % every === every - 1 ? "POST" : "GET";
  const dueMs = (number * 1000) / order.rate;
  const outcome = await send(order, dispatcher, method, String(order.firstId + number));
  return { method, dueMs, latencyMs: performance.now() - startedMs - dueMs, ...outcome };
}

async function send(
  { url, timeoutMs }: LoadOrder,
  dispatcher: Agent,
  method: "GET" | "POST",
  body: string,
): Promise<Pick<Sample, "outcome" | "why">> {
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    const answer = await request(url, { method, dispatcher, signal, ...(method === "POST" && { body }) });
    const text = await answer.body.text();
    if (answer.statusCode === 200 && text.startsWith("slot ")) return { outcome: "ok", why: "" };
    if (answer.headers["x-chaos-app"] !== undefined) return { outcome: "app", why: "" };
    return { outcome: "failed", why: `${answer.statusCode} ${reason(text)}` };
  } catch (error) {
    const { name, code, message: text } = error as Error & { code?: string };
    return { outcome: "failed", why: name === "TimeoutError" ? "timeout" : (code ?? text) };
  }
}

/** What an answer says without what is its own alone, so that like ones can be counted. */
function reason(text: string): string {
  const told = /"message":\s*"([^"]*)"/.exec(text)?.[1] ?? text.replace(/<[^>]*>/g, " ");
  return told.replace(/\s+/g, " ").slice(0, 120).trim();
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.once("message", (order: LoadOrder) => void serve(order));
  process.once("disconnect", () => process.exit(0));
}
