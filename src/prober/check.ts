// One check of one server: a connection, and where it is an HTTP check, a request over it.

import type { CheckResult, CheckStatus } from "../domain/model/check-result.ts";
import type { ProbeTarget } from "../domain/model/probe-list.ts";
import { type CheckVerdict, ResponseCheck, requestText } from "./http-check.ts";

/** A TCP connection, as the Workers runtime has it. */
export type Connection = {
  readonly opened: Promise<unknown>;
  readonly readable: ReadableStream<Uint8Array>;
  readonly writable: WritableStream<Uint8Array>;
  close(): Promise<unknown>;
};

export type CheckDial = (
  target: { readonly hostname: string; readonly port: number },
  tls: boolean,
) => Connection;

/** What a check is given instead of taking it from its surroundings. */
export type CheckDeps = {
  readonly dial: CheckDial;
  readonly nowMs: () => number;
  /** Resolves after so many milliseconds, or when the signal aborts. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
};

/** Runs one check; never rejects. The whole of it takes no longer than the check's time-out. */
export async function runCheck(target: ProbeTarget, deps: CheckDeps): Promise<CheckResult> {
  const startedMs = deps.nowMs();
  const ended = new AbortController();
  const timeout = deps
    .sleep(target.check.timeoutMs, ended.signal)
    .then((): CheckVerdict | "timeout" => "timeout");
  // What a time-out means depends on how far the check has come.
  const progress: CheckProgress = { timeoutWord: "L4TOUT", connection: null };
  const verdict = await Promise.race([connectAndCheck(target, deps.dial, progress), timeout]);
  ended.abort();
  void progress.connection?.close().catch(() => undefined);
  const { word, code } = verdict === "timeout" ? { word: progress.timeoutWord, code: null } : verdict;
  return { word, code, durationMs: deps.nowMs() - startedMs };
}

type CheckProgress = { timeoutWord: CheckStatus; connection: Connection | null };

async function connectAndCheck(
  { host, port, check }: ProbeTarget,
  dial: CheckDial,
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
  const answer = new ResponseCheck(check.http);
  try {
    const writer = progress.connection.writable.getWriter();
    await writer.write(new TextEncoder().encode(requestText(check.http, host, port)));
    return await readResponse(progress.connection.readable.getReader(), answer);
  } catch {
    // Reset before the answer was whole: what came of it may still do.
    return answer.end();
  }
}

async function readResponse(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  answer: ResponseCheck,
): Promise<CheckVerdict> {
  const latin1 = new TextDecoder("latin1");
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return answer.end();
    const verdict = answer.add(latin1.decode(value, { stream: true }));
    if (verdict !== null) return verdict;
  }
}
