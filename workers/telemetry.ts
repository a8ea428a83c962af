// The Durable Object around telemetry: it gives it storage, a clock and a wake-up, and decides nothing. Its own object,
// so that counting traffic never keeps the registry waiting.

import { DurableObject } from "cloudflare:workers";
import type { Result } from "../src/domain/model/error.ts";
import type { Snapshot, SnapshotFilter } from "../src/telemetry/snapshot.ts";
import { saveIntervalMs, Telemetry, type TelemetryApi } from "../src/telemetry/telemetry.ts";
import type { Env } from "./env.ts";
import { sqlDatabaseOf } from "./storage.ts";

/** What the mesh's traffic was, one object per mesh. */
export class MeshTelemetry extends DurableObject<Env> implements TelemetryApi {
  readonly #telemetry: Telemetry;
  /** An alarm is set. */
  #armed = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#telemetry = new Telemetry(sqlDatabaseOf(ctx.storage), () => Date.now());
  }

  count(delta: unknown): Result<boolean> {
    try {
      return this.#telemetry.count(delta);
    } finally {
      // Also where saving failed: what was counted stands, and the alarm saves it.
      this.#armIfUnsaved();
    }
  }

  snapshot(filter: SnapshotFilter): Snapshot {
    return this.#telemetry.snapshot(filter);
  }

  override alarm(): void {
    this.#armed = false;
    try {
      if (this.#telemetry.hasUnsaved) this.#telemetry.save();
    } catch (error) {
      console.error({ what: "telemetry could not be saved and tries again", error: String(error) });
    }
    this.#armIfUnsaved();
  }

  /** Before an idle object is evicted, what was counted is saved. */
  #armIfUnsaved(): void {
    if (this.#armed || !this.#telemetry.hasUnsaved) return;
    this.#armed = true;
    void this.ctx.storage.setAlarm(Date.now() + saveIntervalMs);
  }
}
