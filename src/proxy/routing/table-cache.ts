// The routing table in an isolate's memory: served at once, however old, never replaced by an older or unreadable
// one. It holds no promise: on Workers one request must not await another's, so timestamps record a refresh in
// progress.

import { isOvertaken, isTableChange, readTableUpdate } from "../../domain/table/apply-change.ts";
import type { RoutingTable } from "../../domain/table/table.ts";
import { printTable, readTable } from "../../domain/table/text.ts";
import type { AttemptSigner, GatewayKey } from "../attempt-signer.ts";
import { Routes } from "./routes.ts";

/** The secrets of routers. They are not part of the table's text, because viewers may read it. */
export type RouterKeys = {
  /** Signs sticky cookies. */
  readonly cookieKey?: string;
  /** Prove attempts to gateways. */
  readonly gatewayKeys?: readonly GatewayKey[];
};

/** What a router gets from the registry. */
export type SentTable = RouterKeys & {
  readonly version: number;
  /** A newer table, whole or as what changed since the version that the router has; null without one. */
  readonly text: string | null;
  /** Why there is no table: this router reads none of the registry's formats. Absent: it does. */
  readonly refusal?: string;
};

/** Fetches the table from the registry, without a wait there, if it is newer than `afterVersion`. */
export type TableSource = (afterVersion: number) => Promise<SentTable>;

/** A table with its keys, for the isolates that start in the same place. */
export type CachedTable = {
  readonly text: string;
  readonly keys: RouterKeys;
  /** When the registry last said that it was the newest, epoch milliseconds. */
  readonly asOfMs: number;
};

/** Where copies of the table are kept for isolates that start. Only this mesh's routers can read or write one. */
export type TableCopies = {
  /** Null: the place has no copy. */
  readonly read: () => Promise<CachedTable | null>;
  readonly write: (copy: CachedTable) => Promise<void>;
};

/**
 * A table older than this is not used for what no gateway corrects, except while the registry is unreachable: the
 * registry regards a router that has not called for this long as disconnected. Milliseconds.
 *
 * @see docs/decisions/0118-serve-first.md
 */
export const disconnectedAfterMs = 2_500;
/**
 * A table older than this may name a gateway, or a key of gateways, that is no longer used. Milliseconds; longer
 * than a router whose table has static servers takes to call again, and shorter than the time for which an old key is
 * accepted.
 */
export const trustedForMs = 90_000;
/** How long a request waits for a refresh after the router was disconnected, milliseconds. */
export const reconnectWaitMs = 250;
/**
 * Maximum age of a table by which a request is refused, milliseconds.
 *
 * @see docs/decisions/0003-refresh-before-refusing.md
 */
export const freshMs = 100;
/** Maximum wait of a request for a refresh, milliseconds. */
export const maxRefreshWaitMs = 2_000;
/**
 * How long after a vain wait for the first table requests are refused without another wait, milliseconds: the
 * steps of one request that need a table wait once in all.
 */
const refuseAfterWaitMs = 500;
/** The problem of a registry that is silent. */
const silentRegistry = "the registry does not respond";
/** How often a request checks whether another request's refresh has ended, milliseconds. */
const refreshPollMs = 10;
/** Below every version, since the first table of a mesh may have version 0. */
const noVersion = -1;
/** A round trip to the registry takes less, milliseconds: a call that is under way for longer waits there. */
export const maxRoundTripMs = 1_000;
/** A copy of the table that is older than this is not used, milliseconds: its nodes and keys may be others. */
export const maxCopyAgeMs = 86_400_000;
/** Shortest time between two copies that an isolate writes, milliseconds: each is printed and sealed. */
export const copyIntervalMs = 10_000;
/** A copy of the same table is written again after this, milliseconds, so that it does not get too old. */
export const copyRenewalMs = 3_600_000;

type KeyHolder = Pick<AttemptSigner, "setKeys" | "has">;

export type TableCacheOptions = {
  readonly nowMs: () => number;
  /** The mesh's domain, lower case; absent or empty: none. */
  readonly domain?: string;
  /** Gets the gateway keys; absent: they are not used. */
  readonly signer?: KeyHolder;
  /** Absent: no copies are kept. */
  readonly copies?: TableCopies | undefined;
};

export class TableCache {
  readonly #source: TableSource;
  readonly #signer: KeyHolder | null;
  readonly #nowMs: () => number;
  readonly #domain: string;
  readonly #copies: TableCopies | null;
  /** The table to route by, whatever its age; null before the first. Only this class sets it: each request reads it. */
  held: Routes | null = null;
  #table: RoutingTable | null = null;
  /** Start of the last successful refresh: the table was the newest then. */
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** When the table was known to be old; null: it is not. */
  #expiredMs: number | null = null;
  /** Start of the newest refresh, and of the newest one that has ended. */
  #startedMs = Number.NEGATIVE_INFINITY;
  #endedMs = Number.NEGATIVE_INFINITY;
  /** End of the last wait that brought no first table. */
  #gaveUpMs = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;
  #keys: RouterKeys = {};
  /** The table comes from a copy, perhaps of an earlier mesh of the same name: the registry sends its own, whole. */
  #isCopy = false;
  /** A change could not be applied: the registry sends the whole table. */
  #needsWhole = false;
  /** The call that waits at the registry for a newer table: its start, and when it is lost. Null: no call waits. */
  #waiting: { readonly fromMs: number; readonly untilMs: number } | null = null;
  /** Start of the newest reading of a copy that has not ended; null: none. */
  #readingMs: number | null = null;
  /** The copy that this isolate read or wrote last: its version, and when. */
  #copied = { version: noVersion, atMs: Number.NEGATIVE_INFINITY };

  constructor(source: TableSource, { nowMs, domain = "", signer, copies }: TableCacheOptions) {
    this.#source = source;
    this.#nowMs = nowMs;
    this.#domain = domain;
    this.#signer = signer ?? null;
    this.#copies = copies ?? null;
  }

  /**
   * The first table: a copy or that of the registry, whichever comes first. Waits at most two seconds, and the
   * refresh goes on in `waitUntil`.
   */
  async first(waitUntil: (work: Promise<void>) => void): Promise<Routes | null> {
    const calledMs = this.#nowMs();
    if (this.#isAhead(calledMs)) this.#followClock(calledMs);
    if (this.held !== null || calledMs - this.#gaveUpMs < refuseAfterWaitMs) return this.held;
    const wait = new Wait(maxRefreshWaitMs);
    const started: Promise<void>[] = [];
    if (!this.#isReading(calledMs) && this.#copies !== null) started.push(this.#readCopy(this.#copies));
    if (!this.#isRefreshing(calledMs)) started.push(this.#refresh(calledMs).then(() => this.saveCopy()));
    for (const work of started) {
      waitUntil(work);
      void work.then(() => wait.check());
    }
    while (this.held === null && !wait.isOver) {
      const nowMs = this.#nowMs();
      if (!this.#isReading(nowMs) && !this.#isRefreshing(nowMs)) break;
      await wait.next();
    }
    wait.stop();
    if (this.held === null && wait.isOver) this.#giveUp();
    return this.held;
  }

  /** True if the table is older than `maxAgeMs`, and the registry probably responds to a refresh. */
  isOlderThan(maxAgeMs: number): boolean {
    // Most requests end here.
    const sinceMs = this.#nowMs() - this.#asOfMs;
    if (sinceMs >= 0 && sinceMs <= maxAgeMs) return false;
    return this.held !== null && this.#problem === null && this.ageMs() > maxAgeMs;
  }

  /**
   * A table no older than `freshMs` if the registry sends one within `waitMs`; else the current one.
   * Concurrent calls share one refresh. Timers end the wait, because a clock may be set meanwhile.
   */
  async fresh(waitMs = maxRefreshWaitMs): Promise<Routes | null> {
    const calledMs = this.#nowMs();
    if (this.#isAhead(calledMs)) this.#followClock(calledMs);
    if (this.held === null && calledMs - this.#gaveUpMs < refuseAfterWaitMs) return null;
    const wantedMs = Math.max(calledMs - freshMs, this.#expiredMs ?? Number.NEGATIVE_INFINITY);
    const wait = new Wait(waitMs);
    let hasEnded = false;
    while (!hasEnded && this.#endedMs < wantedMs && !wait.isOver) {
      if (!this.#isRefreshing(this.#nowMs())) {
        void this.#refresh(this.#nowMs()).then(() => {
          hasEnded = true;
          wait.check();
        });
      }
      await wait.next();
    }
    wait.stop();
    if (!hasEnded && this.#endedMs < wantedMs) this.#giveUp();
    return this.held;
  }

  /** The table is known to be old: the router calls the registry soon. */
  expire(nowMs: number): void {
    this.#expiredMs = nowMs;
  }

  /** True if the table is known to be old, and no newer one has come since. */
  get isExpired(): boolean {
    return this.#expiredMs !== null;
  }

  /**
   * Milliseconds since the table was last known to be the newest: 0 while a call waits at the registry, which
   * sends a newer one at once. Infinity before the first table.
   */
  ageMs(): number {
    const nowMs = this.#nowMs();
    const { fromMs, untilMs } = this.#waiting ?? { fromMs: Number.POSITIVE_INFINITY, untilMs: 0 };
    const isWaiting = nowMs >= fromMs + maxRoundTripMs && nowMs < untilMs;
    return isWaiting ? 0 : Math.max(0, nowMs - this.#asOfMs);
  }

  /** A call waits at the registry from now on. @param untilMs when it is lost, epoch milliseconds */
  beginWait(fromMs: number, untilMs: number): void {
    this.#waiting = { fromMs, untilMs };
  }

  endWait(): void {
    this.#waiting = null;
  }

  /** Why there is no table yet, for clients; `problem` may quote the platform. */
  get missingReason(): string {
    return this.#problem === null || this.#problem === silentRegistry
      ? "the registry has not sent a routing table yet: it does not respond"
      : "the registry has not sent a routing table yet: it cannot be reached";
  }

  /** The key that signs sticky cookies; null before the registry sent one. */
  get cookieKey(): string | null {
    return this.#keys.cookieKey ?? null;
  }

  /** The keys that the registry sent last. */
  get keys(): RouterKeys {
    return this.#keys;
  }

  /** The reason why the last refresh failed; null if it succeeded. */
  get problem(): string | null {
    return this.#problem;
  }

  #giveUp(): void {
    this.#problem ??= silentRegistry;
    if (this.held === null) this.#gaveUpMs = this.#nowMs();
  }

  /** True if the clock was set back before a time of a refresh. */
  #isAhead(nowMs: number): boolean {
    return nowMs < this.#startedMs || nowMs < this.#endedMs;
  }

  /** After the clock was set back, times that lie ahead count as now; the table would be fresh until then. */
  #followClock(nowMs: number): void {
    this.#asOfMs = Math.min(this.#asOfMs, nowMs);
    this.#startedMs = Math.min(this.#startedMs, nowMs);
    this.#endedMs = Math.min(this.#endedMs, nowMs);
    this.#gaveUpMs = Math.min(this.#gaveUpMs, nowMs - refuseAfterWaitMs);
    if (this.#expiredMs !== null) this.#expiredMs = Math.min(this.#expiredMs, nowMs);
    if (this.#readingMs !== null) this.#readingMs = Math.min(this.#readingMs, nowMs);
    this.#copied = { ...this.#copied, atMs: Math.min(this.#copied.atMs, nowMs) };
  }

  #isRefreshing(nowMs: number): boolean {
    return this.#startedMs > this.#endedMs && this.#startedMs > nowMs - maxRefreshWaitMs;
  }

  #isReading(nowMs: number): boolean {
    return this.#readingMs !== null && this.#readingMs > nowMs - maxRefreshWaitMs;
  }

  /** Never rejects. */
  async #refresh(startedMs: number): Promise<void> {
    this.#startedMs = startedMs;
    try {
      this.take(await this.#source(this.knownVersion), startedMs);
    } catch (error) {
      this.fail(error);
    }
    this.#endedMs = Math.max(this.#endedMs, this.#byNow(startedMs));
  }

  /** Takes what the registry sent. @param asOfMs a time since when it was the newest, epoch milliseconds */
  take({ version, text, refusal, cookieKey, gatewayKeys }: SentTable, asOfMs: number): void {
    this.#setKeys({ ...(cookieKey && { cookieKey }), ...(gatewayKeys && { gatewayKeys }) });
    try {
      if (text !== null && version > this.#version && isOvertaken(text, this.#version)) {
        // What it changed is gone, and what changed since then is not known: the router calls again.
        this.#problem = null;
        this.expire(this.#nowMs());
        return;
      }
      this.#problem = refusal ?? this.#takeTable(version, text);
    } catch (error) {
      this.#needsWhole ||= text !== null && isTableChange(text);
      this.fail(error);
    }
    if (this.#problem !== null) return;
    const byNowMs = this.#byNow(asOfMs);
    this.#asOfMs = Math.max(this.#asOfMs, byNowMs);
    this.#endedMs = Math.max(this.#endedMs, byNowMs);
    if (this.#expiredMs !== null && this.#expiredMs <= byNowMs) this.#expiredMs = null;
  }

  /** A call of the registry failed. @param error null: it does not respond */
  fail(error: unknown): void {
    if (error === null) this.#problem = silentRegistry;
    else this.#problem = error instanceof Error ? error.message : String(error);
  }

  /** The clock may have been set back since: a refresh that ends in the future would hold back the next ones. */
  #byNow(startedMs: number): number {
    return Math.min(startedMs, this.#nowMs());
  }

  /**
   * Takes a printed table that did not come from the registry itself, if it is newer. Its age is unknown: the
   * registry is asked before it is used. If attempts are signed with a key that the router does not have yet,
   * such as after a rotation, the router keeps its table until the registry has sent both.
   *
   * @throws Error if it cannot be read
   */
  offer(text: string, keys: RouterKeys): void {
    const table = readTable(text);
    // Those that the registry sent are newer.
    this.#setKeys({ ...keys, ...this.#keys });
    const isUsable = this.held !== null && this.hasKeys;
    if (isUsable && !this.#hasKey(table.signingKey)) this.expire(this.#nowMs());
    else this.#keep(table);
  }

  /** True if it has the key that attempts are signed with, so that it can reach tasks behind gateways. */
  get hasKeys(): boolean {
    return this.#hasKey(this.held?.signingKey ?? null);
  }

  #hasKey(keyId: string | null): boolean {
    return keyId === null || this.#signer === null || this.#signer.has(keyId);
  }

  /** The version that need not be sent again; -1: none. The registry sends its keys with a table only. */
  get knownVersion(): number {
    const isKnown = this.held !== null && this.hasKeys && !this.#isCopy && !this.#needsWhole;
    return isKnown ? this.#version : noVersion;
  }

  /** Takes the table of a copy, unless there is one already. Never rejects. */
  async #readCopy(copies: TableCopies): Promise<void> {
    this.#readingMs = this.#nowMs();
    try {
      const copy = await copies.read();
      const nowMs = this.#nowMs();
      if (copy !== null && this.held === null && nowMs - copy.asOfMs <= maxCopyAgeMs) {
        // Those that the registry sent are newer.
        this.#setKeys({ ...copy.keys, ...this.#keys });
        this.#keep(readTable(copy.text));
        this.#isCopy = true;
        this.#asOfMs = Math.max(this.#asOfMs, this.#byNow(copy.asOfMs));
        this.#copied = { version: this.#version, atMs: this.#byNow(copy.asOfMs) };
      }
    } catch {
      // The registry has the table as well.
    }
    this.#readingMs = null;
  }

  /** Writes a copy of the table, if the last one is of an older table or old itself. Never rejects. */
  async saveCopy(): Promise<void> {
    const nowMs = this.#nowMs();
    const { version, atMs } = this.#copied;
    const isDue = nowMs - atMs >= (version === this.#version ? copyRenewalMs : copyIntervalMs);
    if (this.#copies === null || this.#table === null || !isDue || this.#isCopy || !this.hasKeys) return;
    this.#copied = { version: this.#version, atMs: nowMs };
    const copy = { text: printTable(this.#table), keys: this.#keys, asOfMs: this.#asOfMs };
    await this.#copies.write(copy).catch(() => undefined);
  }

  #setKeys(keys: RouterKeys): void {
    this.#keys = { ...this.#keys, ...keys };
    if (keys.gatewayKeys !== undefined) this.#signer?.setKeys(keys.gatewayKeys);
  }

  get #version(): number {
    return this.held?.version ?? noVersion;
  }

  /** Keeps the table if it is newer. @returns the problem with the response, or null */
  #takeTable(version: number, text: string | null): string | null {
    const held = this.#isCopy ? noVersion : this.#version;
    if (version < held) return `the registry has version ${version}, and this isolate has ${held}`;
    if (version === held) return null;
    if (text === null) return `the registry has version ${version} and did not send it`;
    this.#keep(readTableUpdate(text, this.#table));
    return null;
  }

  #keep(table: RoutingTable): void {
    if (table.version <= this.#version && !this.#isCopy) return;
    this.held = new Routes(table, this.#domain);
    this.#table = table;
    this.#isCopy = false;
    this.#needsWhole = false;
  }
}

/** A wait that ends by a timer, whatever the clock shows. */
class Wait {
  isOver = false;
  readonly #timer: ReturnType<typeof setTimeout>;
  #check: () => void = () => undefined;

  constructor(ms: number) {
    this.#timer = setTimeout(() => {
      this.isOver = true;
      this.check();
    }, ms);
  }

  /** Resolves when something may have changed: after a short time, or with `check`. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.#check = resolve;
      setTimeout(resolve, refreshPollMs);
    });
  }

  check(): void {
    this.#check();
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}
