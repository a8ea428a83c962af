// The output of a container, as the daemon's log driver keeps it.

import type { Readable } from "node:stream";
import type { Container } from "dockerode";
import { type LogLine, maxLogPartBytes, printLogTime } from "../../../gateway/logs/log-line.ts";
import { isWanted, type LogQuery } from "../../logs/log-query.ts";
import { statusOf } from "./daemon.ts";
import { readFrames, readTerminal } from "./log-messages.ts";

/**
 * The lines of a container, oldest first; none if it was removed.
 *
 * @throws the daemon's error, for example of a log driver that cannot be read
 */
export async function* readContainerLogs(
  container: Container,
  query: LogQuery,
): AsyncGenerator<LogLine, void, void> {
  if (query.signal.aborted) return;
  const opened = await openLogs(container, query);
  if (opened === null) return;
  const { stream, isTty } = opened;
  const end = (): void => void stream.destroy();
  query.signal.addEventListener("abort", end, { once: true });
  try {
    let time = printLogTime(0);
    for await (const message of isTty ? readTerminal(stream) : readFrames(stream)) {
      for (const text of partsOf(message.text)) {
        time = laterTime(message.time, time);
        if (isWanted(time, query)) yield { stream: message.stream, time, text };
        if (query.signal.aborted) return;
      }
    }
  } catch (error) {
    if (!query.signal.aborted) throw error;
  } finally {
    query.signal.removeEventListener("abort", end);
    stream.destroy();
  }
}

async function openLogs(
  container: Container,
  query: LogQuery,
): Promise<{ readonly stream: Readable; readonly isTty: boolean } | null> {
  try {
    const { Config } = await container.inspect();
    return { stream: await dialLogs(container, query), isTty: Config.Tty };
  } catch (error) {
    if (statusOf(error) === 404 || query.signal.aborted) return null;
    throw error;
  }
}

/** Not by `container.logs`, which collects the whole output in memory unless it follows. */
function dialLogs(container: Container, { streams, tail, since, after, follow, signal }: LogQuery) {
  const from = [since, after]
    .filter((time) => time !== null)
    .sort()
    .at(-1);
  const { promise, resolve, reject } = Promise.withResolvers<Readable>();
  container.modem.dial(
    {
      path: `/containers/${container.id}/logs?`,
      method: "GET",
      isStream: true,
      abortSignal: signal,
      statusCodes: { 200: true, 404: "no such container", 500: "server error", 501: "not implemented" },
      options: {
        timestamps: true,
        follow,
        stdout: streams.includes("stdout"),
        stderr: streams.includes("stderr"),
        tail: tail ?? "all",
        // A second earlier, because a line of an equal time gets its own by the lines before it.
        ...(from !== undefined && { since: Math.floor(Date.parse(from) / 1_000) - 1 }),
      },
    },
    (error: Error | null, stream: Readable) => (error === null ? resolve(stream) : reject(error)),
  );
  return promise;
}

/** A driver may keep longer parts than Docker's own do. */
function* partsOf(text: Buffer): Generator<Buffer, void, void> {
  for (let at = 0; at < text.length; at += maxLogPartBytes) yield text.subarray(at, at + maxLogPartBytes);
}

/** The time, or the nanosecond after the previous one if that is later: a reader continues behind a time. */
export function laterTime(time: string, previous: string): string {
  if (time > previous) return time;
  const seconds = previous.slice(0, "2026-11-28T14:36:24".length);
  const nanoseconds = Number(previous.slice(seconds.length + 1, -1)) + 1;
  if (nanoseconds < 1e9) return `${seconds}.${String(nanoseconds).padStart(9, "0")}Z`;
  return `${new Date(Date.parse(`${seconds}Z`) + 1_000).toISOString().slice(0, -"000Z".length)}000000000Z`;
}
