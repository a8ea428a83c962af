// The link of an isolate's router to the registry: one call at a time brings counters and gets the routing table.
//
// On Workers one request must not await what another has started, so the link keeps times and no promises: a call or
// a runner that ended with its request, without a word, is found by its time.

import type { Delta } from "../../telemetry/delta.ts";
import type { Meter } from "../../telemetry/meter.ts";
import { PendingDelta } from "../../telemetry/pending-delta.ts";
import { maxRoundTripMs, type SentTable, type TableCache } from "../routing/table-cache.ts";
import {
  activityWindowMs,
  backoffMs,
  callTimeoutMs,
  handOverMs,
  type LinkState,
  nextStep,
} from "./call-plan.ts";

/** What a router sends to the registry. */
export type RegistryCall = {
  /** The version of its table, which it acknowledges; -1: none. */
  readonly afterVersion: number;
  /** How long the call may wait there for a newer table, milliseconds; 0: not at all. */
  readonly waitMs: number;
  /** Null: none. */
  readonly counters: Delta | null;
};

export type RegistryReply = SentTable & {
  /** True if the counters are counted, or can never be. */
  readonly counted: boolean;
  /** True while the telemetry is looked at. */
  readonly isWatched: boolean;
};

/** Calls the registry; rejects if it is unreachable. */
export type CallRegistry = (call: RegistryCall) => Promise<RegistryReply>;

type RegistryLinkOptions = {
  readonly call: CallRegistry;
  readonly tables: TableCache;
  /** Null if telemetry is off. */
  readonly meter: Meter | null;
  readonly nowMs: () => number;
  /** [0, 1) */
  readonly random: () => number;
  readonly sleep: (ms: number) => Promise<void>;
  /** True where calls cost nothing: counters are sent as if the telemetry were always looked at. */
  readonly isAlwaysWatched: boolean;
  /** False if `call` does not wait, whatever the call says. */
  readonly canWait: boolean;
};

type WaitUntil = (work: Promise<void>) => void;

/** A runner at work. */
type Runner = {
  startedMs: number;
  /** When it decides next. */
  wakesMs: number;
};

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** @see docs/decisions/0118-serve-first.md */
export class RegistryLink {
  readonly #options: RegistryLinkOptions;
  readonly #tables: TableCache;
  readonly #pending: PendingDelta | null;
  readonly #state: Mutable<LinkState>;
  /** The newest runner; null: no request's `waitUntil` calls or sleeps. */
  #runner: Runner | null = null;
  /** The call under way, or one that was lost. */
  #call: object | null = null;
  #failures = 0;
  /** The latest time seen. */
  #latestMs = Number.NEGATIVE_INFINITY;
  /** Until then a runner or a call does what there is to do, epoch milliseconds. */
  #coveredUntilMs = Number.NEGATIVE_INFINITY;

  constructor(options: RegistryLinkOptions) {
    const { tables } = options;
    this.#options = options;
    this.#tables = tables;
    this.#pending = options.meter === null ? null : new PendingDelta(options.meter);
    this.#state = {
      calledMs: Number.NEGATIVE_INFINITY,
      callUntilMs: null,
      firstMs: null,
      unreported: 0,
      bornMs: Number.POSITIVE_INFINITY,
      jitter: options.random(),
      isConfirmed: true,
      hasGauges: false,
      notBeforeMs: Number.NEGATIVE_INFINITY,
      windowMs: Number.NEGATIVE_INFINITY,
      windowRequests: 0,
      previousRequests: 0,
      get isExpired() {
        return tables.isExpired;
      },
      get hasServers() {
        return tables.held?.hasServers ?? false;
      },
      isWatched: options.isAlwaysWatched,
      canWait: options.canWait,
    };
  }

  /** A request has ended, and is counted. Calls the registry in its `waitUntil` if that is due. */
  requestEnded(nowMs: number, waitUntil: WaitUntil): void {
    const state = this.#state;
    if (nowMs < this.#latestMs) this.#followClock(nowMs);
    this.#latestMs = nowMs;
    const elapsedMs = nowMs - state.windowMs;
    if (elapsedMs >= activityWindowMs) {
      state.previousRequests = elapsedMs < 2 * activityWindowMs ? state.windowRequests : 0;
      state.windowRequests = 0;
      state.windowMs = nowMs;
    }
    state.windowRequests += 1;
    state.unreported += 1;
    state.firstMs ??= nowMs;
    if (state.bornMs > nowMs) state.bornMs = nowMs;
    // Most requests end here.
    if (nowMs >= this.#coveredUntilMs || elapsedMs >= activityWindowMs) this.schedule(nowMs, waitUntil);
  }

  /** A gateway says that the table is old: the registry is called at the end of the request. */
  expire(nowMs: number): void {
    this.#tables.expire(nowMs);
    this.#coveredUntilMs = nowMs;
  }

  /** A request waits, and may for long: its gauges are sent within a minute. */
  waits(nowMs: number, waitUntil: WaitUntil): void {
    this.#state.hasGauges = true;
    this.schedule(nowMs, waitUntil);
  }

  /** Something was counted. Calls the registry in `waitUntil` if that is due. */
  schedule(nowMs: number, waitUntil: WaitUntil): void {
    const state = this.#state;
    state.firstMs ??= nowMs;
    const step = nextStep(state, { startedMs: nowMs, isNewest: true }, nowMs);
    if (step.kind === "call" || (step.kind === "sleep" && !this.#isCovered(step.untilMs, nowMs))) {
      const runner = { startedMs: nowMs, wakesMs: nowMs };
      this.#runner = runner;
      waitUntil(this.#run(runner));
    }
    const { startedMs, wakesMs } = this.#runner ?? { startedMs: nowMs, wakesMs: nowMs };
    this.#coveredUntilMs = state.callUntilMs ?? Math.min(startedMs + handOverMs, wakesMs);
  }

  /** True if the newest runner decides early enough, and a later one need not take over. */
  #isCovered(untilMs: number, nowMs: number): boolean {
    const runner = this.#runner;
    return runner !== null && runner.wakesMs <= untilMs && nowMs - runner.startedMs < handOverMs;
  }

  /** Never rejects. */
  async #run(runner: Runner): Promise<void> {
    const { nowMs, sleep } = this.#options;
    for (;;) {
      const atMs = nowMs();
      if (atMs < this.#latestMs) this.#followClock(atMs);
      this.#latestMs = atMs;
      const { startedMs } = runner;
      const step = nextStep(this.#state, { startedMs, isNewest: this.#runner === runner }, atMs);
      if (step.kind === "leave") break;
      if (step.kind === "call") await this.#callRegistry(step.waitMs);
      else {
        runner.wakesMs = step.untilMs;
        await sleep(step.untilMs - atMs);
      }
    }
    if (this.#runner === runner) this.#runner = null;
  }

  async #callRegistry(waitMs: number): Promise<void> {
    const { call: send, nowMs, random, sleep } = this.#options;
    const state = this.#state;
    const call = {};
    this.#call = call;
    const startedMs = nowMs();
    const untilMs = startedMs + waitMs + callTimeoutMs;
    // What was counted after these counters were taken is left for the next call.
    const isRetry = this.#pending?.isSent ?? false;
    const counters = this.#pending?.take(startedMs) ?? null;
    const reported = { firstMs: state.firstMs, requests: state.unreported };
    state.calledMs = startedMs;
    state.callUntilMs = untilMs;
    state.firstMs = null;
    state.unreported = 0;
    state.hasGauges = counters !== null && hasGauges(counters);
    state.isConfirmed = false;
    state.jitter = random();
    if (waitMs > 0) this.#tables.beginWait(startedMs, untilMs);
    const answered = send({ afterVersion: this.#tables.knownVersion, waitMs, counters }).then(
      (reply) => this.#take(reply, counters, startedMs, waitMs),
      (error: unknown) => {
        this.#tables.fail(error);
        return "failed" as const;
      },
    );
    const outcome = await Promise.race([answered, sleep(waitMs + callTimeoutMs).then(() => "lost" as const)]);
    if (outcome === "lost") this.#tables.fail(null);
    // A call that took too long may have been followed by another.
    if (this.#call === call) {
      state.callUntilMs = null;
      this.#coveredUntilMs = nowMs();
      this.#tables.endWait();
    }
    state.isConfirmed = outcome === "counted";
    if (!state.isConfirmed || isRetry) {
      state.firstMs = reported.firstMs ?? state.firstMs;
      state.unreported += reported.requests;
    }
    const isAnswered = outcome === "counted" || outcome === "uncounted";
    this.#failures = isAnswered ? 0 : this.#failures + 1;
    if (!isAnswered) state.notBeforeMs = nowMs() + backoffMs(this.#failures, random());
    else await this.#tables.saveCopy();
  }

  async #take(
    reply: RegistryReply,
    counters: Delta | null,
    startedMs: number,
    waitMs: number,
  ): Promise<"counted" | "uncounted"> {
    const { isAlwaysWatched, nowMs } = this.#options;
    this.#state.isWatched = isAlwaysWatched || reply.isWatched;
    if (reply.counted && counters !== null) this.#pending?.acknowledge(counters);
    this.#tables.take(reply, waitMs === 0 ? startedMs : Math.max(startedMs, nowMs() - maxRoundTripMs));
    return reply.counted ? "counted" : "uncounted";
  }

  /** After the clock was set back, times that lie ahead count as now. */
  #followClock(nowMs: number): void {
    const state = this.#state;
    const aheadMs = this.#latestMs - nowMs;
    this.#coveredUntilMs = nowMs;
    state.calledMs = Math.min(state.calledMs, nowMs);
    state.bornMs = Math.min(state.bornMs, nowMs);
    state.windowMs = Math.min(state.windowMs, nowMs);
    state.notBeforeMs = Math.min(state.notBeforeMs, nowMs);
    if (state.firstMs !== null) state.firstMs = Math.min(state.firstMs, nowMs);
    if (state.callUntilMs !== null) state.callUntilMs -= aheadMs;
    if (this.#runner === null) return;
    this.#runner.startedMs -= aheadMs;
    this.#runner.wakesMs -= aheadMs;
  }
}

/** True if requests wait: the next delta says that they do not any more. */
function hasGauges({ tasks, entries }: Delta): boolean {
  return [...tasks, ...entries].some(({ open, queue }) => open > 0 || queue > 0);
}
