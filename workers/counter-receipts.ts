// Receipts for the counters of routers: which are on their way to the telemetry object, and which are counted.
//
// Counters are counted seconds after they came, and a router gets its reply as soon as there is a newer table. Then it
// sends the same counters again. They are recognized, so that they do not travel again while they are on their way.

import type { RouterCounters } from "../src/registry/api.ts";
import type { CounterForwarder } from "./counter-forwarder.ts";

/** Counters of one router that may not be longer, in letters: those of a mesh with 10,000 tasks are about 3 MB. */
const maxCounterLength = 8_388_608;
/** A receipt that its router has not asked for is dropped after this, milliseconds. */
const receiptMs = 120_000;
/** Receipts that a call looks at to drop them: more than it adds. */
const examinedPerCall = 4;

/** A router that does not wait gets a receipt if its counters are counted within this time, milliseconds. */
const soonMs = 1_500;
/** Then its counters travel after this time at the latest, together with those that came meanwhile. Milliseconds. */
const collectSoonMs = 500;

type Receipt = {
  /** See RouterCounters. */
  readonly seq: number;
  readonly atMs: number;
  readonly settled: Promise<void>;
  /** Null: they are on their way. */
  counted: boolean | null;
};

export class CounterReceipts {
  readonly #forwarder: Pick<CounterForwarder, "add" | "sendNow">;
  readonly #nowMs: () => number;
  /** By router, in the order of the calls. */
  readonly #receipts = new Map<string, Receipt>();
  /** Sends what routers that do not wait have brought. */
  #sending: ReturnType<typeof setTimeout> | undefined;

  constructor(forwarder: Pick<CounterForwarder, "add" | "sendNow">, nowMs: () => number) {
    this.#forwarder = forwarder;
    this.#nowMs = nowMs;
  }

  /** Forwards counters, unless the same ones of this router are on their way or were counted. */
  forward(routerId: string, { seq, text }: RouterCounters): void {
    this.#dropSome();
    if (this.#receipts.get(routerId)?.seq === seq) return;
    const isTooLong = text.length > maxCounterLength;
    if (isTooLong) console.error({ what: "a router's counters are too long", length: text.length });
    const counting = isTooLong ? Promise.resolve(true) : this.#forwarder.add(text);
    const settled = counting.then((isCounted) => {
      receipt.counted = isCounted;
    });
    const receipt: Receipt = { seq, atMs: this.#nowMs(), settled, counted: null };
    this.#receipts.delete(routerId);
    this.#receipts.set(routerId, receipt);
  }

  /** Resolves when the router's counters are counted, which they are soon, or after a short time. */
  async soon(routerId: string): Promise<void> {
    const receipt = this.#receipts.get(routerId);
    if (receipt === undefined || receipt.counted !== null) return;
    this.#sending ??= setTimeout(() => {
      this.#sending = undefined;
      this.#forwarder.sendNow();
    }, collectSoonMs);
    let timer: ReturnType<typeof setTimeout> | undefined;
    const over = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, soonMs);
    });
    await Promise.race([receipt.settled, over]);
    clearTimeout(timer);
  }

  /** True if the router's last counters are counted. If they have to be sent again, their receipt is dropped. */
  take(routerId: string): boolean {
    const counted = this.#receipts.get(routerId)?.counted ?? null;
    if (counted !== null) this.#receipts.delete(routerId);
    return counted === true;
  }

  #dropSome(): void {
    const nowMs = this.#nowMs();
    for (let examined = 0; examined < examinedPerCall; examined += 1) {
      const [first] = this.#receipts;
      // A receipt that lies ahead is from before the clock was set back.
      if (first === undefined || Math.abs(nowMs - first[1].atMs) < receiptMs) return;
      this.#receipts.delete(first[0]);
    }
  }
}
