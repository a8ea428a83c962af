// Decides which target gets a client's connection: the choice for services in mode tcp, without any socket.

import type { RoutingTable, TableService } from "../../domain/table/table.ts";
import type { ProxyProtocol } from "../../domain/table/tcp-options.ts";
import { Meter } from "../../telemetry/meter.ts";
import { type OpenRequest, OpenRequests } from "../resilience/open-requests.ts";
import { Outliers } from "../resilience/outliers.ts";
import { RequestQueue, type Waiter } from "../resilience/request-queue.ts";
import { Cursors } from "../routing/cursors.ts";
import { type PickState, pickTarget } from "../routing/pick-target.ts";
import { keyOf } from "../routing/policies/policies.ts";
import { type EntryNode, type Route, Routes, routeAt } from "../routing/routes.ts";
import { SmoothWeights } from "../routing/smooth-weights.ts";
import type { Target, TargetPool } from "../routing/target-pool.ts";
import { type BytesOf, type CountedConnection, TcpTraffic } from "./tcp-traffic.ts";

/** Where a client's connection came in. */
export type TcpEntry = {
  /** The node whose address it is; null at the balancer. */
  readonly nodeId: string | null;
  /** The published port. */
  readonly port: number;
};

/**
 * What became of an attempt to connect to a target. No byte of the client was sent.
 * - `refused`: nothing accepts connections at the target's port;
 * - `gone`: its node has no such task, or it is stopping;
 * - `full`: it has its maximum of open connections;
 * - `unreached`: its gateway or server did not answer in time, or not as it should.
 */
export type ConnectFailure = "refused" | "gone" | "full" | "unreached";

/** What a connection does next. */
export type TcpStep =
  /** It connects to a target, or gives up after `withinMs`. It is counted at the target already. */
  | { readonly kind: "connect"; readonly target: Target; readonly withinMs: number }
  /** It waits for so long, and asks again. */
  | { readonly kind: "wait"; readonly ms: number }
  /** It ends. `reason`: a sentence for the operator's log. */
  | { readonly kind: "refuse"; readonly reason: string };

/** How long a target may take to accept a connection, milliseconds (HAProxy `timeout connect`). */
const tcpConnectMs = 5_000;

/** The idle timeout of a service that sets none, milliseconds. Envoy's default; HAProxy suggests it for tunnels. */
const defaultIdleTimeoutMs = 3_600_000;

/** How long a connection whose tasks are all gone waits for a newer table, and how often it looks, milliseconds. */
const newerTableMs = 2_000;
const newerTablePollMs = 50;

/**
 * The services in mode tcp, and what all connections of this process share.
 *
 * @see docs/decisions/0077-tcp-in-the-listeners.md
 */
export class TcpRouter {
  readonly state: PickState;
  readonly queue = new RequestQueue();
  readonly traffic: TcpTraffic;
  #routes: Routes | null = null;

  /** @param random [0, 1) @param id of this process in telemetry, new with each start */
  constructor(nowMs: () => number, random: () => number, id: string) {
    const outliers = new Outliers();
    const ejectedMs = (taskId: string, atMs: number) => outliers.ejectedForMs(taskId, atMs);
    this.traffic = new TcpTraffic(new Meter({ isolate: id, ejectedMs }));
    this.traffic.meter.colo = "local";
    this.state = {
      outliers,
      cursors: new Cursors(random),
      openRequests: new OpenRequests(),
      smoothWeights: new SmoothWeights(),
      random,
      nowMs,
    };
  }

  /** Routes further connections by a table. */
  setTable(table: RoutingTable): void {
    this.setRoutes(new Routes(table));
  }

  /** The same with a table that is indexed already. */
  setRoutes(routes: Routes): void {
    this.#routes = routes;
  }

  /** The current table, indexed; null before the first. */
  get routes(): Routes | null {
    return this.#routes;
  }

  /** Begins the choice for a client's connection. @param client its IP address */
  choose(entry: TcpEntry, client: string): TcpChoice {
    return new TcpChoice(this, entry, client);
  }
}

/** The choice for one connection. Each target is tried once. */
export class TcpChoice {
  readonly #router: TcpRouter;
  readonly #entry: TcpEntry;
  readonly #client: string;
  readonly #tried = new Set<string>();
  readonly #failures = new Map<ConnectFailure, number>();
  #target: Target | null = null;
  #open: OpenRequest | null = null;
  /** Null until its service is known. */
  #counted: CountedConnection | null = null;
  /** Its place in the queue of a service. */
  #queued: { readonly serviceId: string; readonly waiter: Waiter; readonly untilMs: number } | null = null;
  /** The table by which the last tasks were gone, and until when a newer one may have others. */
  #gone: { readonly version: number; readonly untilMs: number } | null = null;

  constructor(router: TcpRouter, entry: TcpEntry, client: string) {
    this.#router = router;
    this.#entry = entry;
    this.#client = client;
  }

  /** Decides by the current table. */
  step(nowMs: number): TcpStep {
    const place = this.#place();
    if (typeof place === "string") return refuse(place);
    const { service } = place.route;
    this.#counted ??= this.#router.traffic.begin(service, place.node === "direct" ? null : place.node);
    const step = this.#stepAt(place, nowMs);
    if (step.kind === "refuse") this.#counted.refused();
    return step;
  }

  #stepAt(place: Place, nowMs: number): TcpStep {
    const { route, pool } = place;
    const { queue } = this.#router;
    const { id } = route.service;
    if (this.#queued !== null && this.#target !== null) return this.#connectQueued(this.#target, pool);
    if (this.#queued === null && (!pool.hasMaxconn || queue.length(id, nowMs) === 0)) {
      const target = this.#pick(place);
      if (target !== null) return this.#connect(target, pool);
    }
    if (!pool.hasMaxconn || !this.#hasUntried(pool)) return this.#withoutTarget(route, pool, nowMs);
    const waiter = this.#queued?.waiter ?? this.#waiterOf();
    if (this.#queued === null) {
      if (queue.length(id, nowMs) >= pool.rules.queue || queue.isFull) {
        return refuse(
          `each target of ${route.service.name} has its maximum of connections, and its queue is full`,
        );
      }
      this.#queued = { serviceId: id, waiter, untilMs: nowMs + pool.rules.queueTimeoutMs };
    }
    const waitMs = queue.poll(id, waiter, nowMs);
    if (this.#target !== null) return this.#connectQueued(this.#target, pool);
    const leftMs = this.#queued.untilMs - nowMs;
    if (leftMs > 0) return { kind: "wait", ms: Math.min(waitMs, leftMs) };
    this.#leaveQueue();
    return refuse(
      `each target of ${route.service.name} has its maximum of connections, and none ended in ${pool.rules.queueTimeoutMs} ms`,
    );
  }

  /** Records that the target of the last step has accepted the connection, whose bytes are counted. */
  connected(nowMs: number, bytesOf: BytesOf): void {
    this.#counted?.connected(bytesOf);
    if (this.#target !== null) this.#router.state.outliers.responded(this.#target.taskId, nowMs);
  }

  /** Records that the target of the last step did not accept the connection, which may go to another. */
  failed(failure: ConnectFailure, nowMs: number): void {
    const target = this.#target;
    if (target === null) return;
    const { outliers } = this.#router.state;
    this.#failures.set(failure, (this.#failures.get(failure) ?? 0) + 1);
    const isFailing = failure === "refused" || failure === "unreached";
    this.#counted?.failed(target, isFailing && outliers.failed(target.taskId, nowMs));
    if (failure === "gone") {
      this.#gone = { version: this.#router.routes?.version ?? 0, untilMs: nowMs + newerTableMs };
    }
    this.#release();
  }

  /** The connection has ended, or is given up. */
  end(): void {
    this.#leaveQueue();
    this.#release();
    this.#counted?.end();
    this.#counted = null;
  }

  /** The service by the current table; null if it is not published any more. */
  get service(): TableService | null {
    const place = this.#place();
    return typeof place === "string" ? null : place.route.service;
  }

  #place(): Place | string {
    const { routes } = this.#router;
    const { nodeId, port } = this.#entry;
    const match = routes?.matchTcp(port) ?? null;
    const node = nodeId === null ? "direct" : routes?.node(nodeId);
    if (match === null) return `no service in mode tcp is published on port ${port}`;
    if (node === undefined) return `this mesh has no node ${nodeId}`;
    const route = routeAt(match, node);
    return { route, node, pool: route.pool(node) };
  }

  /** Picks a target and counts the connection at it. */
  #pick({ route, node, pool }: Place): Target | null {
    const key = keyOf(pool.rules.policy, this.#client, "", noHeaders);
    const hints = key === null ? null : { key, stickyTarget: null, stickyCookie: null, canaryOf: null };
    const query = { cursor: route.cursorAt(node), tried: this.#tried, isRepeatable: true, hints };
    const target = pickTarget(this.#router.state, pool, query);
    if (target === null) return null;
    this.#counted?.sent(target, this.#tried.size > 0);
    this.#tried.add(target.taskId);
    this.#target = target;
    this.#open = this.#router.state.openRequests.open(target.taskId, Number.POSITIVE_INFINITY);
    return target;
  }

  #connect(target: Target, pool: TargetPool): TcpStep {
    return { kind: "connect", target, withinMs: connectMs(target, pool) };
  }

  /** The queue has given the connection a target. */
  #connectQueued(target: Target, pool: TargetPool): TcpStep {
    this.#queued = null;
    return this.#connect(target, pool);
  }

  #hasUntried(pool: TargetPool): boolean {
    return [pool, pool.backups].some((tier) => tier?.ids.some((id) => !this.#tried.has(id)));
  }

  #waiterOf(): Waiter {
    return {
      isSelective: this.#tried.size > 0,
      take: () => {
        const place = this.#place();
        return typeof place !== "string" && this.#pick(place) !== null;
      },
    };
  }

  #withoutTarget({ service }: Route, { all }: TargetPool, nowMs: number): TcpStep {
    this.#leaveQueue();
    const version = this.#router.routes?.version ?? 0;
    if (this.#gone !== null && this.#gone.version === version && nowMs < this.#gone.untilMs) {
      return { kind: "wait", ms: newerTablePollMs };
    }
    if (this.#tried.size > 0) {
      const counts = [...this.#failures].map(([failure, count]) => `${count} ${failure}`);
      return refuse(`no target of ${service.name} accepted the connection: ${counts.join(", ")}`);
    }
    const why =
      all.length === 0 ? "has no live task or server" : "has only targets in drain or with weight 0";
    return refuse(`${service.name} ${why}`);
  }

  #leaveQueue(): void {
    if (this.#queued !== null) this.#router.queue.leave(this.#queued.serviceId, this.#queued.waiter);
    this.#queued = null;
  }

  /** The connection counts at its target no more; the first one in the queue finds that at its next step. */
  #release(): void {
    if (this.#open !== null) this.#router.state.openRequests.close(this.#open);
    this.#target = null;
    this.#open = null;
  }
}

type Place = { readonly route: Route; readonly node: EntryNode; readonly pool: TargetPool };

const noHeaders = { get: () => null };

/** A gateway may keep the connection in its own queue first. */
function connectMs({ gateway }: Target, { hasMaxconn, rules }: TargetPool): number {
  return tcpConnectMs + (hasMaxconn && gateway !== null ? rules.queueTimeoutMs : 0);
}

function refuse(reason: string): TcpStep {
  return { kind: "refuse", reason };
}

/** How the connections of a service are forwarded. */
export type TcpSettings = {
  readonly sendProxy: ProxyProtocol | null;
  /** 0: never. */
  readonly idleTimeoutMs: number;
};

export function tcpSettings({ options = {} }: TableService): TcpSettings {
  return {
    sendProxy: options.sendProxy ?? null,
    idleTimeoutMs: options.idleTimeoutMs ?? defaultIdleTimeoutMs,
  };
}
