// The output of the tasks of a state folder: watched while they run, and read as lines.

import { type FSWatcher, watch } from "node:fs";
import { join } from "node:path";
import type { LogLine, LogStream } from "../../gateway/logs/log-line.ts";
import { isWanted, type LogQuery } from "./log-query.ts";
import { LogReader, startOfLast, startSince } from "./log-reader.ts";
import { StreamLog } from "./stream-log.ts";

/** The files of a task's output. A task of an earlier release writes both streams to the first. */
export const logFiles: Readonly<Record<LogStream, string>> = { stdout: "log", stderr: "log.err" };

/** Between two looks at a file that changes all the time, milliseconds. */
const minObserveMs = 10;
/** Between two looks at a file, milliseconds, in case the system reports no change. */
const maxObserveMs = 1_000;

export class TaskLogs {
  readonly #dirOf: (taskId: string) => string;
  readonly #watched = new Map<string, WatchedOutput>();

  /** @param dirOf the folder of a task */
  constructor(dirOf: (taskId: string) => string) {
    this.#dirOf = dirOf;
  }

  /** Watches the output of a task that has started. */
  watch(taskId: string): void {
    if (!this.#watched.has(taskId)) this.#watched.set(taskId, new WatchedOutput(this.#dirOf(taskId)));
  }

  /** Ends the watch of a task that has ended. */
  end(taskId: string): void {
    this.#watched.get(taskId)?.end();
    this.#watched.delete(taskId);
  }

  /** The lines of a task, oldest first. A task without output has none. */
  async *read(taskId: string, query: LogQuery): AsyncGenerator<LogLine, void, void> {
    const watched = this.#watched.get(taskId);
    watched?.observe();
    const isEnded = (): boolean => watched?.isEnded ?? true;
    const logs = watched?.logs ?? openLogs(this.#dirOf(taskId));
    const { readers, surplus } = startReading(logs, query, isEnded());
    let toSkip = surplus;
    while (!query.signal.aborted) {
      const change = watched?.nextChange(query.signal);
      const wasEnded = isEnded();
      for (
        let reader = nextReader(readers, wasEnded);
        reader !== null;
        reader = nextReader(readers, wasEnded)
      ) {
        const line = reader.peek(wasEnded) as LogLine;
        reader.take();
        if (toSkip > 0) {
          if (endsLine(line)) toSkip -= 1;
          continue;
        }
        if (isWanted(line.time, query)) yield line;
        if (query.signal.aborted) return;
      }
      if (wasEnded || !query.follow) return;
      await change;
    }
  }
}

type TaskOutput = Readonly<Record<LogStream, StreamLog>>;

function openLogs(dir: string): TaskOutput {
  return {
    stdout: new StreamLog(join(dir, logFiles.stdout)),
    stderr: new StreamLog(join(dir, logFiles.stderr)),
  };
}

/** The output of a running task. */
class WatchedOutput {
  readonly logs: TaskOutput;
  isEnded = false;
  readonly #watchers: FSWatcher[];
  readonly #timer: NodeJS.Timeout;
  #observedMs = 0;
  #later: NodeJS.Timeout | null = null;
  #change = Promise.withResolvers<void>();

  constructor(dir: string) {
    this.logs = openLogs(dir);
    this.#watchers = Object.values(logFiles).flatMap((name) => this.#watch(join(dir, name)));
    this.#timer = setInterval(() => {
      this.observe();
      for (const log of Object.values(this.logs)) log.save();
    }, maxObserveMs).unref();
  }

  /** Resolves when there are further bytes, the task has ended, or the signal aborts. */
  nextChange(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const end = (): void => {
      signal.removeEventListener("abort", end);
      resolve();
    };
    signal.addEventListener("abort", end);
    void this.#change.promise.then(end);
    return promise;
  }

  /** Looks at the files now. */
  observe(): void {
    this.#observedMs = Date.now();
    // A disk that fails must not end the agent.
    const isNew = Object.values(this.logs).map((log) => {
      try {
        return log.observe(this.#observedMs);
      } catch {
        return false;
      }
    });
    if (isNew.includes(true)) this.#wake();
  }

  end(): void {
    clearInterval(this.#timer);
    if (this.#later !== null) clearTimeout(this.#later);
    for (const watcher of this.#watchers) watcher.close();
    this.observe();
    for (const log of Object.values(this.logs)) log.save();
    this.isEnded = true;
    this.#wake();
  }

  #wake(): void {
    this.#change.resolve();
    this.#change = Promise.withResolvers<void>();
  }

  /** Nothing if the system has no watcher left; the timer looks at the file then. */
  #watch(file: string): FSWatcher[] {
    try {
      const watcher = watch(file, { persistent: false }, () => this.#observeSoon());
      watcher.on("error", () => watcher.close());
      return [watcher];
    } catch {
      return [];
    }
  }

  #observeSoon(): void {
    if (this.#later !== null) return;
    const waitMs = this.#observedMs + minObserveMs - Date.now();
    if (waitMs <= 0 || waitMs > minObserveMs) {
      this.observe();
      return;
    }
    this.#later = setTimeout(() => {
      this.#later = null;
      this.observe();
    }, waitMs);
  }
}

/** Opens the streams, and counts the lines that `tail` leaves out because the other stream has later ones. */
function startReading(
  logs: TaskOutput,
  { streams, tail, since, after }: LogQuery,
  isEnded: boolean,
): { readonly readers: readonly LogReader[]; readonly surplus: number } {
  const sinceMs = Math.max(...[since, after].map((time) => (time === null ? 0 : Date.parse(time))));
  let found = 0;
  const readers = streams.map((stream) => {
    const log = logs[stream];
    // The line before tells which parts of an unfinished line of the other stream come before the last lines.
    const last = tail === null ? null : startOfLast(log, tail === 0 ? 0 : tail + 1, isEnded);
    found += last?.lines ?? 0;
    const from = Math.max(last?.offset ?? 0, last === null ? startSince(log, sinceMs) : 0);
    return new LogReader(log, stream, from);
  });
  return { readers, surplus: tail === null ? 0 : Math.max(0, found - tail) };
}

/** The reader with the earliest line; null if there is no whole line. */
function nextReader(readers: readonly LogReader[], isEnded: boolean): LogReader | null {
  let first: LogReader | null = null;
  let time = "";
  for (const reader of readers) {
    const line = reader.peek(isEnded);
    if (line === null || (first !== null && line.time >= time)) continue;
    first = reader;
    time = line.time;
  }
  return first;
}

function endsLine({ text }: LogLine): boolean {
  return text.at(-1) === 10;
}
