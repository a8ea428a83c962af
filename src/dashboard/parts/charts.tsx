// Charts of how traffic went: drawn by the server, with their data beside the drawing, and as a table.

import { formatMilliseconds, formatPerSecond, formatRate } from "../text.ts";
import { heatmapData, latencyChartData, rateChartData, type TrafficHistory } from "../traffic-history.ts";
import { DataTable, NumberHeading } from "./data-table.tsx";
import { HeatmapSvg, LineChartSvg } from "./svg-charts.tsx";
import { formatLatency } from "./traffic-cells.tsx";

export function Charts({ history }: { history: TrafficHistory }) {
  const rate = rateChartData(history);
  const latencies = latencyChartData(history);
  const heat = heatmapData(history);
  const most = (values: readonly (number | null)[] = []) => Math.max(...values.map((value) => value ?? 0));
  return (
    <>
      <div class="charts">
        <figure class="chart" id="chart-rate" data-chart="rate" data-series={JSON.stringify(rate)}>
          <figcaption>
            <strong>Requests</strong> and errors: at most {formatPerSecond(most(rate.lines[0]))} and{" "}
            {formatPerSecond(most(rate.lines[1]))}
          </figcaption>
          <LineChartSvg data={rate} words={formatPerSecond} />
        </figure>
        <figure class="chart" id="chart-latency" data-chart="latency" data-series={JSON.stringify(latencies)}>
          <figcaption>
            <strong>Latency</strong> p50, p95 and p99: at most {formatMilliseconds(most(latencies.lines[0]))},{" "}
            {formatMilliseconds(most(latencies.lines[1]))} and {formatMilliseconds(most(latencies.lines[2]))}
          </figcaption>
          <LineChartSvg data={latencies} words={formatMilliseconds} />
        </figure>
        {heat.cells.length > 0 && (
          <figure class="chart" id="chart-heat" data-chart="heat" data-series={JSON.stringify(heat)}>
            <figcaption>
              <strong>Latency by request</strong>: the darker, the more requests took so long
            </figcaption>
            <HeatmapSvg data={heat} />
          </figure>
        )}
      </div>
      <ChartTable history={history} />
    </>
  );
}

/** What the charts show, for who reads it. */
function ChartTable({ history: { points } }: { history: TrafficHistory }) {
  const headings = ["Req/s", "Errors/s", "p50", "p95", "p99"].map((heading) => (
    <NumberHeading>{heading}</NumberHeading>
  ));
  return (
    <details id="numbers">
      <summary>These charts as a table</summary>
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
