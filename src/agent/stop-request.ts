// Signals by which an operator stops an agent.
//
//   SIGTERM, SIGHUP                leave gracefully: tasks are replaced on other nodes first SIGINT, or a
//   second signal     stop now, without replacements: tasks get their stop signal and grace

export class StopRequest {
  readonly #requested = new AbortController();
  readonly #immediate = new AbortController();
  readonly #listeners: readonly (readonly [NodeJS.Signals, () => void])[];

  /** Handles this process's signals until disposed. */
  constructor(log: (line: string) => void) {
    this.#listeners = (["SIGTERM", "SIGHUP", "SIGINT"] as const).map((name) => [
      name,
      () => this.#onSignal(name, log),
    ]);
    for (const [name, listener] of this.#listeners) process.on(name, listener);
  }

  /** Aborts at the first signal. */
  get requested(): AbortSignal {
    return this.#requested.signal;
  }

  /** Aborts when the agent must stop without waiting for replacements. */
  get immediate(): AbortSignal {
    return this.#immediate.signal;
  }

  dispose(): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }

  #onSignal(name: NodeJS.Signals, log: (line: string) => void): void {
    const isImmediate = name === "SIGINT" || this.#requested.signal.aborted;
    log(isImmediate ? `${name}: stopping now` : `${name}: leaving; signal again to stop now`);
    this.#requested.abort();
    if (isImmediate) this.#immediate.abort();
  }
}
