// How it goes now, in the cells of a table: requests a second, errors, latency, and the last minutes as a line.

import { type Rates, ratesOf } from "../../telemetry/rates.ts";
import type { TrafficMetrics } from "../../telemetry/snapshot.ts";
import { formatMilliseconds, formatRate, formatShare } from "../text.ts";
import { NumberHeading } from "./data-table.tsx";
import { Sparkline } from "./svg-charts.tsx";

export function TrafficHeadings() {
  return (
    <>
      {["Req/s", "Errors", "p50", "p95", "p99"].map((heading) => (
        <NumberHeading>{heading}</NumberHeading>
      ))}
      <th scope="col">10 min</th>
    </>
  );
}

/** @param traffic undefined: nothing was measured of it yet */
export function TrafficCells({ traffic }: { traffic: Pick<TrafficMetrics, "recent" | "trend"> | undefined }) {
  const now = ratesOf(traffic?.recent);
  return (
    <>
      <td class="number">{formatRate(now.requestsPerSecond)}</td>
      <td class="number">
        <ErrorShare share={now.errorRatio} />
      </td>
      {([now.p50Ms, now.p95Ms, now.p99Ms] as const).map((ms) => (
        <td class="number">{formatLatency(ms)}</td>
      ))}
      <td>
        <Sparkline values={traffic?.trend ?? []} />
      </td>
    </>
  );
}

/** The cells of what has ended: nothing comes to it any more, and that is no measure of it. */
export function EmptyTrafficCells() {
  return <td colspan={6} />;
}

/** Stands out from one request in a hundred on. */
export function ErrorShare({ share }: { share: number }) {
  const isBad = share >= 0.01;
  return <span class={isBad ? "is-bad-text" : ""}>{formatShare(share)}</span>;
}

/** `12.3/s, 0.5 % fail`. */
export function loadText({ requestsPerSecond, errorRatio }: Rates): string {
  return errorRatio === 0
    ? `${formatRate(requestsPerSecond)}/s`
    : `${formatRate(requestsPerSecond)}/s, ${formatShare(errorRatio)} fail`;
}

export function formatLatency(ms: number | null): string {
  return ms === null ? "–" : formatMilliseconds(ms);
}
