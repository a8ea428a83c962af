// The routers: the isolates of the data plane that route requests now, each with the table version it routes
// by.
//
// They are kept in memory only. A router calls for a newer table, and lets the call wait at the registry; it is live
// meanwhile. Each names its id and version. A response proves nothing: it may be lost, or the router may refuse the
// table in it. After a restart the registry knows all live routers again after `routerLiveMs`; until then
// there may be routers that it does not know.

/** A router is live for this long after its last call ended, milliseconds. */
export const routerLiveMs = 3_000;

/** Routers that a call looks at: more than it adds, so that there are fewer and fewer expired ones. */
const examinedPerPoll = 4;

type RouterState = {
  readonly id: string;
  readonly version: number;
  readonly seenAtMs: number;
  /** Number of its calls that wait. */
  readonly waiting: number;
};

/** @see docs/decisions/0009-leaving-without-loss.md */
export class Routers {
  /** In the order of their calls; those whose calls wait are moved to the end when they are looked at. */
  readonly #routers = new Map<string, RouterState>();
  /** The routers by the version that they route by. */
  readonly #groups = new Map<number, RouterGroup>();
  #knownFromMs = Number.POSITIVE_INFINITY;

  /** @param knownFromMs when every live router will have called, epoch milliseconds */
  start(knownFromMs: number): void {
    this.#knownFromMs = knownFromMs;
  }

  /** Records that a router asked for a table newer than `version`, by which it routes. */
  recordPoll(routerId: string, version: number, nowMs: number): void {
    const waiting = this.#routers.get(routerId)?.waiting ?? 0;
    this.#put({ id: routerId, version, seenAtMs: nowMs, waiting });
    this.#removeSomeExpired(nowMs);
  }

  /** The version that a router routes by; undefined: it is not known. */
  versionOf(routerId: string): number | undefined {
    return this.#routers.get(routerId)?.version;
  }

  /** A recorded call waits from now on. */
  hold(routerId: string): void {
    const router = this.#routers.get(routerId);
    if (router !== undefined) this.#put({ ...router, waiting: router.waiting + 1 });
  }

  /** A call that waited has its response. The router may be gone: it counts as live for `routerLiveMs`. */
  release(routerId: string, nowMs: number): void {
    const router = this.#routers.get(routerId);
    if (router === undefined) return;
    this.#put({ ...router, seenAtMs: nowMs, waiting: Math.max(0, router.waiting - 1) });
  }

  /** After the clock was set back, calls that lie ahead count as calls of now. */
  followClock(nowMs: number): void {
    this.#knownFromMs = Math.min(this.#knownFromMs, nowMs + routerLiveMs);
    for (const router of [...this.#routers.values()]) {
      this.#put({ ...router, seenAtMs: Math.min(router.seenAtMs, nowMs) });
    }
  }

  /** Ids of the live routers. */
  live(nowMs: number): readonly string[] {
    return [...this.#routers.values()]
      .filter((router) => liveUntilMs(router, nowMs) > nowMs)
      .map(({ id }) => id);
  }

  /** Number of live routers that may still route by a table older than `version`. */
  countBehind(version: number, nowMs: number): number {
    const routers = [...this.#routers.values()];
    return routers.filter((router) => router.version < version && liveUntilMs(router, nowMs) > nowMs).length;
  }

  /**
   * The time from which no live router routes by a table older than `version`, epoch milliseconds. Assumes
   * that the routers that still do never call again, and so stop being live. At most `nowMs` if there are no
   * such routers. Takes the same time however many routers there are.
   */
  upToDateAtMs(version: number, nowMs: number): number {
    let atMs = this.#knownFromMs;
    for (const [groupVersion, group] of this.#groups) {
      if (groupVersion < version) atMs = Math.max(atMs, group.lastSeenMs(nowMs) + routerLiveMs);
    }
    return atMs;
  }

  /** Adds a router, or replaces it; it is the last in the order then. */
  #put(router: RouterState): void {
    this.#remove(router.id);
    this.#routers.set(router.id, router);
    const group = this.#groups.get(router.version) ?? new RouterGroup((state) => this.#has(state));
    this.#groups.set(router.version, group);
    group.add(router);
  }

  #remove(routerId: string): void {
    const router = this.#routers.get(routerId);
    if (router === undefined) return;
    this.#routers.delete(routerId);
    const group = this.#groups.get(router.version);
    group?.remove(router);
    if (group?.size === 0) this.#groups.delete(router.version);
  }

  #has(router: RouterState): boolean {
    return this.#routers.get(router.id) === router;
  }

  /** Looks at the first few only, so that a call costs the same however many routers there are. */
  #removeSomeExpired(nowMs: number): void {
    for (let examined = 0; examined < examinedPerPoll; examined += 1) {
      const [first] = this.#routers.values();
      if (first === undefined) return;
      if (liveUntilMs(first, nowMs) <= nowMs) this.#remove(first.id);
      else if (first.waiting > 0) this.#put(first);
      else return;
    }
  }
}

/** The routers that route by one version. */
class RouterGroup {
  readonly #isKnown: (router: RouterState) => boolean;
  /** Number of routers, and of those whose calls wait. */
  size = 0;
  #waiting = 0;
  /** Those whose calls do not wait in the order of their calls, among states that were replaced since. */
  #resting: RouterState[] = [];

  /** @param isKnown false for a state that was replaced */
  constructor(isKnown: (router: RouterState) => boolean) {
    this.#isKnown = isKnown;
  }

  add(router: RouterState): void {
    this.size += 1;
    if (router.waiting > 0) this.#waiting += 1;
    else this.#resting.push(router);
    if (this.#resting.length > 2 * this.size + 16) this.#resting = this.#resting.filter(this.#isKnown);
  }

  remove(router: RouterState): void {
    this.size -= 1;
    if (router.waiting > 0) this.#waiting -= 1;
  }

  /** When one of them was seen last, epoch milliseconds: now if a call waits. */
  lastSeenMs(nowMs: number): number {
    if (this.#waiting > 0) return nowMs;
    for (;;) {
      const last = this.#resting.at(-1);
      if (last === undefined) return Number.NEGATIVE_INFINITY;
      if (this.#isKnown(last)) return last.seenAtMs;
      this.#resting.pop();
    }
  }
}

/** Until when a router is live; one whose call waits is answered now at the earliest. */
function liveUntilMs({ seenAtMs, waiting }: RouterState, nowMs: number): number {
  return (waiting > 0 ? nowMs : seenAtMs) + routerLiveMs;
}
