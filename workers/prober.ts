// The Durable Object that checks static servers from one region: it gives the rounds storage, a clock, connections and a
// wake-up, and decides nothing. One object for each region, by its name, so that no server is checked twice there.

import { connect } from "cloudflare:sockets";
import { DurableObject } from "cloudflare:workers";
import type { ProbeList, ProbeReport, ProbeTarget } from "../src/domain/model/probe-list.ts";
import { type CheckDeps, type Connection, runCheck, sleep } from "../src/prober/check.ts";
import { CheckSchedule } from "../src/prober/check-schedule.ts";
import { ProberStore } from "../src/prober/prober-store.ts";
import type { Env } from "./env.ts";
import { registryOf } from "./objects.ts";
import { sqlDatabaseOf } from "./storage.ts";

/** After a report that did not arrive, or a failed alarm, milliseconds. */
const proberRetryMs = 2_000;
/** Shortest way to the next alarm, milliseconds: each is a row written, and what is due in between comes with it. */
const minAlarmMs = 50;

/** Checks static servers from one region. */
export class MeshProber extends DurableObject<Env> {
  readonly #schedule = new CheckSchedule();
  readonly #store: ProberStore;
  #region: string;
  #listHash: string;
  #alarmAtMs: number | null = null;
  #isReporting = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
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

  /** The list of this region is another, or nothing was heard of it: asks for the list and goes on. */
  async wake(region: string): Promise<void> {
    if (this.#region !== region) {
      this.#region = region;
      this.#store.setRegion(region);
    }
    await this.#report([]);
    this.#runDue();
  }

  override alarm(): void {
    this.#alarmAtMs = null;
    try {
      this.#runDue();
    } catch (error) {
      console.error({ what: "the prober's alarm failed and is set again", error: String(error) });
      this.#alarmAtMs = Date.now() + proberRetryMs;
      void this.ctx.storage.setAlarm(this.#alarmAtMs);
    }
  }

  /** Starts what is due and tells what is to be told. Nothing is waited for: an alarm that waits holds up the next one. */
  #runDue(): void {
    const nowMs = Date.now();
    for (const target of this.#schedule.startDue(nowMs)) void this.#check(target);
    const reports = this.#isReporting ? null : this.#schedule.takeReports(nowMs);
    if (reports !== null) void this.#report(reports);
    this.#setAlarm();
  }

  async #check(target: ProbeTarget): Promise<void> {
    const result = await runCheck(target, proberCheckDeps);
    const kept = this.#schedule.finish(target, result, Date.now());
    if (kept !== null) this.#store.saveHealth(kept);
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

  /** Sets the alarm unless it already comes by then; with nothing to check, takes it away. */
  #setAlarm(): void {
    const nextMs = this.#schedule.nextDueMs();
    if (nextMs === null) {
      if (this.#alarmAtMs !== null) void this.ctx.storage.deleteAlarm();
      this.#alarmAtMs = null;
      return;
    }
    const atMs = Math.max(nextMs, Date.now() + minAlarmMs);
    if (this.#alarmAtMs !== null && this.#alarmAtMs <= atMs) return;
    this.#alarmAtMs = atMs;
    void this.ctx.storage.setAlarm(atMs);
  }
}

const proberCheckDeps: CheckDeps = {
  dial: (address, tls) =>
    connect(address, { secureTransport: tls ? "on" : "off", allowHalfOpen: false }) as unknown as Connection,
  nowMs: () => Date.now(),
  sleep,
};
