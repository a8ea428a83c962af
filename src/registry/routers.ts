// The routers: which isolates of the data plane route requests now, and by which version of the table.
//
// This lives in memory only. A router says who it is and what it routes by each time it asks for a newer table, about
// once a second while it has requests to route. That it was answered is not taken for more: the answer may be lost, or
// the table in it refused. A registry that has forgotten its routers knows them all again after `routerLiveMs`; until
// then nobody may conclude from an absent router that there is none.

/** A router counts as routing for this long after its last fetch, milliseconds. */
export const routerLiveMs = 3_000;

type RouterState = { readonly version: number; readonly seenAtMs: number };

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

  /** Ids of the routers that route now. */
  live(nowMs: number): readonly string[] {
    return [...this.#routers].filter(([, { seenAtMs }]) => seenAtMs + routerLiveMs > nowMs).map(([id]) => id);
  }

  /** How many live routers may still route by a table older than `version`. */
  countBehind(version: number, nowMs: number): number {
    return this.#lagging(version, nowMs).length;
  }

  /**
   * From when on no live router routes by a table older than `version`, epoch milliseconds, if none of them fetches
   * again before: then they no longer count as live. Not after `nowMs`: it is so already.
   */
  upToDateAtMs(version: number, nowMs: number): number {
    const ends = this.#lagging(version, nowMs).map(({ seenAtMs }) => seenAtMs + routerLiveMs);
    return Math.max(this.#knownFromMs, ...ends);
  }

  #lagging(version: number, nowMs: number): readonly RouterState[] {
    return [...this.#routers.values()].filter(
      (router) => router.seenAtMs + routerLiveMs > nowMs && router.version < version,
    );
  }
}
