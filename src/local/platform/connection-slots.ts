// The connections of one invocation of a Worker that wait for response headers: at most six. A seventh waits for one
// of them, without a sign of it.

/** See https://developers.cloudflare.com/workers/platform/limits/#simultaneous-open-connections. */
const maxWaiting = 6;

export class ConnectionSlots {
  #free = maxWaiting;
  readonly #queue: (() => void)[] = [];

  /** Runs work that ends with the response headers, once a connection is free. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#queue.push(resolve));
    try {
      return await work();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
