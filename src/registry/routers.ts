// The routers: the isolates of the data plane that route requests now, each with the table version it routes
// by.
//
// They are kept in memory only. A router in a Worker polls for a newer table about once a second while it has
// requests to route; one on a machine of its own lets its poll wait at the registry, and is live meanwhile.
// Each names its id and version. A response to a poll proves nothing: it may be lost, or the router may refuse
// the table in it. After a restart the registry knows all live routers again after `routerLiveMs`; until then
// there may be routers that it does not know.

/** A router is live for this long after its last poll ended, milliseconds. */
export const routerLiveMs = 3_000;

/** Routers that a poll looks at: more than it adds, so that there are fewer and fewer expired ones. */
const examinedPerPoll = 4;

type RouterState = {
  readonly version: number;
  readonly seenAtMs: number;
  /** Number of its polls that wait. */
  readonly waiting: number;
};

/** @see docs/decisions/0009-leaving-without-loss.md */
export class Routers {
  /** In the order of their polls; those whose polls wait are moved to the end when they are looked at. */
  readonly #routers = new Map<string, RouterState>();
  #knownFromMs = Number.POSITIVE_INFINITY;

  /** @param knownFromMs when every live router will have polled, epoch milliseconds */
  start(knownFromMs: number): void {
    this.#knownFromMs = knownFromMs;
  }

  /** Records that a router polled for a table newer than `version`, by which it routes. */
  recordPoll(routerId: string, version: number, nowMs: number): void {
    const waiting = this.#routers.get(routerId)?.waiting ?? 0;
    this.#moveToEnd(routerId, { version, seenAtMs: nowMs, waiting });
    this.#removeSomeExpired(nowMs);
  }

  /** A recorded poll waits from now on. */
  hold(routerId: string): void {
    const router = this.#routers.get(routerId);
    if (router !== undefined) this.#routers.set(routerId, { ...router, waiting: router.waiting + 1 });
  }

  /** A poll that waited has its response. The router may be gone: it counts as live for `routerLiveMs`. */
  release(routerId: string, nowMs: number): void {
    const router = this.#routers.get(routerId);
    if (router === undefined) return;
    this.#moveToEnd(routerId, { ...router, seenAtMs: nowMs, waiting: Math.max(0, router.waiting - 1) });
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
    return [...this.#routers].filter(([, router]) => liveUntilMs(router, nowMs) > nowMs).map(([id]) => id);
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
    const ends = this.#lagging(version, nowMs).map((router) => liveUntilMs(router, nowMs));
    return Math.max(this.#knownFromMs, ...ends);
  }

  #moveToEnd(routerId: string, router: RouterState): void {
    this.#routers.delete(routerId);
    this.#routers.set(routerId, router);
  }

  /** Looks at the first few only, so that a poll costs the same however many routers there are. */
  #removeSomeExpired(nowMs: number): void {
    for (let examined = 0; examined < examinedPerPoll; examined += 1) {
      const [first] = this.#routers;
      if (first === undefined) return;
      const [id, router] = first;
      if (liveUntilMs(router, nowMs) <= nowMs) this.#routers.delete(id);
      else if (router.waiting > 0) this.#moveToEnd(id, router);
      else return;
    }
  }

  #lagging(version: number, nowMs: number): readonly RouterState[] {
    return [...this.#routers.values()].filter(
      (router) => liveUntilMs(router, nowMs) > nowMs && router.version < version,
    );
  }
}

/** Until when a router is live; one whose poll waits is answered now at the earliest. */
function liveUntilMs({ seenAtMs, waiting }: RouterState, nowMs: number): number {
  return (waiting > 0 ? nowMs : seenAtMs) + routerLiveMs;
}
