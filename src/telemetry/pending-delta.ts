// The delta that a meter sends next: the one that was sent and is not acknowledged, else a new one. A delta keeps
// its number, so that the telemetry object counts it once however often it is sent.

import type { Delta } from "./delta.ts";
import type { Meter } from "./meter.ts";

export class PendingDelta {
  readonly #meter: Meter;
  #sent: Delta | null = null;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** True if a delta was sent and is not acknowledged. */
  get isSent(): boolean {
    return this.#sent !== null;
  }

  /** The delta to send now; null if nothing was measured. The meter keeps counting meanwhile. */
  take(nowMs: number): Delta | null {
    this.#sent ??= this.#meter.take(nowMs);
    return this.#sent;
  }

  /** A delta is counted, or can never be. */
  acknowledge(delta: Delta): void {
    if (this.#sent === delta) this.#sent = null;
  }
}
