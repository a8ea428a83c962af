// The registry: the mesh's memory and its one decider. Each command is one transaction: load, decide, save.
//
// The world is kept in memory between commands, but only as a cache: it takes the new world once a transaction stands
// and is dropped when one fails. What has to happen outside (frames, closes, the next alarm) is collected as Effects,
// for the shell to take once the call returned.

import { MeshError, type Result, toResult } from "../domain/model/error.ts";
import type { MeshEvent } from "../domain/model/event.ts";
import type { MeshNode } from "../domain/model/node.ts";
import type { ProbeList, ProbeReport } from "../domain/model/probe-list.ts";
import type { AdminState, ServerSpec } from "../domain/model/server.ts";
import type { Service } from "../domain/model/service.ts";
import { isAlive, type Task } from "../domain/model/task.ts";
import type { World } from "../domain/model/world.ts";
import { closeCodes, type TaskReport } from "../protocol/agent.ts";
import { setAdmin } from "./admin.ts";
import type {
  AdminTarget,
  MeshInfo,
  NodeChange,
  NodeJoinInput,
  RegistryOperations,
  RouterTableResponse,
  ServerInput,
  ServerView,
  ServiceSpecInput,
  ServiceView,
  TableResponse,
} from "./api.ts";
import { assignmentsOf, nodesToReassign } from "./assignments.ts";
import { goodbye, type HelloInput, hello, leaving } from "./connections.ts";
import { hasDepartures, recordDepartures, releaseTasks } from "./departures.ts";
import { Draft, type DraftContext, nodeSubject, taskSubject } from "./draft.ts";
import type { Effects } from "./effects.ts";
import { isCredentialOf, join, joinTokens, makeTokens, rotateTokens } from "./join.ts";
import { recordDisconnect, recordStart, sweep } from "./liveness.ts";
import { removeNode, updateNode } from "./nodes.ts";
import { redeem } from "./one-time-ids.ts";
import {
  applyProbeReports,
  emptyProbeList,
  isProbeListChanged,
  probeList,
  scheduleRegionSweep,
  sweepRegions,
} from "./probing.ts";
import { findNode, findService, findTask } from "./refs.ts";
import { applyReports } from "./reports.ts";
import { Routers, routerLiveMs } from "./routers.ts";
import { addServer, removeServer, serverViews, updateServer } from "./servers.ts";
import { createService, removeService, serviceViews, updateService } from "./services.ts";
import { settleWorld } from "./settle-world.ts";
import type { RegistryStore } from "./store.ts";
import { SuspectReports } from "./suspect-reports.ts";
import { needsReconcile, raiseTableVersion, tableText, tableVersion } from "./table-version.ts";
import { findTasks, type TaskFilter } from "./task-filter.ts";

/** What a registry is given instead of taking it from its surroundings. */
export type RegistryDeps = {
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly newId: () => string;
  /** `length` random base-36 digits. */
  readonly newSecret: (length: number) => string;
  readonly mode: "edge" | "local";
  /** Names of the regions that static servers are checked from, at least one. */
  readonly regions: readonly string[];
  readonly meshName: string;
};

type PendingEffects = { -readonly [K in Exclude<keyof Effects, "nextDeadlineMs">]: Effects[K] };

/** Base-36 digits of the key sticky cookies are signed with: 258 bits. */
const cookieKeyLength = 50;

const noEffects: PendingEffects = {
  assignments: [],
  tableVersion: null,
  events: [],
  closes: [],
  probes: [],
  wakes: [],
};

export class Registry implements RegistryOperations {
  readonly #store: RegistryStore;
  readonly #deps: RegistryDeps;
  #cache: World | null = null;
  #printed: { readonly version: number; readonly text: string } | null = null;
  #collected: PendingEffects = noEffects;
  #routers = new Routers(Number.POSITIVE_INFINITY);
  readonly #suspects = new SuspectReports();

  constructor(store: RegistryStore, deps: RegistryDeps) {
    this.#store = store;
    this.#deps = deps;
  }

  /**
   * Starts up: brings the tables up to date, founds the mesh if there is none, and notes which nodes lost their socket.
   * Comes first, after each start of the process or waking of the object. Nothing is decided here, because whatever
   * was saved was decided already: a start must be cheap, and must not fail where deciding does.
   *
   * @param hello nodes whose sockets outlived the pause
   */
  start(hello: ReadonlySet<string>): void {
    const nowMs = this.#deps.clock();
    this.#store.migrate(nowMs);
    const isNew = this.#store.meta("meshId") === null;
    // Nobody routes by a table there has never been; the routers of an older mesh are yet to be heard.
    this.#routers = new Routers(isNew ? nowMs : nowMs + routerLiveMs);
    if (isNew) this.#change((draft) => this.#found(draft), "decide");
    this.#change((draft) => {
      if (this.#store.meta("meshName") !== this.#deps.meshName) {
        this.#store.setMeta("meshName", this.#deps.meshName);
      }
      if (this.#store.meta("cookieKey") === null) {
        this.#store.setMeta("cookieKey", this.#deps.newSecret(cookieKeyLength));
      }
      recordStart(draft, hello);
    });
  }

  /** What the calls since the last `takeEffects` ask of the shell. */
  takeEffects(): Effects {
    const effects = { ...this.#collected, nextDeadlineMs: this.#store.nextDeadline() };
    this.#collected = noEffects;
    return effects;
  }

  nextDeadlineMs(): number | null {
    return this.#store.nextDeadline();
  }

  info(): MeshInfo {
    const { nodes, services } = this.#world();
    const views = serviceViews(this.#world(), [...services.values()]);
    return {
      id: this.#store.meta("meshId") ?? "",
      name: this.#store.meta("meshName") ?? "",
      createdAtMs: Number(this.#store.meta("createdAtMs")),
      tableVersion: tableVersion(this.#store),
      nodes: {
        total: nodes.size,
        ready: [...nodes.values()].filter(({ state }) => state === "ready").length,
      },
      services: services.size,
      tasks: {
        running: views.reduce((sum, { running }) => sum + running, 0),
        desired: views.reduce((sum, { desiredTasks }) => sum + desiredTasks, 0),
      },
    };
  }

  nodes(): readonly MeshNode[] {
    return [...this.#world().nodes.values()].sort(byAge);
  }

  node(ref: string): Result<MeshNode> {
    return toResult(() => findNode(this.#world(), ref));
  }

  updateNode(ref: string, version: number, change: NodeChange, actor: string): Result<MeshNode> {
    return toResult(() => this.#change((draft) => updateNode(draft, ref, version, change, actor)));
  }

  removeNode(ref: string, force: boolean, actor: string): Result<null> {
    return toNullResult(() => this.#change((draft) => removeNode(draft, ref, force, actor)));
  }

  services(): readonly ServiceView[] {
    return serviceViews(this.#world(), [...this.#world().services.values()].sort(byAge));
  }

  service(ref: string): Result<ServiceView> {
    return toResult(() => {
      const service = findService(this.#world(), ref);
      return serviceViews(this.#world(), [service])[0] ?? { ...service, running: 0, desiredTasks: 0 };
    });
  }

  createService(input: ServiceSpecInput, actor: string): Result<Service> {
    return toResult(() => this.#change((draft) => createService(draft, input, actor)));
  }

  updateService(
    ref: string,
    version: number,
    input: ServiceSpecInput | "rollback",
    actor: string,
  ): Result<Service> {
    return toResult(() => this.#change((draft) => updateService(draft, ref, version, input, actor)));
  }

  removeService(ref: string, actor: string): Result<null> {
    return toNullResult(() => this.#change((draft) => removeService(draft, ref, actor)));
  }

  servers(serviceRef: string | null): Result<readonly ServerView[]> {
    return toResult(() => serverViews(this.#world(), serviceRef));
  }

  addServer(serviceRef: string, input: ServerInput, actor: string): Result<ServerView> {
    return toResult(() => this.#change((draft) => addServer(draft, serviceRef, input, actor)));
  }

  updateServer(ref: string, version: number | null, spec: ServerSpec, actor: string): Result<ServerView> {
    return toResult(() => this.#change((draft) => updateServer(draft, ref, version, spec, actor)));
  }

  removeServer(ref: string, actor: string): Result<null> {
    return toNullResult(() => this.#change((draft) => removeServer(draft, ref, actor)));
  }

  setAdmin(target: AdminTarget, state: AdminState, actor: string): Result<null> {
    return toNullResult(() => this.#change((draft) => setAdmin(draft, target, state, actor)));
  }

  /** A prober says what it found, and which list it has; answered with the present list when that is another. */
  reportProbes(region: string, listHash: string, reports: readonly ProbeReport[]): ProbeList | null {
    this.#change((draft) => applyProbeReports(draft, region, reports));
    // A region that is not configured any more has nothing to check, so that its prober sleeps.
    const list = this.#deps.regions.includes(region) ? probeList(this.#world()) : emptyProbeList();
    return list.hash === listHash ? null : list;
  }

  tasks(filter: TaskFilter): Result<readonly Task[]> {
    return toResult(() => findTasks(this.#world(), filter));
  }

  task(ref: string): Result<Task> {
    return toResult(() => findTask(this.#world(), ref));
  }

  joinTokens(): { readonly worker: string; readonly manager: string } {
    return joinTokens(this.#store);
  }

  rotateJoinTokens(which: { readonly worker: boolean; readonly manager: boolean }, actor: string): null {
    this.#change((draft) => rotateTokens(draft, which, actor));
    return null;
  }

  join(input: NodeJoinInput): Result<{ readonly nodeId: string; readonly credential: string }> {
    return toResult(() => this.#change((draft) => join(draft, input)));
  }

  redeem(id: string, untilMs: number): boolean {
    return this.#store.transaction(() => redeem(this.#store, id, untilMs, this.#deps.clock()));
  }

  events(sinceSeq: number, limit: number): readonly MeshEvent[] {
    return this.#store.events(sinceSeq, limit);
  }

  table(afterVersion: number): TableResponse {
    const version = tableVersion(this.#store);
    if (version <= afterVersion) return { version, text: null };
    if (this.#printed?.version !== version) {
      this.#printed = { version, text: tableText(this.#world(), version) };
    }
    return this.#printed;
  }

  pollTable(routerId: string, afterVersion: number): RouterTableResponse {
    this.#recordRouterPoll(routerId, afterVersion);
    const response = this.table(afterVersion);
    const cookieKey = this.#store.meta("cookieKey");
    return response.text === null || cookieKey === null ? response : { ...response, cookieKey };
  }

  suspect(routerId: string, taskIds: readonly string[]): null {
    const nowMs = this.#deps.clock();
    const { tasks, nodes } = this.#world();
    const known = taskIds.flatMap((id) => tasks.get(id) ?? []).filter(isAlive);
    const live = this.#routers.live(nowMs);
    const ids = known.map(({ id }) => id);
    const found = new Set(this.#suspects.report(routerId, ids, live, nowMs));
    if (found.size === 0) return null;
    this.#change((draft) => {
      for (const node of nodes.values()) {
        const own = known.filter(({ id, nodeId }) => found.has(id) && nodeId === node.id);
        if (own.length > 0) draft.probes.push({ nodeId: node.id, taskIds: own.map(({ id }) => id) });
        for (const task of own) {
          draft.recordEvent(
            "registry",
            "task.suspect",
            taskSubject(draft.world, task),
            "routers get no answer from it",
          );
        }
      }
    });
    return null;
  }

  /** Whether an agent may open a socket as this node. */
  authenticateNode(nodeId: string, credential: string): boolean {
    return isCredentialOf(this.#store, nodeId, credential);
  }

  /** An agent said hello. Answered with its assignment, or, when what it says cannot be, with a close. */
  connected(nodeId: string, said: HelloInput): void {
    this.#speak(nodeId, (draft) => hello(draft, nodeId, said));
  }

  /** An agent reports on its tasks. A report that cannot be its to make closes its socket and changes nothing. */
  report(nodeId: string, tasks: readonly TaskReport[]): void {
    this.#speak(nodeId, (draft) => applyReports(draft, nodeId, tasks));
  }

  leaving(nodeId: string): void {
    this.#speak(nodeId, (draft) => leaving(draft, nodeId));
  }

  goodbye(nodeId: string, reason: string): void {
    this.#speak(nodeId, (draft) => goodbye(draft, nodeId, reason));
  }

  /** An agent sent what cannot be read; `reason` says what was read. Its socket is closed. */
  rejectMessage(nodeId: string, reason: string): void {
    this.#change((draft) => {
      const node = draft.world.nodes.get(nodeId);
      if (node) draft.recordEvent(`node ${node.hostname}`, "node.refused", nodeSubject(node), reason);
      draft.close(nodeId, closeCodes.badMessage, reason);
      recordDisconnect(draft, nodeId);
    });
  }

  /** A node's last socket closed. */
  socketClosed(nodeId: string): void {
    this.#change((draft) => recordDisconnect(draft, nodeId));
  }

  /**
   * Looks whether a node missed its beats. Called from the alarm, before `due`.
   *
   * @param heard when each node with an open socket was last heard, epoch milliseconds
   */
  checkHeartbeats(heard: ReadonlyMap<string, number>): void {
    this.#change((draft) => sweep(draft, heard));
  }

  /** Decides again when a delayed decision is ripe: a task waits out its backoff, for example. */
  runDueDeadlines(): void {
    const due = this.#store.dueDeadlines(this.#deps.clock());
    if (due.includes("probers")) this.#wake(this.#change((draft) => sweepRegions(draft)));
    if (due.includes("reconcile")) this.#settle();
    else if (due.includes("release")) this.#releaseDepartures();
  }

  /** Records which table a router routes by, and releases the tasks that waited for it. */
  #recordRouterPoll(routerId: string, version: number): void {
    // A router without a table routes no requests until it has the present one.
    const routesByVersion = version > 0 ? version : tableVersion(this.#store);
    this.#routers.recordPoll(routerId, routesByVersion, this.#deps.clock());
    if (hasDepartures(this.#world())) this.#releaseDepartures();
  }

  /** Reconciles an unchanged world, because time has passed: a restart backoff is over, for example. */
  #settle(): void {
    this.#change(() => {}, "decide");
  }

  /** Releases the departing tasks that may stop by now. Every transaction does; this one does nothing else. */
  #releaseDepartures(): void {
    this.#change(() => {});
  }

  #wake(wakes: readonly string[]): void {
    this.#collected = { ...this.#collected, wakes: [...new Set([...this.#collected.wakes, ...wakes])] };
  }

  #world(): World {
    this.#cache ??= this.#store.world();
    return this.#cache;
  }

  #found(draft: Draft): void {
    this.#store.setMeta("meshId", this.#deps.newId());
    this.#store.setMeta("createdAtMs", String(draft.nowMs));
    makeTokens(draft);
  }

  /** Lets an agent speak for its node. A node that is no more is sent away for good; other refusals may be redialled. */
  #speak(nodeId: string, work: (draft: Draft) => void): void {
    try {
      this.#change(work);
    } catch (error) {
      if (!(error instanceof MeshError)) throw error;
      if (error.kind !== "not-found") this.rejectMessage(nodeId, error.message);
      else this.#change((draft) => draft.close(nodeId, closeCodes.notAMember, error.message));
    }
  }

  /**
   * One transaction. `work` changes the draft; if anything that matters is another afterwards, or `decide` is said,
   * reconcile settles it. A MeshError means that nothing was changed; after any other error nothing in memory is believed.
   */
  #change<T>(work: (draft: Draft) => T, when: "decide" | "if changed" = "if changed"): T {
    const context: DraftContext = { ...this.#deps, store: this.#store, nowMs: this.#deps.clock() };
    try {
      const [result, world, collected] = this.#store.transaction(() => {
        const draft = new Draft(this.#world(), context);
        const result = work(draft);
        const decides = when === "decide" || needsReconcile(draft.before, draft.world);
        if (decides) settleWorld(draft);
        const collected = this.#save(draft, decides);
        return [result, draft.world, collected] as const;
      });
      this.#cache = world;
      this.#collect(collected);
      return result;
    } catch (error) {
      if (!(error instanceof MeshError)) this.#cache = null;
      throw error;
    }
  }

  #save(draft: Draft, decided: boolean): PendingEffects {
    const tableVersionRaised = decided ? raiseTableVersion(this.#store, draft.world) : null;
    recordDepartures(draft, tableVersionRaised ?? tableVersion(this.#store));
    releaseTasks(draft, this.#routers);
    const isListNew = isProbeListChanged(draft.before, draft.world);
    if (isListNew) scheduleRegionSweep(draft);
    const { before, world, events, closes, probes, resend, nowMs } = draft;
    this.#store.saveWorld(before, world);
    const nodes = new Set([...nodesToReassign(before, world), ...resend]);
    return {
      events: this.#store.appendEvents(events, nowMs),
      closes,
      probes,
      wakes: isListNew ? this.#deps.regions : [],
      tableVersion: tableVersionRaised,
      assignments: nodes.size === 0 ? [] : assignmentsOf(world, nodes, resend),
    };
  }

  #collect(more: PendingEffects): void {
    const have = this.#collected;
    this.#collected = {
      assignments: [...have.assignments, ...more.assignments],
      tableVersion: more.tableVersion ?? have.tableVersion,
      events: [...have.events, ...more.events],
      closes: [...have.closes, ...more.closes],
      probes: [...have.probes, ...more.probes],
      wakes: [...new Set([...have.wakes, ...more.wakes])],
    };
  }
}

type CreatedItem = { readonly id: string; readonly createdAtMs: number };

function byAge(a: CreatedItem, b: CreatedItem): number {
  return a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);
}

function toNullResult(work: () => void): Result<null> {
  return toResult(() => {
    work();
    return null;
  });
}
