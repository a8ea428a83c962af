// Calls of routers with a binding to the registry object: each acknowledges a table, brings counters, and waits for
// a newer table.

import { printedTableFormat } from "../src/domain/table/text.ts";
import type { RouterCall, RouterReply } from "../src/registry/api.ts";
import type { Registry } from "../src/registry/registry.ts";

/** The longest wait, milliseconds; a response of a Worker may be followed by 30 s of work. */
const maxExchangeWaitMs = 25_000;

/** Hands counters on to the telemetry object. */
export type RouterCounters = {
  /**
   * @param counters a delta as JSON
   * @returns counted: it is counted, or can never be; isWatched: somebody looks at the telemetry
   */
  readonly add: (counters: string) => Promise<{ readonly counted: boolean; readonly isWatched: boolean }>;
};

type RouterExchangeOptions = {
  readonly registry: Registry;
  readonly counters: RouterCounters;
  /** Runs work on the registry and carries out its effects. */
  readonly run: <T>(work: () => T) => T;
};

export class RouterExchange {
  readonly #options: RouterExchangeOptions;
  /** By router, what ends its waiting calls. */
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(options: RouterExchangeOptions) {
    this.#options = options;
  }

  /** Answers a call with a newer table at once, else when there is one or the wait is over. */
  async answer(call: RouterCall): Promise<RouterReply> {
    const { routerId, afterVersion, waitMs } = call;
    const { registry, run } = this.#options;
    requireReadableFormat(call);
    const counting = this.#count(call.counters);
    run(() => registry.recordRouter(routerId, afterVersion));
    let update = registry.tableUpdate(afterVersion);
    // A router with a newer table than this registry learns of it at once.
    if (update.table === null && update.version >= afterVersion && waitMs > 0) {
      await this.#wait(routerId, Math.min(waitMs, maxExchangeWaitMs));
      update = registry.tableUpdate(afterVersion);
    }
    const keys = update.table === null ? {} : registry.routerKeys();
    return { ...update, ...keys, ...(await counting) };
  }

  /** Ends all waits: there is a newer table. */
  wakeAll(): void {
    for (const ends of [...this.#waiting.values()]) for (const end of ends) end();
  }

  async #wait(routerId: string, waitMs: number): Promise<void> {
    const { registry } = this.#options;
    const { promise, resolve } = Promise.withResolvers<void>();
    const ends = this.#waiting.get(routerId) ?? new Set();
    this.#waiting.set(routerId, ends.add(resolve));
    registry.holdRouter(routerId);
    const timer = setTimeout(resolve, waitMs);
    await promise;
    clearTimeout(timer);
    ends.delete(resolve);
    if (ends.size === 0) this.#waiting.delete(routerId);
    registry.releaseRouter(routerId);
  }

  async #count(counters: string | null): Promise<Pick<RouterReply, "counted" | "isWatched">> {
    if (counters === null) return { counted: true, isWatched: false };
    try {
      return await this.#options.counters.add(counters);
    } catch (error) {
      console.error({ what: "counters were not counted and will be sent again", error: String(error) });
      return { counted: false, isWatched: false };
    }
  }
}

/** @throws Error that names the formats of both */
function requireReadableFormat({ formats }: RouterCall): void {
  if (formats.includes(printedTableFormat)) return;
  throw new Error(
    `the registry prints routing tables of format ${printedTableFormat}, and this router reads ${formats.join(", ") || "none"}: deploy the release of the registry here too`,
  );
}
