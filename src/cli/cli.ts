// What a verb gets from the process around it, so that tests can run any verb without one.

/** A stream that text is written to. */
export type TextSink = {
  write(text: string): unknown;
  readonly isTTY?: boolean | undefined;
  readonly columns?: number | undefined;
  readonly rows?: number | undefined;
  /** A terminal says when its size changes. */
  on?(event: "resize", listener: () => void): unknown;
  off?(event: "resize", listener: () => void): unknown;
};

/** Keys as a terminal sends them: standard input in raw mode, or a test. */
export type KeySource = {
  readonly isTTY?: boolean | undefined;
  setRawMode?(raw: boolean): unknown;
  resume(): unknown;
  pause(): unknown;
  on(event: "data", listener: (bytes: Uint8Array) => void): unknown;
  off(event: "data", listener: (bytes: Uint8Array) => void): unknown;
};

/** The process, as a verb sees it. */
export type Cli = {
  readonly out: TextSink;
  readonly err: TextSink;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where keys come from; absent: not from a terminal. */
  readonly keys?: KeySource;
  /** Epoch milliseconds. */
  readonly nowMs: () => number;
  /** 0 <= n < 1; spreads retries. */
  readonly random: () => number;
  /** Resolves after `ms`, or at once when the signal aborts. */
  readonly sleep: (ms: number, signal?: AbortSignal) => Promise<void>;
  /** Takes over Ctrl-C from here on: the signal aborts instead of ending the process. */
  readonly onInterrupt: () => AbortSignal;
};
