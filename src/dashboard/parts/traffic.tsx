// The traffic of one service or node: how it goes now, and how it went, drawn and as a table.

import type { Counts } from "../../telemetry/counters.ts";
import { ratesOf } from "../../telemetry/rates.ts";
import type { Snapshot, TrafficMetrics, TrafficSeries } from "../../telemetry/snapshot.ts";
import { formatInteger, formatPerSecond, formatShare } from "../text.ts";
import { historyOf } from "../traffic-history.ts";
import { Charts } from "./charts.tsx";
import { Stat } from "./stat.tsx";
import { formatLatency } from "./traffic-cells.tsx";

/** How far back the charts go. */
export type ChartRange = "minutes" | "hour";

export type PageTraffic = {
  /** Of this one thing alone, with its series; null: it cannot be read right now. */
  readonly whole: Snapshot | null;
  /** Of its tasks, also as each place sees them. */
  readonly parts: Snapshot | null;
  readonly span: ChartRange;
};

export type TrafficWithSeries = TrafficMetrics & { readonly series: TrafficSeries };

/** What was measured of one thing, and when it was read; null where that cannot be read right now. */
export type TrafficMeasurement = {
  readonly traffic: TrafficWithSeries | undefined;
  readonly atMs: number;
} | null;

/** @param all services or nodes of the snapshot */
export function measurementOf(
  snapshot: Snapshot | null,
  all: readonly (TrafficWithSeries & { readonly id: string })[] | undefined,
  wanted: string,
): TrafficMeasurement {
  return snapshot === null ? null : { traffic: all?.find(({ id }) => id === wanted), atMs: snapshot.atMs };
}

export function TrafficSection({
  measured,
  span,
  path,
}: {
  measured: TrafficMeasurement;
  span: ChartRange;
  path: string;
}) {
  return (
    <section aria-labelledby="traffic-title" id="traffic" data-part>
      <div class="heading">
        <h2 id="traffic-title">Traffic</h2>
        {measured?.traffic !== undefined && <ChartRangeLinks span={span} path={path} />}
      </div>
      <TrafficContent measured={measured} span={span} />
    </section>
  );
}

function TrafficContent({ measured, span }: { measured: TrafficMeasurement; span: ChartRange }) {
  if (measured === null) {
    return (
      <p class="notice">What is counted of traffic cannot be read right now; it is tried again shortly.</p>
    );
  }
  const { traffic, atMs } = measured;
  if (traffic === undefined || traffic.series === null) {
    return <p class="empty">No request has been counted yet.</p>;
  }
  return (
    <>
      <CurrentStats traffic={traffic} />
      <Charts
        history={historyOf(traffic.series[span === "hour" ? "minutes" : "tens"], traffic.firstMs, atMs)}
      />
    </>
  );
}

function ChartRangeLinks({ span, path }: { span: ChartRange; path: string }) {
  const spans = [
    { of: "minutes", label: "10 minutes", to: path },
    { of: "hour", label: "1 hour", to: `${path}?span=hour` },
  ] as const;
  return (
    <nav class="spans" aria-label="How far back">
      {spans.map(({ of, label, to }) => (
        <a href={to} {...(of === span && { "aria-current": "true" })}>
          {label}
        </a>
      ))}
    </nav>
  );
}

function CurrentStats({ traffic: { recent, counts, open, queue } }: { traffic: TrafficWithSeries }) {
  const now = ratesOf(recent);
  return (
    <dl class="figures now">
      <Stat
        label="Requests"
        value={formatPerSecond(now.requestsPerSecond)}
        note={`${formatInteger(counts.requests)} in all`}
      />
      <Stat
        label="Errors"
        value={formatShare(now.errorRatio)}
        note={failuresText(counts)}
        bad={now.errorRatio >= 0.01}
      />
      <Stat label="Latency p50" value={formatLatency(now.p50Ms)} />
      <Stat label="p95" value={formatLatency(now.p95Ms)} />
      <Stat label="p99" value={formatLatency(now.p99Ms)} />
      <Stat
        label="Second attempts"
        value={formatInteger(counts.retries + counts.hedges)}
        note={attemptsText(counts)}
      />
      <Stat
        label="In flight"
        value={formatInteger(open.now)}
        {...(queue.max > 0 && { note: `${formatInteger(queue.now)} wait` })}
      />
    </dl>
  );
}

function failuresText(counts: Counts): string {
  const own = counts.refused502 + counts.refused503 + counts.refused504;
  const all = formatInteger(counts.responses5xx);
  return own === 0 ? `${all} in all` : `${all} in all, ${formatInteger(own)} by the mesh`;
}

function attemptsText({ retries, hedges }: Counts): string {
  return `${formatInteger(retries)} retries, ${formatInteger(hedges)} hedges`;
}
