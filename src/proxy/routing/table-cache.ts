// The routing table in an isolate's memory: served at once, refreshed in the background, never replaced by an older or
// an unreadable one. It holds plain data only: on Workers one request must not await another's promise, so timestamps
// record that a refresh is under way.

import { readTable } from "../../domain/table/text.ts";
import { Routes } from "./routes.ts";

/**
 * Gets the printed table from the registry if it is newer than `afterVersion`; else `text` is null. The key that signs
 * sticky cookies comes beside the text and not in it, because people may see the table.
 */
export type TableSource = (
  afterVersion: number,
) => Promise<{ readonly version: number; readonly text: string | null; readonly cookieKey?: string }>;

/** A table older than this is refreshed in the background. Milliseconds. */
export const refreshAfterMs = 1_000;
/**
 * A table older than this is used only while the registry is unreachable: the registry takes a router that has not
 * polled for so long as gone, and may have stopped tasks that this table still has. Milliseconds.
 */
export const disconnectedAfterMs = 2_500;
/** How long a request waits for a refresh after the router was disconnected, milliseconds. */
export const reconnectWaitMs = 250;
/** A request is refused by a table no older than this. Milliseconds. */
export const freshMs = 100;
/** A request waits no longer than this for a refresh, milliseconds. */
export const maxRefreshWaitMs = 2_000;
/** How often a request checks whether another request's refresh has ended, milliseconds. */
const refreshPollMs = 10;
/** Below every version, since the first table of a mesh may have version 0. */
const noVersion = -1;

export class TableCache {
  readonly #source: TableSource;
  readonly #nowMs: () => number;
  readonly #domain: string;
  #routes: Routes | null = null;
  /** When the table was last known to be the newest: the start of the refresh that said so. */
  #asOfMs = Number.NEGATIVE_INFINITY;
  /** Start of the newest refresh, and of the newest one that has ended, successfully or not. */
  #startedMs = Number.NEGATIVE_INFINITY;
  #endedMs = Number.NEGATIVE_INFINITY;
  #problem: string | null = null;
  #cookieKey: string | null = null;

  /** @param domain the mesh's domain, lower case, or empty */
  constructor(source: TableSource, nowMs: () => number, domain = "") {
    this.#source = source;
    this.#nowMs = nowMs;
    this.#domain = domain;
  }

  /** The table to route by. Waits only before the first table, and after the router was disconnected. */
  routes(waitUntil: (work: Promise<void>) => void): Routes | Promise<Routes | null> {
    const ageMs = this.#nowMs() - this.#asOfMs;
    if (this.#routes !== null && ageMs <= refreshAfterMs) return this.#routes;
    if (this.#routes === null) return this.fresh();
    // A registry that does not respond has left its problem: then no request waits for it.
    if (ageMs > disconnectedAfterMs && this.#problem === null) return this.fresh(reconnectWaitMs);
    return this.current(waitUntil) ?? this.fresh();
  }

  /** The table held; null before the first. Starts a refresh with `waitUntil` when one is due. */
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
   * A table no older than `freshMs` if the registry responds within `waitMs`; else the table held. Requests that call it
   * at the same time cause one refresh.
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

  /** Milliseconds since the table was last known to be the newest; Infinity before the first table. */
  ageMs(): number {
    return this.#nowMs() - this.#asOfMs;
  }

  /** The key that signs sticky cookies; null before the registry sent one. */
  get cookieKey(): string | null {
    return this.#cookieKey;
  }

  /** Why the last refresh failed, for a person; null when it succeeded. */
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

  /** Keeps the table if it is newer. @returns why the response was refused, or null */
  #take(version: number, text: string | null): string | null {
    const held = this.#routes?.version ?? noVersion;
    if (version < held) return `the registry has version ${version} and this isolate ${held}`;
    if (version === held) return null;
    if (text === null) return `the registry has version ${version} and did not send it`;
    const table = readTable(text);
    if (table.version > held) this.#routes = new Routes(table, this.#domain);
    return null;
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
