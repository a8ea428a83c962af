// Calls of routers that wait in the registry object until the table changes.

import type { Registry } from "../src/registry/registry.ts";

/** The longest wait, milliseconds; below the timeouts of proxies, and of work after a Worker's response (30 s). */
const maxRouterWaitMs = 25_000;

/** Calls that wait at the same time: a call takes about 1 KiB. A further one does not wait. */
const maxWaitingCalls = 20_000;

export class RouterWaits {
  readonly #registry: Registry;
  /** By router, what ends its waiting call. */
  readonly #waiting = new Map<string, () => void>();

  constructor(registry: Registry) {
    this.#registry = registry;
  }

  /**
   * Waits until the router is woken, or the time is over. A second call of a router ends the wait of its first,
   * whose sender may be gone.
   *
   * @param signal ends the wait when the client has disconnected
   */
  async wait(routerId: string, waitMs: number, signal?: AbortSignal): Promise<void> {
    this.wake(routerId);
    if (this.#waiting.size >= maxWaitingCalls) return;
    this.#registry.holdRouter(routerId);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#waiting.set(routerId, resolve);
    const timer = setTimeout(resolve, Math.min(waitMs, maxRouterWaitMs));
    signal?.addEventListener("abort", () => resolve(), { once: true });
    await promise;
    clearTimeout(timer);
    if (this.#waiting.get(routerId) === resolve) this.#waiting.delete(routerId);
    this.#registry.releaseRouter(routerId);
  }

  /** Ends all waits: there is something new. */
  wakeAll(): void {
    for (const end of this.#waiting.values()) end();
  }

  /** Ends the wait of one router. */
  wake(routerId: string): void {
    this.#waiting.get(routerId)?.();
  }
}
