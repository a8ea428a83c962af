// Reads the lines of tasks from the gateway of their node.

import { printableUpTo } from "../../domain/model/printable.ts";
import type { Semaphore } from "../../domain/model/semaphore.ts";
import { gatewayHeader, readOutcome } from "../../gateway/attempt.ts";
import { logKeepAliveMs, readLogFrames, type TaskLine } from "../../gateway/logs/log-frames.ts";
import type { DialGateway } from "../../proxy/plane.ts";
import type { LogCall } from "../../registry/log-calls.ts";

/** Time for a gateway to begin its response, milliseconds. */
const logDialTimeoutMs = 5_000;
/** So much of a node's reason for sending no logs is read, bytes, and shown, characters. */
const maxAnswerBytes = 4_096;
const maxReasonLength = 300;
/** A stream that sends nothing at all for this long has broken, milliseconds. */
const logSilenceMs = 3 * logKeepAliveMs;

/** Why the logs of a node cannot be read: a clause for an operator that names the node. */
export class NodeLogError extends Error {}

/**
 * The lines of the tasks in a signed call, in lists as they arrive; an empty list when there is nothing new.
 *
 * @param tasks number of tasks in the call
 * @param slots limits how many gateways are dialed at a time
 * @throws NodeLogError
 */
export async function* readNodeLog(
  call: LogCall,
  tasks: number,
  dialGateway: DialGateway,
  slots: Semaphore,
): AsyncGenerator<readonly TaskLine[], void, void> {
  if (call.gateway === null) throw new NodeLogError(call.reason);
  const { nodeName } = call;
  const { body, abort } = await slots.run(() => dial(call, dialGateway));
  try {
    yield* readLogFrames(notSilent(body, nodeName), tasks);
  } catch (error) {
    if (error instanceof NodeLogError) throw error;
    throw new NodeLogError(`the logs of node ${nodeName} broke off: ${(error as Error).message}`);
  } finally {
    abort();
  }
}

type OpenLog = { readonly body: ReadableStream<Uint8Array>; readonly abort: () => void };

async function dial(
  call: LogCall & { readonly gateway: object },
  dialGateway: DialGateway,
): Promise<OpenLog> {
  const { nodeName, nodeId, gateway, headers, mark } = call;
  const dialing = new AbortController();
  const timer = setTimeout(() => dialing.abort(), logDialTimeoutMs);
  const init = {
    method: "GET",
    headers: new Headers(headers),
    redirect: "manual",
    signal: dialing.signal,
  } as const;
  const response = await dialGateway(gateway, nodeId, init).catch(() => null);
  const outcome = response === null ? null : readOutcome(response.headers.get(gatewayHeader), mark);
  if (response !== null && outcome === "ready" && response.body !== null) {
    clearTimeout(timer);
    return { body: response.body, abort: () => dialing.abort() };
  }
  const why = outcome === null ? "" : await readReason(response?.body ?? null);
  clearTimeout(timer);
  dialing.abort();
  await response?.body?.cancel().catch(() => undefined);
  throw new NodeLogError(
    why === "" ? `node ${nodeName} does not answer` : `node ${nodeName}: ${why.replace(/\.$/, "")}`,
  );
}

/** The text of a gateway's answer; empty without one. */
async function readReason(body: ReadableStream<Uint8Array> | null): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  try {
    for await (const part of body ?? []) {
      text += decoder.decode(part.subarray(0, maxAnswerBytes), { stream: true });
      if (text.length >= maxAnswerBytes) break;
    }
  } catch {
    // What came before counts.
  }
  return printableUpTo(text.trim(), maxReasonLength);
}

/** The parts of a body; an error if none comes for too long. */
async function* notSilent(
  body: ReadableStream<Uint8Array>,
  nodeName: string,
): AsyncGenerator<Uint8Array, void, void> {
  const reader = body.getReader();
  try {
    for (;;) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const silence = new Promise<never>((_, reject) => {
        const error = new NodeLogError(`node ${nodeName} does not answer any more`);
        timer = setTimeout(reject, logSilenceMs, error);
      });
      const read = await Promise.race([reader.read(), silence]).finally(() => clearTimeout(timer));
      if (read.done) return;
      yield read.value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}
