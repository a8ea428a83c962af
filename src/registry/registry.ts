// The registry: the mesh's memory, and the only place that decides. It implements the operations of api.ts.

import { tableGateway } from "../domain/compile/compile-table.ts";
import type { Dependency, DependencyKind } from "../domain/model/dependency.ts";
import { type Result, toResult } from "../domain/model/error.ts";
import type { MeshEvent } from "../domain/model/event.ts";
import type { Network, NetworkSpec } from "../domain/model/network.ts";
import { isBalancer, type MeshNode } from "../domain/model/node.ts";
import type { GatewayCheck } from "../domain/model/node-gateway.ts";
import type { ProbeList, ProbeReport } from "../domain/model/probe-list.ts";
import type { AdminState, ServerSpec } from "../domain/model/server.ts";
import type { Service } from "../domain/model/service.ts";
import type { Task } from "../domain/model/task.ts";
import {
  type AgentClaim,
  type UpgradeRefusal,
  unknownToNewMesh,
  wrongCredential,
} from "../protocol/agent-upgrade.ts";
import type {
  BackupStarted,
  MeshContents,
  RestoreCommit,
  RestoreRequest,
  RestoreStarted,
} from "../protocol/backup.ts";
import { setAdmin } from "./admin.ts";
import { AgentSessions } from "./agent-sessions.ts";
import type {
  AdminTarget,
  DependencyInput,
  DependencyUpdate,
  DependencyView,
  JoinTokens,
  MeshInfo,
  NodeChange,
  NodeJoinInput,
  RegistryOperations,
  RelayAccess,
  RouterAccess,
  RouterTableKeys,
  RouterTableResponse,
  ServerInput,
  ServerView,
  ServiceSpecInput,
  ServiceView,
  TableResponse,
  TableUpdate,
  TaskFilter,
} from "./api.ts";
import { backupPart, startBackup } from "./backup.ts";
import {
  createDependency,
  dependenciesOf,
  dependencyView,
  findDependency,
  removeDependency,
  taskDependency,
  updateDependency,
  wrongNodeCredential,
} from "./dependencies.ts";
import type { Draft } from "./draft.ts";
import type { Effects } from "./effects.ts";
import { checkGatewaysAgain, recordGatewayCheck } from "./gateway-checks.ts";
import { advanceRotation, makeGatewayKey, meshKeys, rotateGatewayKey, signingKeyId } from "./gateway-keys.ts";
import { hasHadNodes, isCredentialOf, join, joinTokens, makeTokens, mayJoin, rotateTokens } from "./join.ts";
import { recordStart } from "./liveness.ts";
import { type LogCall, type LogTarget, signLogCalls } from "./log-calls.ts";
import { shareNetwork } from "./network-names.ts";
import { createNetwork, findNetwork, makeIngressNetwork, removeNetwork } from "./networks.ts";
import { removeNode, updateNode } from "./nodes.ts";
import { PrintedUpdates } from "./printed-updates.ts";
import { applyProbeReports, emptyProbeList, probeList, sweepRegions } from "./probing.ts";
import { findNode, findService, findTask, findTasks } from "./refs.ts";
import { followBackup, loadBackup, orUnusable, putRestorePart, startRestore } from "./restore.ts";
import { routerLiveMs } from "./routers.ts";
import { addServer, removeServer, serverViews, updateServer } from "./servers.ts";
import { createService, removeService, serviceViews, updateService } from "./services.ts";
import { closeSession, isSessionOpen, openSession, type SessionRole } from "./sessions.ts";
import type { RegistryStore } from "./store.ts";
import { recordSuspects, SuspectReports } from "./suspect-reports.ts";
import { formatRefusal } from "./table-formats.ts";
import { tableVersion } from "./table-version.ts";
import { type RegistryDeps, Transactions } from "./transactions.ts";
import { endTransfer, expireTransfer, findTransfer, lastTransfer } from "./transfer.ts";

/** Base-36 digits of the key that signs sticky cookies: 258 bits. */
const cookieKeyLength = 50;

export class Registry implements RegistryOperations {
  readonly agents: AgentSessions;
  readonly #store: RegistryStore;
  readonly #deps: RegistryDeps;
  readonly #transactions: Transactions;
  readonly #suspects = new SuspectReports();
  readonly #updates = new PrintedUpdates({
    text: (version) => this.#tableText(version),
    change: (fromVersion) => this.#transactions.printedTable().change(fromVersion, signingKeyId(this.#store)),
  });

  constructor(store: RegistryStore, deps: RegistryDeps) {
    this.#store = store;
    this.#deps = deps;
    this.#transactions = new Transactions(store, deps);
    this.agents = new AgentSessions(this.#transactions);
  }

  /**
   * Upgrades the tables, creates the mesh if it does not exist, and records which nodes lost their socket.
   * Must be the first call after each start of the process or wake-up of the object. It reconciles only a new
   * mesh, because a saved world is a settled one: a start must be cheap, and must not fail where reconciling
   * fails.
   *
   * @param connected nodes whose sockets survived the pause
   */
  start(connected: ReadonlySet<string>): void {
    const nowMs = this.#deps.clock();
    this.#store.migrate(nowMs);
    const isNew = this.#store.meta("meshId") === null;
    // No router routes by the table of a new mesh; the routers of an older one have yet to poll.
    this.#transactions.routers.start(isNew ? nowMs : nowMs + routerLiveMs);
    if (isNew) this.#transactions.change((draft) => this.#createMesh(draft), "always");
    this.#transactions.change((draft) => {
      this.#completeMesh(draft);
      recordStart(draft, connected);
    });
  }

  /** The effects of all calls since the last `takeEffects`. */
  takeEffects(): Effects {
    return this.#transactions.takeEffects();
  }

  /** True if the clock was set back, and `followClock` must be called. */
  isClockSetBack(): boolean {
    return this.#transactions.isClockSetBack();
  }

  /** Sets times that lie ahead to now, after the clock was set back. */
  followClock(): void {
    this.#transactions.change(() => {});
  }

  nextDeadlineMs(): number | null {
    return this.#store.nextDeadline();
  }

  /**
   * Handles the due deadlines: wakes silent probers, forgets nodes, checks gateways again, reconciles after a
   * delay, releases departing tasks.
   */
  runDueDeadlines(): void {
    const nowMs = this.#deps.clock();
    const due = this.#store.dueDeadlines(nowMs);
    this.#store.transaction(() => expireTransfer(this.#store, nowMs));
    if (due.includes("probers")) {
      this.#transactions.wakeProbers(this.#transactions.change((draft) => sweepRegions(draft)));
    }
    if (due.includes("forget")) this.#transactions.forgetNodes();
    if (due.includes("gateway-keys")) this.#transactions.change(advanceRotation, "always");
    if (due.includes("gateway-checks")) this.#transactions.change(checkGatewaysAgain);
    if (due.includes("reconcile")) this.#transactions.settle();
    else if (due.includes("release")) this.#transactions.releaseDepartures();
  }

  /** Records the result of a check of `gatewayChecks` in the effects. */
  recordGatewayCheck(nodeId: string, check: GatewayCheck): void {
    this.#transactions.change((draft) => recordGatewayCheck(draft, nodeId, check));
  }

  info(): MeshInfo {
    const world = this.#transactions.world();
    const nodes = [...world.nodes.values()].filter((node) => !isBalancer(node));
    const services = serviceViews(world, this.#transactions.index(), [...world.services.values()]);
    return {
      id: this.#store.meta("meshId") ?? "",
      name: this.#store.meta("meshName") ?? "",
      createdAtMs: Number(this.#store.meta("createdAtMs")),
      tableVersion: tableVersion(this.#store),
      nodes: { total: nodes.length, ready: nodes.filter(({ state }) => state === "ready").length },
      services: services.length,
      tasks: {
        running: services.reduce((sum, { running }) => sum + running, 0),
        desired: services.reduce((sum, { desiredTasks }) => sum + desiredTasks, 0),
      },
    };
  }

  nodes(): readonly MeshNode[] {
    return [...this.#transactions.world().nodes.values()].sort(byAge);
  }

  node(ref: string): Result<MeshNode> {
    return toResult(() => findNode(this.#transactions.world(), ref));
  }

  updateNode(ref: string, version: number, change: NodeChange, actor: string): Result<MeshNode> {
    return this.#change((draft) => updateNode(draft, ref, version, change, actor));
  }

  removeNode(ref: string, force: boolean, actor: string): Result<null> {
    return this.#command((draft) => removeNode(draft, ref, force, actor));
  }

  services(): readonly ServiceView[] {
    const world = this.#transactions.world();
    return serviceViews(world, this.#transactions.index(), [...world.services.values()].sort(byAge));
  }

  service(ref: string): Result<ServiceView> {
    return toResult(() => {
      const world = this.#transactions.world();
      const service = findService(world, ref);
      const [view] = serviceViews(world, this.#transactions.index(), [service]);
      return view ?? { ...service, running: 0, desiredTasks: 0, completed: 0 };
    });
  }

  createService(input: ServiceSpecInput, actor: string): Result<Service> {
    return this.#change((draft) => createService(draft, input, actor));
  }

  updateService(
    ref: string,
    version: number,
    input: ServiceSpecInput | "rollback",
    actor: string,
  ): Result<Service> {
    return this.#change((draft) => updateService(draft, ref, version, input, actor));
  }

  removeService(ref: string, actor: string): Result<null> {
    return this.#command((draft) => removeService(draft, ref, actor));
  }

  networks(): readonly Network[] {
    return [...this.#transactions.world().networks.values()].sort(byAge);
  }

  network(ref: string): Result<Network> {
    return toResult(() => findNetwork(this.#transactions.world(), ref));
  }

  createNetwork(spec: NetworkSpec, actor: string): Result<Network> {
    return this.#change((draft) => createNetwork(draft, spec, actor));
  }

  removeNetwork(ref: string, actor: string): Result<null> {
    return this.#command((draft) => removeNetwork(draft, ref, actor));
  }

  dependencies(kind: DependencyKind): readonly Dependency[] {
    return dependenciesOf(this.#store, kind);
  }

  dependency(kind: DependencyKind, ref: string): Result<DependencyView> {
    return toResult(() => dependencyView(this.#store, kind, ref, this.#deps.sealSecret));
  }

  createDependency(input: DependencyInput, actor: string): Result<Dependency> {
    return this.#change((draft) => createDependency(draft, input, actor));
  }

  updateDependency(
    kind: DependencyKind,
    ref: string,
    version: number,
    update: DependencyUpdate,
    actor: string,
  ): Result<null> {
    return this.#command((draft) =>
      updateDependency(draft, findDependency(draft.store, kind, ref), version, update, actor),
    );
  }

  removeDependency(kind: DependencyKind, ref: string, actor: string): Result<null> {
    return this.#command((draft) => removeDependency(draft, findDependency(draft.store, kind, ref), actor));
  }

  taskDependency(nodeId: string, credential: string, id: string): Result<string> {
    return toResult(() => {
      if (!isCredentialOf(this.#store, nodeId, credential))
        throw wrongNodeCredential(nodeId, hasHadNodes(this.#store));
      return taskDependency(this.#store, this.#transactions.world(), { nodeId, id }, this.#deps.sealSecret);
    });
  }

  servers(serviceRef: string | null): Result<readonly ServerView[]> {
    return toResult(() => serverViews(this.#transactions.world(), serviceRef));
  }

  addServer(serviceRef: string, input: ServerInput, actor: string): Result<ServerView> {
    return this.#change((draft) => addServer(draft, serviceRef, input, actor));
  }

  updateServer(ref: string, version: number | null, spec: ServerSpec, actor: string): Result<ServerView> {
    return this.#change((draft) => updateServer(draft, ref, version, spec, actor));
  }

  removeServer(ref: string, actor: string): Result<null> {
    return this.#command((draft) => removeServer(draft, ref, actor));
  }

  setAdmin(target: AdminTarget, state: AdminState, actor: string): Result<null> {
    return this.#command((draft) => setAdmin(draft, target, state, actor));
  }

  tasks(filter: TaskFilter): Result<readonly Task[]> {
    return toResult(() => findTasks(this.#transactions.world(), filter));
  }

  task(ref: string): Result<Task> {
    return toResult(() => findTask(this.#transactions.world(), ref));
  }

  signLogs(targets: readonly LogTarget[]): readonly LogCall[] {
    const { nodes } = this.#transactions.world();
    return signLogCalls(targets, nodes, (nodeId) => this.#store.credentialHash(nodeId), this.#deps.clock());
  }

  joinTokens(): JoinTokens {
    return joinTokens(this.#store);
  }

  rotateJoinTokens(which: { readonly worker: boolean; readonly manager: boolean }, actor: string): null {
    this.#transactions.change((draft) => rotateTokens(draft, which, actor));
    return null;
  }

  rotateGatewayKey(actor: string): null {
    this.#transactions.change((draft) => rotateGatewayKey(draft, actor));
    return null;
  }

  join(input: NodeJoinInput): Result<{ readonly nodeId: string; readonly credential: string }> {
    return this.#change((draft) => join(draft, input));
  }

  authenticateNode(nodeId: string, credential: string): boolean {
    return this.agents.authenticateNode(nodeId, credential);
  }

  refuseNode({ nodeId, credential, joinToken }: AgentClaim): UpgradeRefusal | null {
    if (this.agents.authenticateNode(nodeId, credential)) return null;
    const joinsAgain = hasHadNodes(this.#store) || (joinToken !== null && mayJoin(this.#store, joinToken));
    return joinsAgain ? wrongCredential(nodeId) : unknownToNewMesh(nodeId);
  }

  startBackup(actor: string): Result<BackupStarted> {
    return this.#change((draft) => startBackup(draft, actor));
  }

  backupPart(id: string, number: number): Result<string> {
    return toResult(() => backupPart(this.#store, id, number, this.#deps.clock()));
  }

  startRestore(request: RestoreRequest, _actor: string): Result<RestoreStarted> {
    return this.#change((draft) => startRestore(draft, request));
  }

  putRestorePart(id: string, number: number, part: string): Result<null> {
    return this.#command((draft) => putRestorePart(draft, id, number, part));
  }

  commitRestore(id: string, commit: RestoreCommit, actor: string): Result<MeshContents> {
    return toResult(() => {
      const nowMs = this.#deps.clock();
      const { restored } = findTransfer(this.#store, "restore", id, nowMs);
      if (restored !== undefined) return restored;
      const before = this.#transactions.world();
      const load = () => loadBackup(this.#store, { id, commit, actor, before, nowMs, ...this.#deps });
      const follow = (draft: Draft) => {
        this.#completeMesh(draft);
        return followBackup(draft, id, before);
      };
      const contents = orUnusable(() => this.#transactions.replace(load, follow));
      // No router of the backed-up mesh has polled here.
      this.#transactions.routers.start(nowMs + routerLiveMs);
      this.#transactions.wakeProbers(this.#deps.regions);
      return contents;
    });
  }

  endTransfer(id: string): null {
    this.#transactions.change(({ store }) => {
      if (lastTransfer(store)?.id === id) endTransfer(store);
    });
    return null;
  }

  redeem(id: string, untilMs: number): boolean {
    return this.#store.transaction(() => this.#store.redeem(id, untilMs, this.#deps.clock()));
  }

  openSession(id: string, untilMs: number, role: SessionRole): null {
    this.#store.transaction(() => openSession(this.#store, { id, untilMs, role }, this.#deps.clock()));
    return null;
  }

  isSessionOpen(id: string): boolean {
    return isSessionOpen(this.#store, id, this.#deps.clock());
  }

  closeSession(id: string): null {
    this.#store.transaction(() => closeSession(this.#store, id));
    this.#transactions.endSession(id);
    return null;
  }

  events(sinceSeq: number, limit: number): readonly MeshEvent[] {
    return this.#store.events(sinceSeq, limit);
  }

  newestEvents(limit: number): readonly MeshEvent[] {
    return this.#store.newestEvents(limit);
  }

  table(afterVersion: number, _callerMs?: number, formats?: readonly number[]): TableResponse {
    const version = tableVersion(this.#store);
    if (formats !== undefined) {
      const refusal = formatRefusal(formats);
      if (refusal !== null) return { version, text: null, refusal };
    }
    if (version <= afterVersion) return { version, text: null };
    const change =
      formats === undefined || afterVersion < 0 ? null : this.#updates.change(version, afterVersion);
    if (change !== null) return { version, text: change };
    return { version, text: this.#updates.text(version) };
  }

  pollTable(routerId: string, afterVersion: number): RouterTableResponse {
    this.recordRouter(routerId, afterVersion);
    const response = this.table(afterVersion);
    return response.text === null ? response : { ...response, ...this.routerKeys() };
  }

  /** Records which table a router routes by, and releases the tasks that waited for it. */
  recordRouter(routerId: string, version: number): void {
    // A router without a table routes no requests until it has the current one. One that is known routes by the
    // table that it had, and needs another.
    const { routers } = this.#transactions;
    const routesByVersion =
      version > 0 ? version : (routers.versionOf(routerId) ?? tableVersion(this.#store));
    routers.recordPoll(routerId, routesByVersion, this.#deps.clock());
    if (this.#transactions.mayRelease()) this.#transactions.releaseDepartures();
  }

  /** The version of the routing table. */
  get tableVersion(): number {
    return tableVersion(this.#store);
  }

  /** What a router that routes by `afterVersion` gets: the version, and what is newer. */
  tableUpdate(afterVersion: number): { readonly version: number; readonly table: TableUpdate | null } {
    const version = tableVersion(this.#store);
    if (version <= afterVersion) return { version, table: null };
    const text = afterVersion < 0 ? null : this.#updates.change(version, afterVersion);
    if (text !== null) return { version, table: { kind: "change", text } };
    return { version, table: { kind: "whole", gzip: this.#updates.whole(version) } };
  }

  /** Prints the table, so that the change to the next version is known. */
  prepareTable(): void {
    this.#transactions.printedTable();
  }

  /** Changes when the keys of routers do. */
  get keysVersion(): number {
    return this.#transactions.keysVersion;
  }

  routerKeys(): RouterTableKeys {
    const cookieKey = this.#store.meta("cookieKey");
    return cookieKey === null ? {} : { cookieKey, gatewayKeys: meshKeys(this.#store) };
  }

  /** A router's poll waits for a newer table: the router is live, and routes by the version it polled with. */
  holdRouter(routerId: string): void {
    this.#transactions.routers.hold(routerId);
  }

  releaseRouter(routerId: string): void {
    this.#transactions.routers.release(routerId, this.#deps.clock());
  }

  routerAccess(nodeId: string, credential: string): RouterAccess {
    if (!isCredentialOf(this.#store, nodeId, credential)) return hasHadNodes(this.#store) ? "refused" : "new";
    const node = this.#transactions.world().nodes.get(nodeId);
    return node?.listeners === undefined ? "unlisted" : "granted";
  }

  relayAccess(routerId: string, credential: string, nodeId: string): RelayAccess {
    const world = this.#transactions.world();
    const access = this.routerAccess(routerId, credential);
    // A node without published ports reaches those that have tasks on its networks.
    const router =
      access === "unlisted" && shareNetwork(world, this.#transactions.index(), routerId, nodeId)
        ? "granted"
        : access;
    const node = router === "granted" ? world.nodes.get(nodeId) : undefined;
    return { router, gateway: node === undefined ? null : tableGateway(node) };
  }

  suspect(routerId: string, taskIds: readonly string[]): null {
    const nowMs = this.#deps.clock();
    const world = this.#transactions.world();
    const liveRouters = this.#transactions.routers.live(nowMs);
    const suspects = this.#suspects.report(world, routerId, taskIds, liveRouters, nowMs);
    if (suspects.length > 0) this.#transactions.change((draft) => recordSuspects(draft, suspects));
    return null;
  }

  reportProbes(region: string, listHash: string, reports: readonly ProbeReport[]): ProbeList | null {
    this.#transactions.change((draft) => applyProbeReports(draft, region, reports));
    // A region that was removed from the configuration has nothing to check, so its prober sleeps.
    const isConfigured = this.#deps.regions.includes(region);
    const list = isConfigured ? probeList(this.#transactions.world()) : emptyProbeList();
    return list.hash === listHash ? null : list;
  }

  #tableText(version: number): string {
    return this.#transactions.printedTable().text(version, signingKeyId(this.#store));
  }

  #createMesh(draft: Draft): void {
    this.#store.setMeta("meshId", this.#deps.newId());
    this.#store.setMeta("createdAtMs", String(draft.nowMs));
    makeTokens(draft);
  }

  /** Adds what a mesh of an earlier release does not have. */
  #completeMesh(draft: Draft): void {
    if (this.#store.meta("meshName") !== this.#deps.meshName) {
      this.#store.setMeta("meshName", this.#deps.meshName);
    }
    if (this.#store.meta("cookieKey") === null) {
      this.#store.setMeta("cookieKey", this.#deps.newSecret(cookieKeyLength));
    }
    makeGatewayKey(draft);
    makeIngressNetwork(draft);
  }

  /** A change whose refusal is a Result. */
  #change<T>(work: (draft: Draft) => T): Result<T> {
    return toResult(() => this.#transactions.change(work));
  }

  /** A change without a value in its Result. */
  #command(work: (draft: Draft) => void): Result<null> {
    return this.#change((draft) => {
      work(draft);
      return null;
    });
  }
}

type CreatedItem = { readonly id: string; readonly createdAtMs: number };

function byAge(a: CreatedItem, b: CreatedItem): number {
  return a.createdAtMs - b.createdAtMs || (a.id < b.id ? -1 : 1);
}
