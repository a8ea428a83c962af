// A stop request: what the operator's signals ask of an agent.
//
//   SIGTERM, SIGHUP     leave in order: tasks are replaced elsewhere first
//   SIGINT, or a second of any    stop now: tasks get their stop signal and grace, nobody waits for replacements

export class StopRequest {
  readonly #requested = new AbortController();
  readonly #immediate = new AbortController();
  readonly #listeners: readonly (readonly [NodeJS.Signals, () => void])[];

  /** Listens to this process's signals until disposed. */
  constructor(log: (line: string) => void) {
    this.#listeners = (["SIGTERM", "SIGHUP", "SIGINT"] as const).map((name) => [
      name,
      () => this.#onSignal(name, log),
    ]);
    for (const [name, listener] of this.#listeners) process.on(name, listener);
  }

  /** Aborts with the first request of either kind. */
  get requested(): AbortSignal {
    return this.#requested.signal;
  }

  /** Aborts when nothing may be waited for. */
  get immediate(): AbortSignal {
    return this.#immediate.signal;
  }

  dispose(): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }

  #onSignal(name: NodeJS.Signals, log: (line: string) => void): void {
    const isNow = name === "SIGINT" || this.#requested.signal.aborted;
    log(isNow ? `${name}: stopping now` : `${name}: leaving; once more to stop now`);
    this.#requested.abort();
    if (isNow) this.#immediate.abort();
  }
}
