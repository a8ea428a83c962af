// Counts the connections of services in mode tcp, in the counters of requests: a connection is a request, an
// attempt to connect is an attempt.

import { counterIndex } from "../../telemetry/counters.ts";
import type { Meter, MeteredEntity } from "../../telemetry/meter.ts";
import type { MetricSet } from "../../telemetry/metrics.ts";
import { SuspectList } from "../resilience/suspects.ts";
import type { Target } from "../routing/target-pool.ts";

/** Bytes that have come from a client, and that were sent to it. */
export type BytesOf = () => { readonly received: number; readonly sent: number };

/** The connections of one process. */
export class TcpTraffic {
  readonly meter: Meter;
  /** Targets that were ejected, to report to the registry. */
  readonly suspects = new SuspectList();
  readonly #live = new Set<CountedConnection>();
  /** Something was counted since the last `refresh`. */
  hasChanged = false;

  constructor(meter: Meter) {
    this.meter = meter;
  }

  /** A client has connected. @param node whose entry point it is; null at a balancer */
  begin(service: MeteredEntity, node: MeteredEntity | null): CountedConnection {
    const connection = new CountedConnection(this, service, node);
    this.#live.add(connection);
    return connection;
  }

  /** Brings bytes and gauges of open connections up to date. @returns true if anything changed */
  refresh(): boolean {
    for (const connection of this.#live) connection.refresh();
    const hasChanged = this.hasChanged;
    this.hasChanged = false;
    return hasChanged;
  }

  ended(connection: CountedConnection): void {
    this.#live.delete(connection);
  }
}

/** One connection of a client. */
export class CountedConnection {
  readonly #traffic: TcpTraffic;
  readonly #service: MeteredEntity;
  readonly #entry: MetricSet;
  #generation: number;
  #task: MetricSet | null = null;
  #bytesOf: BytesOf | null = null;
  #counted = { received: 0, sent: 0 };

  constructor(traffic: TcpTraffic, service: MeteredEntity, node: MeteredEntity | null) {
    this.#traffic = traffic;
    this.#service = service;
    this.#entry = traffic.meter.entry(service, node);
    this.#generation = traffic.meter.generation;
    this.#entry.open.increment();
    this.#add(this.#entry, counterIndex.requests);
  }

  /** An attempt to connect to a target. @param isRetry after a failed one */
  sent(target: Target, isRetry: boolean): void {
    this.refresh();
    this.#task = this.#traffic.meter.task(target, this.#service);
    this.#task.open.increment();
    this.#countBoth(counterIndex.attempts);
    if (isRetry) this.#countBoth(counterIndex.retries);
  }

  /** The last attempt failed. @param isEjected the target is ejected by it */
  failed(target: Target, isEjected: boolean): void {
    this.#countBoth(counterIndex.connectErrors);
    if (isEjected) {
      this.#countBoth(counterIndex.ejections);
      this.#traffic.suspects.add(target.taskId);
    }
    this.#leaveTask();
  }

  connected(bytesOf: BytesOf): void {
    this.#bytesOf = bytesOf;
    if (this.#task !== null) this.#add(this.#task, counterIndex.requests);
  }

  /** The mesh ends it without a target. */
  refused(): void {
    this.#add(this.#entry, counterIndex.refusedConnections);
  }

  /** Counts the bytes since the last call, and keeps the gauges, which expire by generation. */
  refresh(): void {
    const { generation } = this.#traffic.meter;
    const ago = generation - this.#generation;
    if (ago > 0) for (const metrics of this.#metrics()) metrics.open.renew(ago);
    this.#generation = generation;
    if (this.#bytesOf === null) return;
    const { received, sent } = this.#bytesOf();
    for (const metrics of this.#metrics()) {
      if (received > this.#counted.received)
        this.#add(metrics, counterIndex.bytesIn, received - this.#counted.received);
      if (sent > this.#counted.sent) this.#add(metrics, counterIndex.bytesOut, sent - this.#counted.sent);
    }
    this.#counted = { received, sent };
  }

  end(): void {
    this.refresh();
    this.#leaveTask();
    this.#entry.open.decrement(0);
    this.#traffic.hasChanged = true;
    this.#traffic.ended(this);
  }

  #leaveTask(): void {
    this.refresh();
    this.#task?.open.decrement(0);
    this.#task = null;
  }

  #metrics(): readonly MetricSet[] {
    return this.#task === null ? [this.#entry] : [this.#entry, this.#task];
  }

  #countBoth(counter: number): void {
    for (const metrics of this.#metrics()) this.#add(metrics, counter);
  }

  #add(metrics: MetricSet, counter: number, by = 1): void {
    metrics.add(counter, by);
    this.#traffic.hasChanged = true;
  }
}
