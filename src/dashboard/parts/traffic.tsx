// The traffic of one service or node: how it goes now, and how it went, drawn and as a table.

import type { Counts } from "../../telemetry/counters.ts";
import { nowOf } from "../../telemetry/now.ts";
import type { Snapshot, Traffic, TrafficSeries } from "../../telemetry/snapshot.ts";
import { historyOf } from "../history.ts";
import { percent, perSecond } from "../text.ts";
import { Charts } from "./charts.tsx";
import { Figure } from "./figure.tsx";
import { latency } from "./now.tsx";
import { number } from "./words.tsx";

/** How far back the charts go. */
export type Span = "minutes" | "hour";

export type Measured = Traffic & { readonly series: TrafficSeries };

/** What was measured of one thing, and when it was read; null where that cannot be read right now. */
export type Measurement = { readonly of: Measured | undefined; readonly atMs: number } | null;

/** @param all services or nodes of the snapshot */
export function measuredOf(
  snapshot: Snapshot | null,
  all: readonly (Measured & { readonly id: string })[] | undefined,
  wanted: string,
): Measurement {
  return snapshot === null ? null : { of: all?.find(({ id }) => id === wanted), atMs: snapshot.atMs };
}

export function TrafficSection({
  measured,
  span,
  path,
}: {
  measured: Measurement;
  span: Span;
  path: string;
}) {
  return (
    <section aria-labelledby="traffic-title" id="traffic" data-part>
      <div class="heading">
        <h2 id="traffic-title">Traffic</h2>
        {measured?.of !== undefined && <Spans span={span} path={path} />}
      </div>
      <Content measured={measured} span={span} />
    </section>
  );
}

function Content({ measured, span }: { measured: Measurement; span: Span }) {
  if (measured === null) {
    return (
      <p class="notice">What is counted of traffic cannot be read right now; it is tried again shortly.</p>
    );
  }
  const { of: traffic, atMs } = measured;
  if (traffic === undefined || traffic.series === null) {
    return <p class="empty">No request has been counted yet.</p>;
  }
  return (
    <>
      <NowFigures traffic={traffic} />
      <Charts
        history={historyOf(traffic.series[span === "hour" ? "minutes" : "tens"], traffic.firstMs, atMs)}
      />
    </>
  );
}

function Spans({ span, path }: { span: Span; path: string }) {
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

function NowFigures({ traffic: { recent, counts, open, queue } }: { traffic: Measured }) {
  const now = nowOf(recent);
  return (
    <dl class="figures now">
      <Figure label="Requests" value={perSecond(now.requests)} note={`${number(counts.requests)} in all`} />
      <Figure label="Errors" value={percent(now.errors)} note={failuresOf(counts)} bad={now.errors >= 0.01} />
      <Figure label="Latency p50" value={latency(now.p50Ms)} />
      <Figure label="p95" value={latency(now.p95Ms)} />
      <Figure label="p99" value={latency(now.p99Ms)} />
      <Figure
        label="Second attempts"
        value={number(counts.retries + counts.hedges)}
        note={attemptsOf(counts)}
      />
      <Figure
        label="In flight"
        value={number(open.now)}
        {...(queue.max > 0 && { note: `${number(queue.now)} wait` })}
      />
    </dl>
  );
}

function failuresOf(counts: Counts): string {
  const own = counts.refused502 + counts.refused503 + counts.refused504;
  const all = number(counts.responses5xx);
  return own === 0 ? `${all} in all` : `${all} in all, ${number(own)} by the mesh`;
}

function attemptsOf({ retries, hedges }: Counts): string {
  return `${number(retries)} retries, ${number(hedges)} hedges`;
}
