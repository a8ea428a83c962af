// The routing table in an isolate's memory: served at once, refreshed behind the request's back, never exchanged for an
// older or an unreadable one. Holds plain data only: on Workers a promise of one request must not be awaited by another,
// so who refreshes is told by a timestamp.

import { readTable } from "../../domain/table/text.ts";
import { Routes } from "./routes.ts";

/**
 * Asks the registry for the printed table if it is newer than `afterVersion`; `text` is null when it is not. With the text
 * comes the key that sticky cookies are signed with, which is no part of it: people may see the table.
 */
export type TableSource = (
  afterVersion: number,
) => Promise<{ readonly version: number; readonly text: string | null; readonly cookieKey?: string }>;

/** Older than this, a table is refreshed in the background. Milliseconds. */
export const refreshAfterMs = 1_000;
/**
 * Older than this, a table is not routed by unless the registry cannot be had: the registry counts a router that has not
 * asked for so long as routing no more, and may have let tasks stop that the table still has. Milliseconds.
 */
export const disconnectedAfterMs = 2_500;
/** How long a request of a silent router waits for that, milliseconds. */
export const reconnectWaitMs = 250;
/** No older than this, a table is believed when it says there is nothing to send a request to. Milliseconds. */
export const freshMs = 100;
/** A request that waits for a refresh waits no longer than this, milliseconds. */
export const maxRefreshWaitMs = 2_000;
/** How often a request looks whether another request's refresh has come in, milliseconds. */
const refreshPollMs = 10;
/** Below every version, since the first table of a mesh may have version 0. */
const noVersion = -1;

export class TableCache {
  readonly #source: TableSource;
  readonly #nowMs: () => number;
  #routes: Routes | null = null;
  /** When what is held was last known to be the newest: the start of the exchange that said so. */
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** Start of the newest refresh, and of the newest one that has ended, well or not. */
  #startedMs = Number.NEGATIVE_INFINITY;
  #endedMs = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;
  #cookieKey: string | null = null;

  constructor(source: TableSource, nowMs: () => number) {
    this.#source = source;
    this.#nowMs = nowMs;
  }

  /** What to route by. Waits only before the first table, and in a router that has been silent. */
  routes(waitUntil: (work: Promise<void>) => void): Routes | Promise<Routes | null> {
    if (this.#routes === null) return this.fresh();
    // A registry that does not answer has left its problem: then nobody waits for it.
    if (this.ageMs() > disconnectedAfterMs && this.#problem === null) return this.fresh(reconnectWaitMs);
    return this.current(waitUntil) ?? this.fresh();
  }

  /** What is held; null before the first table. Starts a refresh with `waitUntil` when one is due. */
  current(waitUntil: (work: Promise<void>) => void): Routes | null {
    const nowMs = this.#nowMs();
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
   * What is held, no older than `freshMs` if the registry can be had within `waitMs`; else whatever is held.
   * Requests that come here together cause one refresh.
   */
  async fresh(waitMs = maxRefreshWaitMs): Promise<Routes | null> {
    const wantedMs = this.#nowMs() - freshMs;
    const deadlineMs = wantedMs + freshMs + waitMs;
    while (this.#endedMs < wantedMs && this.#nowMs() < deadlineMs) {
      const underWay = this.#startedMs > this.#endedMs && this.#startedMs > this.#nowMs() - maxRefreshWaitMs;
      if (underWay) await sleep(refreshPollMs);
      else await this.#refreshWithin(deadlineMs - this.#nowMs());
    }
    if (this.#endedMs < wantedMs) this.#problem ??= "the registry does not answer";
    return this.#routes;
  }

  /** Milliseconds since what is held was last known to be the newest; Infinity before the first table. */
  ageMs(): number {
    return this.#nowMs() - this.#asOfMs;
  }

  /** The key sticky cookies are signed with; null before a registry gave one. */
  get cookieKey(): string | null {
    return this.#cookieKey;
  }

  /** Why the last refresh brought nothing, for a person; null when it went well. */
  get problem(): string | null {
    return this.#problem;
  }

  async #refreshWithin(ms: number): Promise<void> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, ms);
    });
    await Promise.race([this.#refresh(this.#nowMs()), late]);
    clearTimeout(timer);
  }

  /** Never rejects. */
  async #refresh(startedMs: number): Promise<void> {
    this.#startedMs = startedMs;
    try {
      const { version, text, cookieKey } = await this.#source(this.#routes?.version ?? noVersion);
      if (cookieKey !== undefined) this.#cookieKey = cookieKey;
      this.#problem = this.#take(version, text);
      if (this.#problem === null) this.#asOfMs = Math.max(this.#asOfMs, startedMs);
    } catch (error) {
      this.#problem = error instanceof Error ? error.message : String(error);
    }
    this.#endedMs = Math.max(this.#endedMs, startedMs);
  }

  /** Keeps the table when it is newer. Returns why the answer cannot be believed, or null. */
  #take(version: number, text: string | null): string | null {
    const held = this.#routes?.version ?? noVersion;
    if (version < held) return `the registry has version ${version} and this isolate ${held}`;
    if (version === held) return null;
    if (text === null) return `the registry has version ${version} and did not send it`;
    const table = readTable(text);
    if (table.version > held) this.#routes = new Routes(table);
    return null;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
