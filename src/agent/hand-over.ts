// How one process of a machine follows another one without a gap: its agent's side of it.

/** @see docs/decisions/0126-sockets-outlive-processes.md */
export type HandOver = {
  /** True if another process served the published ports when this one started. */
  readonly isSuccessor: boolean;
  /** Called when this process has loaded its programs and can start, if that takes the end of the process before it. */
  readonly prepared: () => void;
  /** Called when this process opens the published ports and routes requests. */
  readonly serving: () => void;
  /** Called instead if it cannot do what the process before it does. That one goes on. */
  readonly refused: (why: string) => void;
  /** Resolves when the process before this one has ended its session; at once without one. */
  readonly isAlone: Promise<void>;
  /** Aborts when the next process serves the published ports. */
  readonly requested: AbortSignal;
  /** Called when this process has ended its session. */
  readonly ended: () => void;
  /** How long this process may serve the connections that it has accepted after that, milliseconds. */
  readonly drainMs: number;
};
