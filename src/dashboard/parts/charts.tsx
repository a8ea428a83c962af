// Charts of how traffic went: drawn by the server, with their data beside the drawing, and as a table.

import { type History, heatData, latencyData, rateData } from "../history.ts";
import { figure, milliseconds, perSecond } from "../text.ts";
import { Heat, Lines } from "./drawing.tsx";
import { latency } from "./now.tsx";

export function Charts({ history }: { history: History }) {
  const rate = rateData(history);
  const latencies = latencyData(history);
  const heat = heatData(history);
  const most = (values: readonly (number | null)[] = []) => Math.max(...values.map((value) => value ?? 0));
  return (
    <>
      <div class="charts">
        <figure class="chart" id="chart-rate" data-chart="rate" data-series={JSON.stringify(rate)}>
          <figcaption>
            <strong>Requests</strong> and errors: at most {perSecond(most(rate.lines[0]))} and{" "}
            {perSecond(most(rate.lines[1]))}
          </figcaption>
          <Lines data={rate} words={perSecond} />
        </figure>
        <figure class="chart" id="chart-latency" data-chart="latency" data-series={JSON.stringify(latencies)}>
          <figcaption>
            <strong>Latency</strong> p50, p95 and p99: at most {milliseconds(most(latencies.lines[0]))},{" "}
            {milliseconds(most(latencies.lines[1]))} and {milliseconds(most(latencies.lines[2]))}
          </figcaption>
          <Lines data={latencies} words={milliseconds} />
        </figure>
        {heat.cells.length > 0 && (
          <figure class="chart" id="chart-heat" data-chart="heat" data-series={JSON.stringify(heat)}>
            <figcaption>
              <strong>Latency by request</strong>: the darker, the more requests took so long
            </figcaption>
            <Heat data={heat} />
          </figure>
        )}
      </div>
      <Numbers history={history} />
    </>
  );
}

/** What the charts show, for who reads it. */
function Numbers({ history: { moments } }: { history: History }) {
  return (
    <details id="numbers">
      <summary>These charts as a table</summary>
      <section class="scroll" aria-label="Traffic as a table" tabindex={0}>
        <table class="list">
          <thead>
            <tr>
              {["From (UTC)", "Req/s", "Errors/s", "p50", "p95", "p99"].map((heading, index) => (
                <th scope="col" class={index === 0 ? "" : "number"}>
                  {heading}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {moments.toReversed().map(({ atMs, requests, failed, p50Ms, p95Ms, p99Ms }) => (
              <tr>
                <th scope="row">{new Date(atMs).toISOString().slice(11, 19)}</th>
                <td class="number">{figure(requests)}</td>
                <td class="number">{figure(failed)}</td>
                <td class="number">{latency(p50Ms)}</td>
                <td class="number">{latency(p95Ms)}</td>
                <td class="number">{latency(p99Ms)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </section>
    </details>
  );
}
