// Reads the lines of one output stream of a task, with their times.

import { type LogLine, type LogStream, maxLogPartBytes, printLogTime } from "../../gateway/logs/log-line.ts";
import type { StreamLog } from "./stream-log.ts";
import type { LogTimes, TimeEntry } from "./times-file.ts";

const blockBytes = 65_536;
const lineFeed = 10;

export class LogReader {
  readonly #log: StreamLog;
  readonly #stream: LogStream;
  #times: LogTimes;
  #entry: TimeEntry | null = null;
  /** The time of the entry, up to the milliseconds. */
  #entryTime = "";
  /** Lines and parts of the entry that were read. As nanoseconds, they make times unique. */
  #count = 0;
  /** Bytes that were read ahead, and the offset behind them. */
  #block: Buffer = Buffer.alloc(0);
  #offset: number;
  /** Lines before this offset are read for their times only. */
  readonly #from: number;
  #next: LogLine | null = null;

  /** @param from offset of the first line; `startOfLast` and `startSince` return one */
  constructor(log: StreamLog, stream: LogStream, from: number) {
    this.#log = log;
    this.#stream = stream;
    this.#times = log.times();
    this.#from = from;
    // From the beginning of an entry, so that a line has the same time whenever it is read.
    const index = this.#times.firstIndex(({ end }) => end > from);
    const entryStart = index === 0 ? log.start : this.#times.at(index - 1).end;
    this.#offset = lineStart(log, Math.min(entryStart, from));
  }

  /** The next line, which stays the next one; null if there is no whole one yet. */
  peek(isEnded: boolean): LogLine | null {
    this.#next ??= this.#read(isEnded);
    return this.#next;
  }

  /** Continues behind the line that `peek` returned. */
  take(): void {
    this.#next = null;
  }

  #read(isEnded: boolean): LogLine | null {
    for (;;) {
      const at = this.#offset - this.#block.length;
      const part = this.#readPart(isEnded);
      if (part === null) return null;
      const time = this.#timeOf(this.#offset - this.#block.length);
      if (at >= this.#from) return { stream: this.#stream, time, text: part };
    }
  }

  #readPart(isEnded: boolean): Buffer | null {
    this.#skipDropped();
    for (;;) {
      const found = this.#block.indexOf(lineFeed);
      const length = found < 0 ? this.#block.length : found + 1;
      if (length > maxLogPartBytes || (found < 0 && length === maxLogPartBytes))
        return this.#cut(maxLogPartBytes);
      if (found >= 0) return this.#cut(length);
      // As in Docker, what a task wrote at its end is a line.
      if (!this.#readAhead())
        return isEnded && length > 0 ? Buffer.concat([this.#cut(length), Buffer.from("\n")]) : null;
    }
  }

  /** False if there is nothing to read. */
  #readAhead(): boolean {
    if (this.#offset >= this.#log.end) return false;
    const kept = this.#block.length;
    const block = Buffer.allocUnsafe(kept + blockBytes);
    this.#block.copy(block);
    const bytes = this.#log.readAt(this.#offset, block.subarray(kept));
    this.#block = block.subarray(0, kept + bytes);
    this.#offset += bytes;
    return bytes > 0;
  }

  #cut(length: number): Buffer {
    const part = this.#block.subarray(0, length);
    this.#block = this.#block.subarray(length);
    return part;
  }

  /** A reader that is too slow for its task loses the bytes that are gone, and the rest of their last line. */
  #skipDropped(): void {
    if (this.#offset >= this.#log.start) return;
    this.#block = Buffer.alloc(0);
    this.#offset = lineStart(this.#log, this.#log.start);
  }

  #timeOf(end: number): string {
    if (this.#entry === null || this.#entry.end < end) {
      this.#entry = this.#log.recentEntry(end) ?? this.#savedEntry(end) ?? this.#entry;
      this.#entryTime = printLogTime(this.#entry?.timeMs ?? 0).slice(0, -"000000Z".length);
      this.#count = 0;
    }
    const count = Math.min(this.#count, 999_999);
    this.#count += 1;
    return `${this.#entryTime}${String(count).padStart(6, "0")}Z`;
  }

  /** Null if its time could not be saved: the last known one has to do. */
  #savedEntry(end: number): TimeEntry | null {
    let index = this.#times.firstIndex((entry) => entry.end >= end);
    if (index === this.#times.length) {
      this.#times = this.#log.times();
      index = this.#times.firstIndex((entry) => entry.end >= end);
    }
    return index < this.#times.length ? this.#times.at(index) : null;
  }
}

/**
 * The last lines of a log.
 *
 * @param isEnded bytes behind the last line feed are a line
 * @returns the offset of the first of them, and how many there are
 */
export function startOfLast(
  log: StreamLog,
  lines: number,
  isEnded: boolean,
): { readonly offset: number; readonly lines: number } {
  if (lines === 0) return { offset: log.end, lines: 0 };
  let found = isEnded && log.end > log.start && lastByte(log) !== lineFeed ? 1 : 0;
  for (const at of lineFeedsBefore(log, log.end)) {
    if (found === lines) return { offset: at + 1, lines };
    found += 1;
  }
  return { offset: firstLine(log), lines: found };
}

function lastByte(log: StreamLog): number | undefined {
  const byte = Buffer.alloc(1);
  return log.readAt(log.end - 1, byte) === 1 ? byte[0] : undefined;
}

/** The offset of the first line that ended at a time, epoch milliseconds, or later. */
export function startSince(log: StreamLog, sinceMs: number): number {
  const times = log.times();
  const index = times.firstIndex(({ timeMs }) => timeMs >= sinceMs);
  if (index === times.length) return log.end;
  return index === 0 ? firstLine(log) : lineStart(log, Math.max(log.start, times.at(index - 1).end));
}

/** The start of the line that contains an offset. */
function lineStart(log: StreamLog, offset: number): number {
  for (const at of lineFeedsBefore(log, offset)) return at + 1;
  return firstLine(log);
}

/** The start of the log, without the rest of a line whose beginning is gone. */
function firstLine(log: StreamLog): number {
  if (log.start === 0) return 0;
  const block = Buffer.alloc(maxLogPartBytes);
  const bytes = log.readAt(log.start, block);
  return log.start + block.subarray(0, bytes).indexOf(lineFeed) + 1;
}

/** The offsets of the line feeds before an offset, the last one first. */
function* lineFeedsBefore(log: StreamLog, end: number): Generator<number, void, void> {
  const block = Buffer.allocUnsafe(blockBytes);
  for (let blockEnd = end; blockEnd > log.start; ) {
    const blockStart = Math.max(log.start, blockEnd - blockBytes);
    let bytes = 0;
    // A block may begin in the older part and end in the current one.
    while (blockStart + bytes < blockEnd) {
      const got = log.readAt(blockStart + bytes, block.subarray(bytes, blockEnd - blockStart));
      if (got === 0) break;
      bytes += got;
    }
    const read = block.subarray(0, bytes);
    for (
      let at = read.lastIndexOf(lineFeed);
      at >= 0;
      at = at === 0 ? -1 : read.lastIndexOf(lineFeed, at - 1)
    )
      yield blockStart + at;
    blockEnd = blockStart;
  }
}
