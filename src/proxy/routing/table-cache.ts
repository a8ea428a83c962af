// The routing table in an isolate's memory: served at once, refreshed in the background, never replaced by an
// older or unreadable one. It holds no promise: on Workers one request must not await another's, so
// timestamps record a refresh in progress.

import type { RoutingTable } from "../../domain/table/table.ts";
import { readTable } from "../../domain/table/text.ts";
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
  /** Null if there is no newer table. */
  readonly text: string | null;
};

/** Fetches the printed table from the registry if it is newer than `afterVersion`. */
export type TableSource = (afterVersion: number) => Promise<SentTable>;

/** A table older than this is refreshed in the background. Milliseconds. */
export const refreshAfterMs = 1_000;
/**
 * A table older than this is used only while the registry is unreachable: the registry regards a router that
 * has not polled for this long as disconnected, and may have stopped tasks of its table. Milliseconds.
 *
 * @see docs/decisions/0009-leaving-without-loss.md
 */
export const disconnectedAfterMs = 2_500;
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

type KeyHolder = Pick<AttemptSigner, "setKeys" | "has">;

export class TableCache {
  readonly #source: TableSource;
  readonly #signer: KeyHolder | null;
  readonly #nowMs: () => number;
  readonly #domain: string;
  #routes: Routes | null = null;
  /** Start of the last successful refresh: the table was the newest then. */
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** Start of the newest refresh, and of the newest one that has ended. */
  #startedMs = Number.NEGATIVE_INFINITY;
  #endedMs = Number.NEGATIVE_INFINITY;
  /** End of the last wait that brought no first table. */
  #gaveUpMs = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;
  #keys: RouterKeys = {};

  /**
   * @param domain the mesh's domain, lower case, or empty
   * @param signer gets the gateway keys; null: they are not used
   */
  constructor(source: TableSource, nowMs: () => number, domain = "", signer: KeyHolder | null = null) {
    this.#signer = signer;
    this.#source = source;
    this.#nowMs = nowMs;
    this.#domain = domain;
  }

  /** The table to route by. Waits only before the first table, and after the router was disconnected. */
  routes(waitUntil: (work: Promise<void>) => void, nowMs = this.#nowMs()): Routes | Promise<Routes | null> {
    const routes = this.#routes;
    if (routes === null) return this.fresh();
    const ageMs = nowMs - this.#asOfMs;
    if (ageMs < 0) this.#followClock(nowMs);
    if (ageMs <= refreshAfterMs) return routes;
    // While the registry does not respond, or sends no usable table, no request waits for it.
    if (ageMs > disconnectedAfterMs && this.#problem === null) return this.fresh(reconnectWaitMs);
    this.current(waitUntil);
    return routes;
  }

  /** The table held, whatever its age; null before the first. */
  get held(): Routes | null {
    return this.#routes;
  }

  /** The current table; null before the first. Starts a refresh with `waitUntil` if one is due. */
  current(waitUntil: (work: Promise<void>) => void): Routes | null {
    const nowMs = this.#nowMs();
    if (this.#isAhead(nowMs)) this.#followClock(nowMs);
    if (
      nowMs - this.#asOfMs > refreshAfterMs &&
      nowMs - this.#startedMs > refreshAfterMs &&
      this.#routes !== null
    ) {
      waitUntil(this.#refresh(nowMs));
    }
    return this.#routes;
  }

  /**
   * A table no older than `freshMs` if the registry sends one within `waitMs`; else the current one.
   * Concurrent calls share one refresh. Timers end the wait, because a clock may be set meanwhile.
   */
  async fresh(waitMs = maxRefreshWaitMs): Promise<Routes | null> {
    const calledMs = this.#nowMs();
    if (this.#isAhead(calledMs)) this.#followClock(calledMs);
    if (this.#routes === null && calledMs - this.#gaveUpMs < refuseAfterWaitMs) return null;
    const wantedMs = calledMs - freshMs;
    const wait = new Wait(waitMs);
    let hasEnded = false;
    while (!hasEnded && this.#endedMs < wantedMs && !wait.isOver) {
      const isRefreshing =
        this.#startedMs > this.#endedMs && this.#startedMs > this.#nowMs() - maxRefreshWaitMs;
      if (isRefreshing) await sleep(refreshPollMs);
      else {
        const refresh = this.#refresh(this.#nowMs()).then(() => {
          hasEnded = true;
        });
        await Promise.race([refresh, wait.end]);
      }
    }
    wait.stop();
    if (!hasEnded && this.#endedMs < wantedMs) this.#giveUp();
    return this.#routes;
  }

  /** The table is known to be old: the next request starts a refresh. At most one a second, as always. */
  expire(nowMs: number): void {
    this.#asOfMs = Math.min(this.#asOfMs, nowMs - refreshAfterMs - 1);
  }

  /** Milliseconds since the table was last known to be the newest; Infinity before the first table. */
  ageMs(): number {
    return Math.max(0, this.#nowMs() - this.#asOfMs);
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
    if (this.#routes === null) this.#gaveUpMs = this.#nowMs();
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
  }

  /** Never rejects. */
  async #refresh(startedMs: number): Promise<void> {
    this.#startedMs = startedMs;
    try {
      const { version, text, ...keys } = await this.#source(this.#knownVersion());
      this.#setKeys(keys);
      this.#problem = this.#take(version, text);
      if (this.#problem === null) this.#asOfMs = Math.max(this.#asOfMs, this.#byNow(startedMs));
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    this.#endedMs = Math.max(this.#endedMs, this.#byNow(startedMs));
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
    const isUsable = this.#routes !== null && this.hasKeys;
    if (isUsable && !this.#hasKey(table.signingKey)) this.expire(this.#nowMs());
    else this.#keep(table);
  }

  /** True if it has the key that attempts are signed with, so that it can reach tasks behind gateways. */
  get hasKeys(): boolean {
    return this.#hasKey(this.#routes?.signingKey ?? null);
  }

  #hasKey(keyId: string | null): boolean {
    return keyId === null || this.#signer === null || this.#signer.has(keyId);
  }

  /** The version that need not be sent again. The registry sends its keys with a table only. */
  #knownVersion(): number {
    return this.#routes !== null && this.hasKeys ? this.#routes.version : noVersion;
  }

  #setKeys(keys: RouterKeys): void {
    this.#keys = { ...this.#keys, ...keys };
    if (keys.gatewayKeys !== undefined) this.#signer?.setKeys(keys.gatewayKeys);
  }

  /** Keeps the table if it is newer. @returns the problem with the response, or null */
  #take(version: number, text: string | null): string | null {
    const held = this.#routes?.version ?? noVersion;
    if (version < held) return `the registry has version ${version}, and this isolate has ${held}`;
    if (version === held) return null;
    if (text === null) return `the registry has version ${version} and did not send it`;
    this.#keep(readTable(text));
    return null;
  }

  #keep(table: RoutingTable): void {
    const held = this.#routes?.version ?? noVersion;
    if (table.version > held) this.#routes = new Routes(table, this.#domain);
  }
}

/** A wait that ends by a timer, whatever the clock shows. */
class Wait {
  readonly end: Promise<void>;
  isOver = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.end = new Promise((resolve) => {
      this.#timer = setTimeout(() => {
        this.isOver = true;
        resolve();
      }, ms);
    });
  }

  stop(): void {
    clearTimeout(this.#timer);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
