// Calls of routers with a binding to the registry object: each acknowledges a table, brings counters, and waits for
// something new.

import type { RouterCall, RouterReply } from "../src/registry/api.ts";
import type { Registry } from "../src/registry/registry.ts";
import { formatRefusal } from "../src/registry/table-formats.ts";
import type { CounterForwarder } from "./counter-forwarder.ts";
import { CounterReceipts } from "./counter-receipts.ts";
import type { RouterWaits } from "./router-waits.ts";

type RouterExchangeOptions = {
  readonly registry: Registry;
  readonly waits: RouterWaits;
  /** Null: telemetry is off. */
  readonly counters: CounterForwarder | null;
  /** Runs work on the registry and carries out its effects. */
  readonly run: <T>(work: () => T) => T;
};

/** @see docs/decisions/0117-changes-to-waiting-routers.md */
export class RouterExchange {
  readonly #options: RouterExchangeOptions;
  readonly #receipts: CounterReceipts | null;

  constructor(options: RouterExchangeOptions) {
    this.#options = options;
    this.#receipts = options.counters && new CounterReceipts(options.counters, () => Date.now());
  }

  /**
   * Answers a call with a newer table at once, else when there is one, or new keys, or the telemetry begins to be
   * watched, or the wait is over.
   */
  async answer(call: RouterCall): Promise<RouterReply> {
    const { routerId, afterVersion, formats, waitMs, counters } = call;
    const { registry, waits, run } = this.#options;
    if (counters !== null) this.#receipts?.forward(routerId, counters);
    const refusal = formatRefusal(formats);
    if (refusal !== null)
      return { version: registry.tableVersion, table: null, refusal, ...this.#counted(call) };
    run(() => registry.recordRouter(routerId, afterVersion));
    const keysBefore = registry.keysVersion;
    const hasWaited = await waits.forNews({ routerId, afterVersion, waitMs });
    if (!hasWaited && counters !== null && registry.tableVersion === afterVersion)
      await this.#receipts?.soon(routerId);
    const update = registry.tableUpdate(afterVersion);
    const hasKeys = update.table !== null || registry.keysVersion !== keysBefore;
    return { ...update, ...(hasKeys && registry.routerKeys()), ...this.#counted(call) };
  }

  #counted({ routerId, counters }: RouterCall): Pick<RouterReply, "counted" | "isWatched"> {
    return {
      counted: counters === null || (this.#receipts?.take(routerId) ?? true),
      isWatched: this.#options.counters?.isWatched ?? false,
    };
  }
}
