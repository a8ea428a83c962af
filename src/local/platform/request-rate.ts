// The rate of requests that one Durable Object takes. Cloudflare's limit is soft, 1,000 a second; above it requests
// queue until the object counts as overloaded.

/** A token bucket that holds the requests of one second. */
export class RequestRate {
  readonly #perSecond: number;
  #tokens: number;
  #filledMs: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = perSecond;
    this.#filledMs = nowMs;
  }

  /** Counts a request. @returns false if the object is overloaded and refuses it */
  take(nowMs: number): boolean {
    const elapsedMs = Math.max(0, nowMs - this.#filledMs);
    this.#filledMs = nowMs;
    this.#tokens = Math.min(this.#perSecond, this.#tokens + (elapsedMs * this.#perSecond) / 1_000);
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

/**
 * The error of an overloaded object, with the properties that the platform sets.
 *
 * @see https://developers.cloudflare.com/durable-objects/observability/troubleshooting/
 */
export function overloadedError(): Error {
  const message = "Durable Object is overloaded. Too many requests queued.";
  return Object.assign(new Error(message), { overloaded: true, retryable: true });
}
