// The body by which a gateway sends the lines of its node's tasks.

import { Readable } from "node:stream";
import { keepAliveFrame, logFrame, logKeepAliveMs, type TaskLine } from "../../gateway/logs/log-frames.ts";
import type { LogLine } from "../../gateway/logs/log-line.ts";
import { type LogRequest, readLogTarget } from "../../gateway/logs/log-request.ts";
import { LineMerge } from "../../gateway/logs/merge-lines.ts";
import type { Runtime } from "../runtimes/runtime.ts";

/** Bytes of lines that are read at once, of all tasks and of each. */
const maxReadBytes = 65_536;
/** How long a follower of several tasks waits for a task whose line may be the next, milliseconds. */
const quietTaskMs = 20;

/**
 * The lines of the tasks in the order of their times, read as fast as the body is.
 *
 * @param signal ends the body
 * @returns null if the target asks for no logs
 */
export function logBody(
  runtime: Pick<Runtime, "readLogs">,
  target: string,
  signal: AbortSignal,
): Readable | null {
  const request = readLogTarget(target);
  if (request === null) return null;
  return Readable.from(frames(runtime, request, signal), { objectMode: false, highWaterMark: maxReadBytes });
}

async function* frames(
  runtime: Pick<Runtime, "readLogs">,
  { tasks, follow, ...rest }: LogRequest,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const merge = new LineMerge<TaskLine>(follow ? quietTaskMs : null);
  for (const [task, { id, after }] of tasks.entries())
    merge.add(inLists(runtime.readLogs(id, { ...rest, after, follow, signal }), task));
  try {
    let next = merge.next(maxReadBytes);
    while (!signal.aborted) {
      const lines = await within(next, logKeepAliveMs);
      if (lines === null) return;
      if (lines === "timeout") {
        yield keepAliveFrame;
        continue;
      }
      yield Buffer.concat(lines.map(logFrame));
      next = merge.next(maxReadBytes);
    }
  } finally {
    merge.close();
  }
}

/** Yields lines that are there already together. */
async function* inLists(
  lines: AsyncIterable<LogLine>,
  task: number,
): AsyncGenerator<readonly TaskLine[], void, void> {
  const iterator = lines[Symbol.asyncIterator]();
  try {
    let next = readAhead(iterator);
    for (;;) {
      const list: TaskLine[] = [];
      let bytes = 0;
      let result: IteratorResult<LogLine> | null = await next;
      const turn = new Promise<null>((resolve) => setImmediate(resolve, null));
      while (result !== null && result.done !== true) {
        list.push({ ...result.value, task });
        bytes += result.value.text.length;
        next = readAhead(iterator);
        result = bytes < maxReadBytes ? await Promise.race([next, turn]) : null;
      }
      if (list.length > 0) yield list;
      if (result !== null) return;
    }
  } finally {
    iterator.return?.().catch(() => undefined);
  }
}

/** An error counts when the result is awaited, and must not end the agent before. */
function readAhead(lines: AsyncIterator<LogLine>): Promise<IteratorResult<LogLine>> {
  const next = lines.next();
  next.catch(() => undefined);
  return next;
}

async function within<T>(work: Promise<T>, ms: number): Promise<T | "timeout"> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<"timeout">((resolve) => {
    timer = setTimeout(resolve, ms, "timeout");
  });
  try {
    return await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}
