// The traffic section of a service or node: current numbers, charts and the chart data as a table.

import type { Counts } from "../../telemetry/counters.ts";
import { ratesOf } from "../../telemetry/rates.ts";
import type { Snapshot, TrafficMetrics, TrafficSeries } from "../../telemetry/snapshot.ts";
import { isFailing } from "../../telemetry/traffic-problems.ts";
import { formatDuration, formatInteger, formatPerSecond, formatShare } from "../text.ts";
import { agedTrafficMs } from "../traffic.ts";
import { historyOf } from "../traffic-history.ts";
import { Charts } from "./charts.tsx";
import { Stat } from "./stat.tsx";
import { formatLatency } from "./traffic-cells.tsx";

/** The time that the charts cover: ten minutes or one hour. */
export type ChartRange = "minutes" | "hour";

/** The traffic of one service or node. Null: telemetry is unavailable. */
export type PageTraffic = {
  /** The service or node as a whole, with time series. */
  readonly total: Snapshot | null;
  /** Its tasks, also by colo. */
  readonly byTask: Snapshot | null;
  readonly range: ChartRange;
};

export type TrafficWithSeries = TrafficMetrics & { readonly series: TrafficSeries };

/** The traffic of one service or node, undefined before its first request, and of when it is. */
export type TrafficMeasurement = {
  readonly traffic: TrafficWithSeries | undefined;
  /** See Snapshot. */
  readonly atMs: number;
  readonly completeMs: number;
} | null;

/** @param all services or nodes of the snapshot */
export function measurementOf(
  snapshot: Snapshot | null,
  all: readonly (TrafficWithSeries & { readonly id: string })[] | undefined,
  id: string,
): TrafficMeasurement {
  if (snapshot === null) return null;
  const { atMs, completeMs } = snapshot;
  return { traffic: all?.find((traffic) => traffic.id === id), atMs, completeMs };
}

/**
 * @param path of the page, for the links that change the range
 * @param isPassedOn of a node: the requests fail elsewhere
 */
export function TrafficSection({
  measurement,
  range,
  path,
  isPassedOn = false,
}: {
  measurement: TrafficMeasurement;
  range: ChartRange;
  path: string;
  isPassedOn?: boolean;
}) {
  return (
    <section aria-labelledby="traffic-title" id="traffic" data-part>
      <div class="heading">
        <h2 id="traffic-title">Traffic</h2>
        {measurement?.traffic !== undefined && <ChartRangeLinks range={range} path={path} />}
      </div>
      <TrafficContent measurement={measurement} range={range} isPassedOn={isPassedOn} />
    </section>
  );
}

function TrafficContent({
  measurement,
  range,
  isPassedOn,
}: {
  measurement: TrafficMeasurement;
  range: ChartRange;
  isPassedOn: boolean;
}) {
  if (measurement === null) {
    return <p class="notice">Traffic cannot be read at the moment. The page tries again shortly.</p>;
  }
  const { traffic, atMs, completeMs } = measurement;
  if (traffic === undefined || traffic.series === null) {
    return <p class="empty">No request has been counted yet.</p>;
  }
  const series = traffic.series[range === "hour" ? "minutes" : "tens"];
  return (
    <>
      <TrafficAge ms={atMs - completeMs} />
      <CurrentStats traffic={traffic} isBad={!isPassedOn && isFailing(traffic.recent)} />
      <Charts history={historyOf(series, traffic.firstMs, completeMs)} />
    </>
  );
}

/** What a page shows until routers have reported again. `data-aged` has the browser read the page again soon. */
function TrafficAge({ ms }: { ms: number }) {
  if (ms < agedTrafficMs) return null;
  return (
    <p class="notice" data-aged>
      Traffic until {formatDuration(ms)} ago. While no page is open, routers report every half minute; newer
      counts follow in a moment.
    </p>
  );
}

function ChartRangeLinks({ range, path }: { range: ChartRange; path: string }) {
  const links = [
    { of: "minutes", label: "10 minutes", href: path },
    { of: "hour", label: "1 hour", href: `${path}?range=hour` },
  ] as const;
  return (
    <nav class="ranges" aria-label="Chart range">
      {links.map(({ of, label, href }) => (
        <a href={href} {...(of === range && { "aria-current": "true" })}>
          {label}
        </a>
      ))}
    </nav>
  );
}

function CurrentStats({
  traffic: { recent, counts, open, queue },
  isBad,
}: {
  traffic: TrafficWithSeries;
  isBad: boolean;
}) {
  const rates = ratesOf(recent);
  return (
    <dl class="stats current">
      <Stat
        label="Requests"
        value={formatPerSecond(rates.requestsPerSecond)}
        note={`${formatInteger(counts.requests)} in total`}
      />
      <Stat label="Errors" value={formatShare(rates.errorRatio)} note={failuresText(counts)} isBad={isBad} />
      <Stat label="Latency p50" value={formatLatency(rates.p50Ms)} />
      <Stat label="p95" value={formatLatency(rates.p95Ms)} />
      <Stat label="p99" value={formatLatency(rates.p99Ms)} />
      <Stat
        label="Second attempts"
        value={formatInteger(counts.retries + counts.hedges)}
        note={attemptsText(counts)}
      />
      <Stat
        label="In flight"
        value={formatInteger(open.now)}
        {...(queue.max > 0 && { note: `${formatInteger(queue.now)} queued` })}
      />
    </dl>
  );
}

/** `12 in total, 3 by the mesh`: all 5xx responses, and those of the mesh itself. */
function failuresText(counts: Counts): string {
  const byMesh = counts.refused502 + counts.refused503 + counts.refused504;
  const total = `${formatInteger(counts.responses5xx)} in total`;
  return byMesh === 0 ? total : `${total}, ${formatInteger(byMesh)} by the mesh`;
}

function attemptsText({ retries, hedges }: Counts): string {
  return `${formatInteger(retries)} retries, ${formatInteger(hedges)} hedges`;
}
