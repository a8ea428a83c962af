// The routers: the isolates of the data plane that route requests now, each with the table version it routes
// by.
//
// They are kept in memory only. A router polls for a newer table about once a second while it has requests to
// route, and names its id and version. A response to a poll proves nothing: it may be lost, or the
// router may refuse the table in it. After a restart the registry knows all live routers again after
// `routerLiveMs`; until then there may be routers that it does not know.

/** A router is live for this long after its last poll, milliseconds. */
export const routerLiveMs = 3_000;

type RouterState = { readonly version: number; readonly seenAtMs: number };

/** @see docs/decisions/0009-leaving-without-loss.md */
export class Routers {
  readonly #routers = new Map<string, RouterState>();
  #knownFromMs = Number.POSITIVE_INFINITY;

  /** @param knownFromMs when every live router will have polled, epoch milliseconds */
  start(knownFromMs: number): void {
    this.#knownFromMs = knownFromMs;
  }

  /** Records that a router polled for a table newer than `version`, by which it routes. */
  recordPoll(routerId: string, version: number, nowMs: number): void {
    for (const [id, { seenAtMs }] of this.#routers) {
      if (seenAtMs + routerLiveMs <= nowMs) this.#routers.delete(id);
    }
    this.#routers.set(routerId, { version, seenAtMs: nowMs });
  }

  /** After the clock was set back, polls that lie ahead count as polls of now. */
  followClock(nowMs: number): void {
    this.#knownFromMs = Math.min(this.#knownFromMs, nowMs + routerLiveMs);
    for (const [id, router] of this.#routers) {
      this.#routers.set(id, { ...router, seenAtMs: Math.min(router.seenAtMs, nowMs) });
    }
  }

  /** Ids of the live routers. */
  live(nowMs: number): readonly string[] {
    return [...this.#routers].filter(([, { seenAtMs }]) => seenAtMs + routerLiveMs > nowMs).map(([id]) => id);
  }

  /** Number of live routers that may still route by a table older than `version`. */
  countBehind(version: number, nowMs: number): number {
    return this.#lagging(version, nowMs).length;
  }

  /**
   * The time from which no live router routes by a table older than `version`, epoch milliseconds. Assumes
   * that the routers that still do never poll again, and so stop being live. At most `nowMs` if there are no
   * such routers.
   */
  upToDateAtMs(version: number, nowMs: number): number {
    const liveUntilMs = this.#lagging(version, nowMs).map(({ seenAtMs }) => seenAtMs + routerLiveMs);
    return Math.max(this.#knownFromMs, ...liveUntilMs);
  }

  #lagging(version: number, nowMs: number): readonly RouterState[] {
    return [...this.#routers.values()].filter(
      (router) => router.seenAtMs + routerLiveMs > nowMs && router.version < version,
    );
  }
}
