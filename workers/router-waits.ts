// Calls of routers that wait in the registry object until the table changes.
//
// The first change after a pause ends all waits at once. The routers call again together, and an object takes about
// 1,000 calls a second. So changes that follow one another closely end the waits less often the more routers wait; a
// router gets several of them as one.

import type { Registry } from "../src/registry/registry.ts";

/** The longest wait, milliseconds; below the timeouts of proxies, and of work after a Worker's response (30 s). */
const maxRouterWaitMs = 25_000;

/** Calls that wait at the same time: a call takes about 1 KiB. A further one does not wait. */
const maxWaitingCalls = 20_000;

/** Shortest time from one end of all waits to the next, for each router that waits, and at most. Milliseconds. */
const wakePaceMs = 1;
const maxWakePauseMs = 2_000;

/** What a router waits for. */
type RouterWait = {
  readonly routerId: string;
  /** The version that it routes by; -1: none. */
  readonly afterVersion: number;
  /** 0: it does not wait. */
  readonly waitMs: number;
  /** Ends the wait when the client has disconnected. */
  readonly signal?: AbortSignal;
};

type WaitRegistry = Pick<Registry, "holdRouter" | "releaseRouter" | "prepareTable" | "tableVersion">;

export class RouterWaits {
  readonly #registry: WaitRegistry;
  readonly #nowMs: () => number;
  /** By router, what ends its waiting call. */
  readonly #waiting = new Map<string, () => void>();
  /** The waits do not end together before this, epoch milliseconds. */
  #pausedUntilMs = 0;
  /** Ends the waits when the pause is over. */
  #wakeTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(registry: WaitRegistry, nowMs = () => Date.now()) {
    this.#registry = registry;
    this.#nowMs = nowMs;
  }

  /** True if a change waits for the end of a pause: a router that waits gets it then, with those that follow. */
  get isPaused(): boolean {
    return this.#wakeTimer !== undefined;
  }

  /**
   * Waits for something new, unless there is another table than the router's already. During a pause a router that
   * has a table waits for its end as well.
   *
   * @returns true if it waited
   */
  async forNews({ routerId, afterVersion, waitMs, signal }: RouterWait): Promise<boolean> {
    // A router with a newer table than this registry learns of it at once.
    const hasNews = this.#registry.tableVersion !== afterVersion;
    if (waitMs === 0 || (hasNews && !(afterVersion >= 0 && this.isPaused))) return false;
    this.#registry.prepareTable();
    await this.wait(routerId, waitMs, signal);
    return true;
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

  /** Ends all waits, now or after a pause: there is something new. */
  wakeAll(): void {
    if (this.#wakeTimer !== undefined) return;
    const leftMs = this.#pausedUntilMs - this.#nowMs();
    // A pause that is longer was set before the clock was set back.
    if (leftMs > 0 && leftMs <= maxWakePauseMs) this.#wakeTimer = setTimeout(() => this.#wakeNow(), leftMs);
    else this.#wakeNow();
  }

  /** Ends the wait of one router. */
  wake(routerId: string): void {
    this.#waiting.get(routerId)?.();
  }

  #wakeNow(): void {
    this.#wakeTimer = undefined;
    this.#pausedUntilMs = this.#nowMs() + Math.min(this.#waiting.size * wakePaceMs, maxWakePauseMs);
    for (const end of this.#waiting.values()) end();
  }
}
