// The Durable Object of telemetry: adds storage, a clock and an alarm, and no rules. It is an object of its
// own so that counting traffic never delays the registry.

import { DurableObject } from "cloudflare:workers";
import type { Result } from "../src/domain/model/error.ts";
import type { Snapshot, SnapshotFilter } from "../src/telemetry/snapshot.ts";
import { saveIntervalMs, Telemetry, type TelemetryApi } from "../src/telemetry/telemetry.ts";
import { ClockGuard, slowCallerSkewMs } from "./clock-guard.ts";
import type { CountedAllReply, WatchNotice } from "./counter-forwarder.ts";
import type { Env } from "./env.ts";
import { registryOf } from "./objects.ts";
import { sqlDatabaseOf } from "./storage.ts";

/** The traffic counters, one object per mesh. */
export class MeshTelemetry extends DurableObject<Env> implements TelemetryApi {
  readonly #telemetry: Telemetry;
  readonly #clockGuard: ClockGuard;
  #isAlarmSet = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#clockGuard = new ClockGuard(ctx, slowCallerSkewMs);
    this.#telemetry = new Telemetry(sqlDatabaseOf(ctx.storage), () => Date.now());
  }

  /**
   * Counts one delta. The call of machines' routers, and of isolates of earlier releases.
   *
   * @param callerMs what the caller's clock shows, epoch milliseconds
   * @throws if the object starts again, to follow a clock that was set back
   */
  count(delta: unknown, callerMs?: number): Result<boolean> {
    return this.#counting(callerMs, () => this.#telemetry.count(delta, callerMs));
  }

  /**
   * Counts the deltas of many routers, each as JSON.
   *
   * @param callerMs what the caller's clock shows, epoch milliseconds
   * @param waitedMs how long each delta waited on its way, milliseconds
   * @returns once each is counted, or can never be
   * @throws as `count`; then none is counted, or all are
   */
  countAll(deltas: readonly string[], callerMs?: number, waitedMs: readonly number[] = []): CountedAllReply {
    return this.#counting(callerMs, () => this.#telemetry.countAll(deltas, waitedMs));
  }

  #counting<T>(callerMs: number | undefined, work: () => T): T {
    this.#clockGuard.checkAfterSaving(callerMs, () => {
      if (this.#telemetry.hasUnsaved) this.#telemetry.save();
    });
    try {
      return work();
    } finally {
      // Also after a failed save: the counts stay in memory until the alarm saves them.
      this.#setAlarmIfUnsaved();
    }
  }

  snapshot(filter: SnapshotFilter): Snapshot {
    if (filter.live === true && this.#telemetry.noteLiveRead()) this.#giveNotice();
    return this.#telemetry.snapshot(filter);
  }

  /** Notifies the registry that the telemetry is watched. Does not wait: the page shows what is here. */
  #giveNotice(): void {
    const notice = async () => (registryOf(this.env) as unknown as WatchNotice).telemetryWatched();
    this.ctx.waitUntil(
      notice().catch((error: unknown) =>
        console.error({ what: "the registry got no notice of a live read", error: String(error) }),
      ),
    );
  }

  override alarm(): void {
    this.#isAlarmSet = false;
    try {
      if (this.#telemetry.hasUnsaved) this.#telemetry.save();
    } catch (error) {
      console.error({ what: "telemetry could not be saved and will be saved again", error: String(error) });
    }
    this.#setAlarmIfUnsaved();
  }

  /** The alarm saves the counts before an idle object is evicted. */
  #setAlarmIfUnsaved(): void {
    if (this.#isAlarmSet || !this.#telemetry.hasUnsaved) return;
    this.#isAlarmSet = true;
    void this.ctx.storage.setAlarm(Date.now() + saveIntervalMs);
  }
}
