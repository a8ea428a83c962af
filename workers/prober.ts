// The Durable Object that checks static servers from one region: adds storage, a clock, connections and an
// alarm to the check schedule, and no rules. There is one object per region, named after it, so that no
// server is checked twice.

import { connect } from "cloudflare:sockets";
import { DurableObject } from "cloudflare:workers";
import type { ProbeList, ProbeReport, ProbeTarget } from "../src/domain/model/probe-list.ts";
import { type CheckDeps, type Connection, runCheck, sleep } from "../src/prober/check.ts";
import { CheckSchedule } from "../src/prober/check-schedule.ts";
import { ExpectationCache } from "../src/prober/expectation-cache.ts";
import { ProberStore } from "../src/prober/prober-store.ts";
import { planWake } from "../src/prober/wake-plan.ts";
import { ClockGuard, slowCallerSkewMs } from "./clock-guard.ts";
import type { Env } from "./env.ts";
import { registryOf } from "./objects.ts";
import { sqlDatabaseOf } from "./storage.ts";

/** Delay after a report that failed, or a failed alarm, milliseconds. */
const proberRetryMs = 2_000;

/** @see docs/decisions/0039-probers.md */
export class MeshProber extends DurableObject<Env> {
  readonly #schedule = new CheckSchedule();
  readonly #store: ProberStore;
  readonly #clockGuard: ClockGuard;
  #region: string;
  #listHash: string;
  #alarmAtMs: number | null = null;
  /** When the last alarm was. */
  #alarmedMs = Number.NEGATIVE_INFINITY;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #isReporting = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#clockGuard = new ClockGuard(ctx, slowCallerSkewMs);
    this.#store = new ProberStore(sqlDatabaseOf(ctx.storage), Date.now());
    const { hash, targets } = this.#store.list();
    this.#region = this.#store.region();
    this.#listHash = hash;
    this.#schedule.setTargets(targets, this.#store.health(), Date.now());
    ctx.blockConcurrencyWhile(async () => {
      this.#alarmAtMs = await ctx.storage.getAlarm();
      this.#setAlarm();
    });
  }

  /**
   * Fetches the list again. The registry calls it when the list changed, the region was silent, or the clock
   * was set back.
   *
   * @param registryMs what the registry's clock shows, epoch milliseconds
   */
  async wake(region: string, registryMs?: number): Promise<void> {
    const check = () => this.#clockGuard.checkAfterSaving(registryMs, () => undefined);
    check();
    if (this.#region !== region) {
      this.#region = region;
      this.#store.setRegion(region);
    }
    await this.#report([]);
    // A clock that runs has moved on meanwhile.
    check();
    this.#runDue();
  }

  override alarm(): void {
    this.#alarmAtMs = null;
    this.#alarmedMs = Date.now();
    try {
      this.#runDue();
    } catch (error) {
      console.error({ what: "the prober's alarm failed and will run again", error: String(error) });
      this.#alarmAtMs = Date.now() + proberRetryMs;
      void this.ctx.storage.setAlarm(this.#alarmAtMs);
    }
  }

  /**
   * Starts the checks and the report that are due. Does not wait: an alarm that waits delays the next one.
   */
  #runDue(): void {
    const nowMs = Date.now();
    for (const target of this.#schedule.startDue(nowMs)) void this.#check(target);
    const reports = this.#isReporting ? null : this.#schedule.takeReports(nowMs);
    if (reports !== null) void this.#report(reports);
    this.#setAlarm();
  }

  async #check(target: ProbeTarget): Promise<void> {
    const result = await runCheck(target, proberCheckDeps);
    const changed = this.#schedule.finish(target, result, Date.now());
    if (changed !== null) this.#store.saveHealth(changed);
    this.#runDue();
  }

  async #report(reports: readonly ProbeReport[]): Promise<void> {
    this.#isReporting = true;
    try {
      const list = await registryOf(this.env).reportProbes(this.#region, this.#listHash, reports);
      if (list !== null) this.#setTargets(list);
    } catch (error) {
      console.error({
        what: "check results cannot be reported to the registry",
        region: this.#region,
        error: String(error),
      });
      this.#schedule.reportFailed(reports, Date.now() + proberRetryMs);
    } finally {
      this.#isReporting = false;
    }
    this.#setAlarm();
  }

  #setTargets(list: ProbeList): void {
    this.#schedule.setTargets(list.targets, this.#store.health(), Date.now());
    this.#store.saveList(list);
    this.#listHash = list.hash;
  }

  /** Sets the alarm unless an earlier one is set, and a timer. Deletes them if there is nothing to check. */
  #setAlarm(): void {
    const nextMs = this.#schedule.nextDueMs();
    clearTimeout(this.#timer);
    if (nextMs === null) {
      if (this.#alarmAtMs !== null) void this.ctx.storage.deleteAlarm();
      this.#alarmAtMs = null;
      return;
    }
    const nowMs = Date.now();
    const due = { nextMs, urgentMs: this.#schedule.nextUrgentMs() };
    const { alarmMs, timerMs } = planWake(due, nowMs, this.#alarmedMs);
    if (timerMs !== null) this.#timer = setTimeout(() => this.#runDue(), timerMs - nowMs);
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= alarmMs) return;
    this.#alarmAtMs = alarmMs;
    void this.ctx.storage.setAlarm(alarmMs);
  }
}

const expectations = new ExpectationCache();

const proberCheckDeps: CheckDeps = {
  dial: (address, tls) =>
    connect(address, { secureTransport: tls ? "on" : "off", allowHalfOpen: false }) as unknown as Connection,
  nowMs: () => Date.now(),
  sleep,
  expectationOf: (expect) => expectations.get(expect),
};
