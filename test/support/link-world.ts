// A router's link to a registry in simulated time, under the platform's rule: what a request has started ends 30 s
// after the request, or when the platform cancels it.
//
// Needs vitest's fake timers.

import { AsyncLocalStorage } from "node:async_hooks";
import type { TableService } from "../../src/domain/table/table.ts";
import { printTable } from "../../src/domain/table/text.ts";
import { callTimeoutMs } from "../../src/proxy/link/call-plan.ts";
import { type RegistryCall, RegistryLink, type RegistryReply } from "../../src/proxy/link/registry-link.ts";
import { TableCache } from "../../src/proxy/routing/table-cache.ts";
import { counterIndex, countsByName } from "../../src/telemetry/counters.ts";
import type { Delta } from "../../src/telemetry/delta.ts";
import { Meter } from "../../src/telemetry/meter.ts";
import { addTally, newTally } from "../../src/telemetry/metrics.ts";
import { tableOf } from "./dataplane.ts";
import { registryReply } from "./test-table.ts";

/** The platform's limit of `waitUntil`, milliseconds. */
const waitUntilMs = 30_000;
/** Half of a round trip to the registry, milliseconds. */
export const oneWayMs = 75;

/** One call, as the registry sees it. */
export type SeenCall = { readonly startedMs: number; readonly waitMs: number; endedMs: number | null };

export type Behavior = "responds" | "fails" | "is silent" | "loses replies" | "does not count";

type Invocation = { diesMs: number };

const service = { id: "service1", name: "my-web" };

export class LinkWorld {
  behavior: Behavior = "responds";
  isWatched = false;
  version = 1;
  services: readonly TableService[] = [];
  readonly calls: SeenCall[] = [];
  /** Requests so far, and those that the telemetry has counted. */
  sent = 0;
  counted = 0;
  readonly #invocations = new AsyncLocalStorage<Invocation>();
  readonly #countedDeltas = new Set<number>();
  readonly #meter = new Meter({ isolate: "isolate1", ejectedMs: () => 0 });
  readonly #wakes = new Set<() => void>();
  readonly tables: TableCache;
  readonly link: RegistryLink;

  /** @param random what each random choice is made of, [0, 1) */
  constructor(isAlwaysWatched = false, canWait = true, random = 0.5) {
    const call = (sent: RegistryCall) => this.#answer(sent);
    const nowMs = () => Date.now();
    this.tables = new TableCache((afterVersion) => call({ afterVersion, waitMs: 0, counters: null }), {
      nowMs,
    });
    this.link = new RegistryLink({
      call,
      tables: this.tables,
      meter: this.#meter,
      nowMs,
      random: () => random,
      sleep: (ms) => this.#pause(ms),
      isAlwaysWatched,
      canWait,
    });
  }

  /** A request ends now. @param canceledAfterMs when the platform cancels what it started; null: after 30 s */
  request(canceledAfterMs: number | null = null): void {
    this.sent += 1;
    this.#meter.entry(service, null).add(counterIndex.requests);
    const invocation = { diesMs: Date.now() + (canceledAfterMs ?? waitUntilMs) };
    this.#invocations.run(invocation, () => this.link.requestEnded(Date.now(), (work) => void work));
  }

  /** A request waits for a target. */
  waits(): void {
    this.#invocations.run({ diesMs: Date.now() + waitUntilMs }, () => {
      this.link.waits(Date.now(), (work) => void work);
    });
  }

  /** The table changes. */
  change(): void {
    this.version += 1;
    for (const wake of this.#wakes) wake();
  }

  /** Number of calls under way that the router has not given up. */
  get callsUnderWay(): number {
    return this.calls.filter(({ startedMs, waitMs, endedMs }) => {
      return endedMs === null && Date.now() < startedMs + waitMs + callTimeoutMs;
    }).length;
  }

  async #answer({ afterVersion, waitMs, counters }: RegistryCall): Promise<RegistryReply> {
    const seen: SeenCall = { startedMs: Date.now(), waitMs, endedMs: null };
    this.calls.push(seen);
    const invocation = this.#invocations.getStore();
    if (invocation !== undefined) {
      setTimeout(() => (seen.endedMs ??= Date.now()), Math.max(0, invocation.diesMs - Date.now()));
    }
    await this.#pause(oneWayMs);
    const { behavior } = this;
    if (behavior === "is silent") return new Promise(() => undefined);
    if (behavior === "fails") {
      seen.endedMs = Date.now();
      throw new Error("the object was reset");
    }
    const isCounted = behavior !== "does not count";
    if (counters !== null && isCounted) this.#count(counters);
    if (this.version <= afterVersion && waitMs > 0) await this.#wait(waitMs);
    await this.#pause(oneWayMs);
    if (behavior === "loses replies") return new Promise(() => undefined);
    seen.endedMs ??= Date.now();
    const { version, isWatched } = this;
    const text = version > afterVersion ? printTable(tableOf(version, ...this.services)) : null;
    return { ...registryReply({ version, text }), counted: isCounted, isWatched };
  }

  #count({ seq, entries }: Delta): void {
    if (this.#countedDeltas.has(seq)) return;
    this.#countedDeltas.add(seq);
    const tally = newTally();
    for (const entry of entries) addTally(tally, entry);
    this.counted += countsByName(tally.counts).requests;
  }

  #wait(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        this.#wakes.delete(end);
        resolve();
      };
      this.#wakes.add(end);
      setTimeout(end, ms);
    });
  }

  /** A timer of the request that waits: it never ends once the platform has canceled the request's work. */
  #pause(ms: number): Promise<void> {
    const invocation = this.#invocations.getStore();
    return new Promise((resolve) => {
      setTimeout(() => {
        if (invocation === undefined || Date.now() <= invocation.diesMs) resolve();
      }, ms);
    });
  }
}
