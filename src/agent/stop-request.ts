// A stop request: what the operator's signals ask of an agent.
//
//   SIGTERM, SIGHUP     leave in order: tasks are replaced elsewhere first
//   SIGINT, or a second of any    stop now: tasks get their stop signal and grace, nobody waits for replacements

export class StopRequest {
  readonly #asked = new AbortController();
  readonly #now = new AbortController();
  readonly #listeners: readonly (readonly [NodeJS.Signals, () => void])[];

  /** Listens to this process's signals until disposed. */
  constructor(log: (line: string) => void) {
    this.#listeners = (["SIGTERM", "SIGHUP", "SIGINT"] as const).map((name) => [
      name,
      () => this.#take(name, log),
    ]);
    for (const [name, listener] of this.#listeners) process.on(name, listener);
  }

  /** Aborts with the first request of either kind. */
  get asked(): AbortSignal {
    return this.#asked.signal;
  }

  /** Aborts when nothing may be waited for. */
  get now(): AbortSignal {
    return this.#now.signal;
  }

  dispose(): void {
    for (const [name, listener] of this.#listeners) process.off(name, listener);
  }

  #take(name: NodeJS.Signals, log: (line: string) => void): void {
    const isNow = name === "SIGINT" || this.#asked.signal.aborted;
    log(isNow ? `${name}: stopping now` : `${name}: leaving; once more to stop now`);
    this.#asked.abort();
    if (isNow) this.#now.abort();
  }
}
