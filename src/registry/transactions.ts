// Transactions over the mesh's world: each loads the world, changes it, reconciles it and saves it, whole or
// not at all.
//
// The world stays in memory between transactions, with what is derived from it, but only as a cache: a transaction
// that fails unexpectedly drops it. Each transaction works on what it touches. Work outside of the database (frames, closes, the next alarm) is collected as effects.

import { clockToleranceMs } from "../domain/model/clock-tolerance.ts";
import { MeshError } from "../domain/model/error.ts";
import type { World } from "../domain/model/world.ts";
import { assignmentsOf, nodesToReassign } from "./assignments.ts";
import { followClock } from "./clock.ts";
import { departuresOf, earliestReleaseMs, recordDepartures, releaseTasks } from "./departures.ts";
import { Draft, type DraftContext, firstVersions, type VersionedWorld } from "./draft.ts";
import { type Effects, joinEffects, noEffects, type TransactionEffects } from "./effects.ts";
import { EventLimits } from "./event-limits.ts";
import { forgetNodes } from "./forgotten-nodes.ts";
import { meshKeys, signingKeyId } from "./gateway-keys.ts";
import { needsReconcile } from "./needs-reconcile.ts";
import { PrintedTable } from "./printed-table.ts";
import { isProbeListChanged, scheduleRegionSweep } from "./probing.ts";
import { Routers } from "./routers.ts";
import { type ReconcileWakes, settleWorld } from "./settle-world.ts";
import type { RegistryStore } from "./store.ts";
import { isSavedTable, raiseTableVersion, tableVersion } from "./table-version.ts";
import { WorldIndex } from "./world-index.ts";

/** A deadline is not set again if a release is earlier by less, milliseconds: that writes rows. */
const minReleaseGainMs = 250;

/** What a registry takes as arguments instead of from its environment. */
export type RegistryDeps = Omit<DraftContext, "store" | "nowMs"> & {
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly meshName: string;
};

/** The saved world, and what is derived from it. */
type WorldCache = {
  world: VersionedWorld;
  readonly index: WorldIndex;
  readonly table: PrintedTable;
  wakes: ReconcileWakes;
};

type RunOptions = {
  readonly reconcileWhen: "always" | "if needed";
  /** True if the clock was set back. */
  readonly mustFollowClock: boolean;
};

/** What a transaction saves. */
type RunResult<T> = Pick<RunOptions, "mustFollowClock"> & {
  readonly result: T;
  readonly wakes: ReconcileWakes;
  readonly effects: TransactionEffects;
  readonly isReconciled: boolean;
};

export class Transactions {
  readonly store: RegistryStore;
  readonly routers = new Routers();
  readonly #deps: RegistryDeps;
  readonly #eventLimits = new EventLimits();
  /** The latest time of the clock; infinite before the first transaction, whose rows may lie ahead. */
  #latestMs = Number.POSITIVE_INFINITY;
  #cache: WorldCache | null = null;
  #effects = noEffects;
  #keysVersion = 0;

  constructor(store: RegistryStore, deps: RegistryDeps) {
    this.store = store;
    this.#deps = deps;
  }

  /** Epoch milliseconds. */
  get nowMs(): number {
    return this.#deps.clock();
  }

  /** The saved world. */
  world(): World {
    return this.#cached().world;
  }

  /** The index of the saved world. */
  index(): WorldIndex {
    return this.#cached().index;
  }

  /** True if a departing task may be released now, or earlier than its deadline says. */
  mayRelease(): boolean {
    const { world, index } = this.#cached();
    if (index.departing.size === 0) return false;
    const nowMs = this.#deps.clock();
    const releaseAtMs = earliestReleaseMs(departuresOf(index, world), this.routers, nowMs);
    const deadlineMs = this.store.deadline("release") ?? Number.POSITIVE_INFINITY;
    return releaseAtMs <= nowMs || releaseAtMs < deadlineMs - minReleaseGainMs;
  }

  /** Counts the changes of the gateway keys since the start. */
  get keysVersion(): number {
    return this.#keysVersion;
  }

  /** The routing table of the saved world. */
  printedTable(): PrintedTable {
    const { table, world, index } = this.#cached();
    if (table.isPrinted) return table;
    table.update(world, index, null);
    table.confirm(isSavedTable(this.store, table) ? tableVersion(this.store) : null);
    return table;
  }

  /**
   * Runs one transaction. A MeshError from `work` means that nothing changed; any other error drops the
   * cache.
   *
   * @param reconcileWhen `if needed`: only if `work` changed what reconcile or the routing table depends on
   */
  change<T>(work: (draft: Draft) => T, reconcileWhen: "always" | "if needed" = "if needed"): T {
    const mustFollowClock = this.isClockSetBack();
    if (mustFollowClock) this.routers.followClock(this.#deps.clock());
    const cache = this.#cached();
    const draft = this.#newDraft(cache);
    try {
      const run = () => this.#run(draft, cache, work, { reconcileWhen, mustFollowClock });
      return this.#keep(cache, draft, this.store.transaction(run));
    } catch (error) {
      if (error instanceof MeshError) draft.undo();
      else this.#cache = null;
      throw error;
    }
  }

  /**
   * Replaces all rows, and settles the world that they have, in one transaction.
   *
   * @param load replaces the rows; a MeshError means that nothing changed
   * @param work as of `change`, on the new world
   */
  replace<T>(load: () => void, work: (draft: Draft) => T): T {
    try {
      return this.store.transaction(() => {
        load();
        // Times of the new rows may lie ahead.
        this.#latestMs = Number.POSITIVE_INFINITY;
        this.#cache = null;
        const cache = this.#cached();
        const draft = this.#newDraft(cache);
        const options = { reconcileWhen: "always", mustFollowClock: true } as const;
        return this.#keep(cache, draft, this.#run(draft, cache, work, options));
      });
    } catch (error) {
      this.#cache = null;
      throw error;
    }
  }

  /** True if the clock shows an earlier time than it did; the next transaction follows it. */
  isClockSetBack(): boolean {
    return this.#deps.clock() < this.#latestMs - clockToleranceMs;
  }

  /** Reconciles an unchanged world, because time has passed: a restart backoff is over, for example. */
  settle(): void {
    this.change(() => {}, "always");
  }

  /** Removes the nodes that have been down for too long. */
  forgetNodes(): void {
    this.change(forgetNodes);
  }

  /** Releases the departing tasks that may stop now. Every transaction does; this one does nothing else. */
  releaseDepartures(): void {
    this.change(() => {});
  }

  /** Adds regions to the effect that wakes probers. */
  wakeProbers(regions: readonly string[]): void {
    this.#effects = joinEffects(this.#effects, { ...noEffects, wakes: regions });
  }

  /** Adds a session to the effect that closes its sockets. */
  endSession(id: string): void {
    this.#effects = joinEffects(this.#effects, { ...noEffects, endedSessions: [id] });
  }

  /** The effects since the last call. */
  takeEffects(): Effects {
    const effects = { ...this.#effects, nextDeadlineMs: this.store.nextDeadline() };
    this.#effects = noEffects;
    return effects;
  }

  #newDraft({ world, index }: WorldCache): Draft {
    return new Draft(world, index, { ...this.#deps, store: this.store, nowMs: this.#deps.clock() });
  }

  /** Runs `work`, reconciles and saves; for use in a transaction. */
  #run<T>(
    draft: Draft,
    cache: WorldCache,
    work: (draft: Draft) => T,
    { reconcileWhen, mustFollowClock }: RunOptions,
  ): RunResult<T> {
    if (mustFollowClock) followClock(draft, this.#latestMs);
    const result = work(draft);
    if (draft.world.nodes !== draft.before.nodes) forgetNodes(draft);
    const isReconciled = reconcileWhen === "always" || needsReconcile(draft.before, draft.world);
    // Wakes from before the clock was set back lie ahead.
    const known = mustFollowClock ? null : cache.wakes;
    const wakes = isReconciled ? settleWorld(draft, known) : known;
    const effects = this.#save(draft, cache.table, isReconciled, mustFollowClock);
    return { result, wakes, effects, isReconciled, mustFollowClock };
  }

  /** Keeps what a transaction has saved. */
  #keep<T>(cache: WorldCache, draft: Draft, saved: RunResult<T>): T {
    const { result, wakes, effects, isReconciled, mustFollowClock } = saved;
    const { nowMs } = draft;
    cache.world = draft.world;
    cache.wakes = wakes;
    if (isReconciled) cache.table.confirm(tableVersion(this.store));
    this.#latestMs = mustFollowClock ? nowMs : Math.max(this.#latestMs, nowMs);
    this.#effects = joinEffects(this.#effects, effects);
    if (effects.hasNewKeys) this.#keysVersion += 1;
    return result;
  }

  #cached(): WorldCache {
    if (this.#cache !== null) return this.#cache;
    const world = firstVersions(this.store.world());
    const cache = { world, index: new WorldIndex(world), table: new PrintedTable(), wakes: null };
    this.#cache = cache;
    return cache;
  }

  #save(
    draft: Draft,
    table: PrintedTable,
    isReconciled: boolean,
    hasFollowedClock: boolean,
  ): TransactionEffects {
    if (isReconciled) table.update(draft.world, draft.index, draft);
    const raisedVersion = isReconciled ? raiseTableVersion(this.store, table) : null;
    // A task that is to leave is a reason to reconcile.
    if (isReconciled) recordDepartures(draft, raisedVersion ?? tableVersion(this.store));
    releaseTasks(draft, this.routers);
    const isListChanged = isProbeListChanged(draft.before, draft.world);
    if (isListChanged) scheduleRegionSweep(draft);
    const { before, world, events, closes, probes, gatewayChecks, resend, nowMs } = draft;
    this.store.saveWorld(before, world);
    // A prober whose clock stands still is woken, because its alarm does not ring.
    const wakesProbers = isListChanged || (hasFollowedClock && this.store.deadline("probers") !== null);
    const nodeIds = new Set([...nodesToReassign(before, world, draft.index), ...resend]);
    return {
      ...noEffects,
      events: this.store.appendEvents(
        this.#eventLimits.admit(events, nowMs, (event) => draft.senderOf(event)),
        nowMs,
      ),
      closes,
      probes,
      gatewayChecks,
      wakes: wakesProbers ? this.#deps.regions : [],
      tableVersion: raisedVersion,
      hasNewKeys: draft.hasNewKeys,
      assignments:
        nodeIds.size === 0
          ? []
          : assignmentsOf(world, nodeIds, {
              index: draft.index,
              resend,
              gatewayKeys: { keys: meshKeys(this.store), signing: signingKeyId(this.store) },
              sealSecret: this.#deps.sealSecret,
            }),
    };
  }
}
