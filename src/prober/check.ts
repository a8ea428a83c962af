// One check of one server: a connection, and for an HTTP check a request over it.

import type { Expectation } from "../domain/model/check-expect.ts";
import type { CheckResult, CheckStatus } from "../domain/model/check-result.ts";
import type { ProbeTarget } from "../domain/model/probe-list.ts";
import type { Expect } from "../domain/model/server.ts";
import { type CheckVerdict, ResponseCheck, requestText } from "./http-check.ts";

/** A TCP connection, in the form of the Workers runtime. */
export type Connection = {
  readonly opened: Promise<unknown>;
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  close(): Promise<unknown>;
};

type CheckDial = (target: { readonly hostname: string; readonly port: number }, tls: boolean) => Connection;

/** What a check takes as arguments instead of from its environment. */
export type CheckDeps = {
  readonly dial: CheckDial;
  readonly nowMs: () => number;
  /** Resolves after `ms`, or as soon as the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Compiles an expectation, or returns the one compiled before. */
  readonly expectationOf: (expect: Expect | null) => Expectation;
};

/**
 * Runs one check within the check's timeout. Never rejects: an error of the mesh itself fails the check, with
 * the word that HAProxy uses for errors on its own side.
 */
export async function runCheck(target: ProbeTarget, deps: CheckDeps): Promise<CheckResult> {
  const startedMs = deps.nowMs();
  const finished = new AbortController();
  const progress: CheckProgress = { timeoutWord: "L4TOUT", connection: null, response: null };
  const verdict = await checkUntilTimeout(target, deps, progress, finished.signal).catch(
    (error: unknown): CheckVerdict => ({ word: "SOCKERR", code: null, detail: String(error) }),
  );
  finished.abort();
  void progress.connection?.close().catch(() => undefined);
  return { ...verdict, durationMs: deps.nowMs() - startedMs };
}

async function checkUntilTimeout(
  target: ProbeTarget,
  deps: CheckDeps,
  progress: CheckProgress,
  finished: AbortSignal,
): Promise<CheckVerdict> {
  const timeout = deps
    .sleep(target.check.timeoutMs, finished)
    .then(() => progress.response?.atTimeout() ?? { word: progress.timeoutWord, code: null });
  return await Promise.race([connectAndCheck(target, deps, progress), timeout]);
}

/** The progress of a check. `timeoutWord` is its status if it times out now. */
type CheckProgress = {
  timeoutWord: CheckStatus;
  connection: Connection | null;
  response: ResponseCheck | null;
};

async function connectAndCheck(
  { host, port, check }: ProbeTarget,
  { dial, expectationOf }: CheckDeps,
  progress: CheckProgress,
): Promise<CheckVerdict> {
  try {
    progress.connection = dial({ hostname: host, port }, check.tls);
    await progress.connection.opened;
  } catch {
    return { word: "L4CON", code: null };
  }
  if (check.http === null) return { word: check.tls ? "L6OK" : "L4OK", code: null };
  progress.timeoutWord = "L7TOUT";
  const response = new ResponseCheck(check.http, expectationOf(check.http.expect));
  progress.response = response;
  try {
    const writer = progress.connection.writable.getWriter();
    await writer.write(new TextEncoder().encode(requestText(check.http, host, port)));
    return await readResponse(progress.connection.readable.getReader(), response);
  } catch {
    // The connection was reset before the response was complete. The part that arrived may be enough.
    return response.end();
  }
}

async function readResponse(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  response: ResponseCheck,
): Promise<CheckVerdict> {
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return response.end();
    const verdict = response.add(value);
    if (verdict !== null) return verdict;
  }
}

/** The implementation of `CheckDeps.sleep`. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}
