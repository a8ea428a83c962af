// The process as a verb sees it: streams, environment, clock and signals. Tests pass their own.

export type TextSink = {
  /** False: further text waits in memory until `drain` is emitted. */
  write(text: string): unknown;
  /** Writes text with escape sequences of this program's own; absent: `write` does. */
  writeRaw?(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** `resize` is emitted by a terminal whose size changes. */
  on?(event: "resize" | "drain", listener: () => void): unknown;
  off?(event: "resize" | "drain", listener: () => void): unknown;
};

/** Keys as a terminal sends them: standard input in raw mode, or a test. */
export type KeySource = {
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  /** `end` is emitted, without bytes, for Ctrl-D at the start of a line that the terminal edits. */
  on(event: "data" | "end", listener: (bytes: Uint8Array) => void): unknown;
  off(event: "data" | "end", listener: (bytes: Uint8Array) => void): unknown;
};

export type Cli = {
  readonly out: TextSink;
  readonly err: TextSink;
  /**
   * Writes to standard output what must not be lost: waits until the system has taken it, and rejects with its error,
   * also if the reader has gone. Absent: `out` takes all.
   */
  readonly writeOut?: (text: string) => Promise<void>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** How to call this command again; absent: `waggle`. */
  readonly command?: string;
  /** Absent if standard input is not a terminal. */
  readonly keys?: KeySource;
  /** Standard input; absent: empty. */
  readonly input?: AsyncIterable<Uint8Array>;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  /** A number from 0 up to 1; jitters retries. */
  readonly random: () => number;
  /** Resolves after `ms`, or when the signal aborts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** From this call on, Ctrl-C, SIGTERM or SIGHUP aborts the signal instead of ending the process. */
  readonly onInterrupt: () => AbortSignal;
};
