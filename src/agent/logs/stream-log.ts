// One output stream of a task: a file that the task appends to, its older part, and the times of its bytes.
//
//   log          what the task wrote last; the task has the file open, so that it never waits for the agent
//   log.1        the part before
//   log.times    when the bytes of both were seen
//
// The agent looks at the file when it changes. All bytes that it sees at once have one time. Offsets count all
// bytes that the task ever wrote.

import {
  closeSync,
  copyFileSync,
  fstatSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeSync,
} from "node:fs";
import { appendTimes, type LogBases, LogTimes, type TimeEntry, writeTimes } from "./times-file.ts";

/** A longer file is moved to `.1`, bytes. */
export const maxStreamBytes = 4 * 1024 * 1024;
/** So is one with more entries of times. */
const maxTimeEntries = 65_536;
/** What is written during a copy is copied in blocks of this size, and at most so many. */
const restBlockBytes = 1024 * 1024;
const maxRestBlocks = 4;
/** Entries that are kept in memory. */
const maxRecentEntries = 256;

export class StreamLog {
  readonly #file: string;
  #bases: LogBases;
  /** Offset up to which the times are known. */
  #end: number;
  /** The time of the last entry, epoch milliseconds. */
  #lastMs: number;
  /** Number of entries since the file was last emptied. */
  #entries = 0;
  #unsaved: TimeEntry[] = [];
  /** The newest entries, so that followers need not read the file of times, which has up to 2 MiB. */
  #recent: TimeEntry[] = [];
  /** The times file is there, and has the current bases. */
  #isSaved: boolean;

  /** @param file may be missing: then the log is empty */
  constructor(file: string) {
    this.#file = file;
    const times = LogTimes.read(this.#timesFile);
    this.#isSaved = times.bases !== null;
    this.#bases = times.bases ?? { current: 0, older: 0 };
    this.#end = times.length > 0 ? times.at(times.length - 1).end : this.#bases.current;
    this.#lastMs = times.length > 0 ? times.at(times.length - 1).timeMs : 0;
    // Logs of earlier releases have no times.
    const older = times.bases === null ? statSync(this.#olderFile, { throwIfNoEntry: false }) : undefined;
    if (older !== undefined) {
      this.#see(older.size, older.mtimeMs);
      this.#bases = { current: older.size, older: 0 };
    }
    const current = statSync(file, { throwIfNoEntry: false });
    // While no agent ran, the task wrote last when the file changed last.
    if (current !== undefined) this.#see(current.size, current.mtimeMs);
  }

  /** Offset of the first byte that can still be read. */
  get start(): number {
    return this.#bases.older;
  }

  /** Offset behind the last byte whose time is known. */
  get end(): number {
    return this.#end;
  }

  /**
   * Gives the bytes that the task wrote since the last call their time, and moves a long log to its older part.
   *
   * @returns true if there are new ones
   */
  observe(nowMs: number): boolean {
    const size = statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
    const isNew = this.#see(size, nowMs);
    if (size > maxStreamBytes || this.#entries > maxTimeEntries) this.#rotate();
    return isNew;
  }

  /** Saves the times. On a full disk they are dropped; a later end covers the bytes. */
  save(): void {
    if (this.#isSaved && this.#unsaved.length === 0) return;
    const entries = this.#unsaved;
    this.#unsaved = [];
    try {
      if (this.#isSaved) appendTimes(this.#timesFile, entries);
      else
        writeTimes(this.#timesFile, this.#bases, [...entriesOf(LogTimes.read(this.#timesFile)), ...entries]);
      this.#isSaved = true;
    } catch {
      rmSync(this.#timesFile, { force: true });
      this.#isSaved = false;
    }
  }

  /** The times of all bytes that can be read. */
  times(): LogTimes {
    this.save();
    return LogTimes.read(this.#timesFile);
  }

  /** The entry of the bytes before an offset; null if it is not one of the newest. */
  recentEntry(end: number): TimeEntry | null {
    const index = this.#recent.findLastIndex((entry) => entry.end < end) + 1;
    return index === 0 ? null : (this.#recent[index] ?? null);
  }

  #remember(entry: TimeEntry): void {
    this.#recent.push(entry);
    if (this.#recent.length > 2 * maxRecentEntries) this.#recent = this.#recent.slice(-maxRecentEntries);
  }

  /**
   * Reads bytes at an offset of at least `start`.
   *
   * @returns the number of bytes; 0 at the end
   */
  readAt(offset: number, buffer: Uint8Array): number {
    const { current, older } = this.#bases;
    const isOlder = offset < current;
    const length = Math.min(buffer.length, (isOlder ? current : this.#end) - offset);
    if (length <= 0) return 0;
    const descriptor = openSync(isOlder ? this.#olderFile : this.#file, "r");
    try {
      return readSync(descriptor, buffer, 0, length, offset - (isOlder ? older : current));
    } finally {
      closeSync(descriptor);
    }
  }

  get #olderFile(): string {
    return `${this.#file}.1`;
  }

  get #timesFile(): string {
    return `${this.#file}.times`;
  }

  #see(size: number, timeMs: number): boolean {
    // The file was emptied, by a person or by an agent that ended before it saved the new bases.
    if (this.#bases.current + size < this.#end) {
      const olderBytes = statSync(this.#olderFile, { throwIfNoEntry: false })?.size ?? 0;
      this.#bases = { current: this.#end, older: Math.max(0, this.#end - olderBytes) };
      this.#isSaved = false;
    }
    const end = this.#bases.current + size;
    if (end === this.#end) return false;
    this.#end = end;
    this.#entries += 1;
    // Times rise, also within a millisecond and after the clock was set back: readers search and continue by them.
    this.#lastMs = Math.max(Math.floor(timeMs), this.#lastMs + 1);
    const entry = { end, timeMs: this.#lastMs };
    this.#unsaved.push(entry);
    this.#remember(entry);
    return true;
  }

  /**
   * Copies the file and empties it; its writer appends, so it continues at the new start. What it writes in the
   * moment between the two is lost. On a full disk the content is dropped: logs are the first thing to give up.
   */
  #rotate(): void {
    const { current } = this.#bases;
    const copied = copyOf(this.#file, this.#olderFile);
    truncateSync(this.#file);
    const end = Math.max(this.#end, current + copied);
    const kept = [...entriesOf(this.times())].filter((entry) => entry.end > current);
    const last = kept.at(-1);
    if (last !== undefined && last.end < end) {
      const entry = { ...last, end };
      kept.push(entry);
      this.#remember(entry);
    }
    this.#bases = { current: end, older: end - copied };
    this.#end = end;
    this.#entries = 0;
    try {
      writeTimes(this.#timesFile, this.#bases, kept);
    } catch {
      rmSync(this.#timesFile, { force: true });
      this.#isSaved = false;
    }
  }
}

function* entriesOf(times: LogTimes): Iterable<TimeEntry> {
  for (let index = 0; index < times.length; index++) yield times.at(index);
}

/** Copies a file. @returns the bytes of the copy; 0 if there is no room for it */
function copyOf(file: string, copy: string): number {
  try {
    copyFileSync(file, copy);
    return statSync(copy).size + appendRest(file, copy);
  } catch {
    rmSync(copy, { force: true });
    return 0;
  }
}

/** Appends what was written while the file was copied, so that the moment in which bytes are lost is short. */
function appendRest(file: string, copy: string): number {
  const from = openSync(file, "r");
  const to = openSync(copy, "a");
  try {
    const start = fstatSync(to).size;
    const block = Buffer.allocUnsafe(restBlockBytes);
    let bytes = 0;
    // A task that writes faster than this copies is not waited for.
    for (let round = 0; round < maxRestBlocks; round++) {
      const got = readSync(from, block, 0, block.length, start + bytes);
      if (got === 0) break;
      writeSync(to, block, 0, got);
      bytes += got;
    }
    return bytes;
  } finally {
    closeSync(from);
    closeSync(to);
  }
}
