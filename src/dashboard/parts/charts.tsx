// Traffic charts: SVG drawn by the server, the data for interactive charts, and a table of the numbers.

import { formatDuration, formatMilliseconds, formatPerSecond, formatRate } from "../text.ts";
import { heatmapData, latencyChartData, rateChartData, type TrafficHistory } from "../traffic-history.ts";
import { DataTable, NumberHeading } from "./data-table.tsx";
import { HeatmapSvg, LineChartSvg } from "./svg-charts.tsx";
import { formatLatency } from "./traffic-cells.tsx";

/** @see docs/decisions/0044-charts-twice.md */
export function Charts({ history }: { history: TrafficHistory }) {
  if (history.points.length === 0) {
    return <p class="empty">Charts appear when the first {formatDuration(history.stepMs)} have ended.</p>;
  }
  if (history.points.every(({ requests }) => requests === 0)) {
    return <p class="empty">No requests in this time.</p>;
  }
  const rate = rateChartData(history);
  const latency = latencyChartData(history);
  const heatmap = heatmapData(history);
  const [maxRequests, maxFailed] = rate.lines.map(maxOf);
  const [maxP50, maxP95, maxP99] = latency.lines.map(maxOf);
  return (
    <>
      <div class="charts">
        <figure class="chart" id="chart-rate" data-chart="rate" data-series={JSON.stringify(rate)}>
          <figcaption>
            <strong>Requests</strong> and errors: at most {formatPerSecond(maxRequests ?? 0)} and{" "}
            {formatPerSecond(maxFailed ?? 0)}
          </figcaption>
          <LineChartSvg data={rate} format={formatPerSecond} />
        </figure>
        <figure class="chart" id="chart-latency" data-chart="latency" data-series={JSON.stringify(latency)}>
          <figcaption>
            <strong>Latency</strong> p50, p95 and p99: at most {formatMilliseconds(maxP50 ?? 0)},{" "}
            {formatMilliseconds(maxP95 ?? 0)} and {formatMilliseconds(maxP99 ?? 0)}
          </figcaption>
          <LineChartSvg data={latency} format={formatMilliseconds} />
        </figure>
        {heatmap.cells.length > 0 && (
          <figure class="chart" id="chart-heatmap" data-chart="heatmap" data-series={JSON.stringify(heatmap)}>
            <figcaption>
              <strong>Latency heatmap</strong>: a stronger color means more requests
            </figcaption>
            <HeatmapSvg data={heatmap} />
          </figure>
        )}
      </div>
      <ChartTable history={history} />
    </>
  );
}

function maxOf(values: readonly (number | null)[]): number {
  return Math.max(0, ...values.map((value) => value ?? 0));
}

/** The charts' numbers as text. */
function ChartTable({ history: { points } }: { history: TrafficHistory }) {
  const headings = ["Req/s", "Errors/s", "p50", "p95", "p99"].map((heading) => (
    <NumberHeading>{heading}</NumberHeading>
  ));
  return (
    <details id="numbers">
      <summary>Chart data as a table</summary>
      <DataTable label="Traffic as a table" headings={["From (UTC)", ...headings]}>
        {points.toReversed().map(({ atMs, requests, failed, p50Ms, p95Ms, p99Ms }) => (
          <tr>
            <th scope="row">{new Date(atMs).toISOString().slice(11, 19)}</th>
            <td class="number">{formatRate(requests)}</td>
            <td class="number">{formatRate(failed)}</td>
            <td class="number">{formatLatency(p50Ms)}</td>
            <td class="number">{formatLatency(p95Ms)}</td>
            <td class="number">{formatLatency(p99Ms)}</td>
          </tr>
        ))}
      </DataTable>
    </details>
  );
}
