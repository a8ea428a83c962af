// When the bytes of a log file were written, in a file beside it.
//
//   header   offset of the log's first byte, offset of the first byte of its older part
//   entry    offset of the end of some bytes, when they were first seen
//
// Each is two doubles, big endian. Offsets count all bytes that the task ever wrote; times are epoch
// milliseconds.

import { appendFileSync, readFileSync } from "node:fs";
import { writeFileAtomically } from "../../os/files.ts";

/** Bytes up to `end` were written at `timeMs`, after those of the entry before. */
export type TimeEntry = { readonly end: number; readonly timeMs: number };

/** Where the two parts of a log begin. */
export type LogBases = { readonly current: number; readonly older: number };

const entryBytes = 16;

/** The content of a file; a missing or broken one has no entries. */
export class LogTimes {
  /** Null if the file is missing or broken. */
  readonly bases: LogBases | null;
  readonly #bytes: Buffer;

  private constructor(bytes: Buffer) {
    const isWhole = bytes.length >= entryBytes;
    this.#bytes = isWhole ? bytes.subarray(entryBytes) : Buffer.alloc(0);
    this.bases = isWhole ? { current: bytes.readDoubleBE(0), older: bytes.readDoubleBE(8) } : null;
  }

  static read(file: string): LogTimes {
    try {
      return new LogTimes(readFileSync(file));
    } catch {
      return new LogTimes(Buffer.alloc(0));
    }
  }

  get length(): number {
    return Math.floor(this.#bytes.length / entryBytes);
  }

  at(index: number): TimeEntry {
    const at = index * entryBytes;
    return { end: this.#bytes.readDoubleBE(at), timeMs: this.#bytes.readDoubleBE(at + 8) };
  }

  /** The index of the first entry that the test holds for, if it holds for all later ones; else `length`. */
  firstIndex(test: (entry: TimeEntry) => boolean): number {
    let [low, high] = [0, this.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (test(this.at(middle))) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}

/** Adds entries to a file that has a header. */
export function appendTimes(file: string, entries: readonly TimeEntry[]): void {
  appendFileSync(file, bytesOf(entries.map(({ end, timeMs }) => [end, timeMs])));
}

/** Replaces a file. */
export function writeTimes(file: string, bases: LogBases, entries: readonly TimeEntry[]): void {
  const pairs = [
    [bases.current, bases.older] as const,
    ...entries.map(({ end, timeMs }) => [end, timeMs] as const),
  ];
  writeFileAtomically(file, bytesOf(pairs));
}

function bytesOf(pairs: readonly (readonly [number, number])[]): Buffer {
  const bytes = Buffer.alloc(pairs.length * entryBytes);
  for (const [index, [first, second]] of pairs.entries()) {
    bytes.writeDoubleBE(first, index * entryBytes);
    bytes.writeDoubleBE(second, index * entryBytes + 8);
  }
  return bytes;
}
