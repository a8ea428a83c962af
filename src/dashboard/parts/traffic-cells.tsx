// Table cells with current traffic: request rate, error share, latency, and the last ten minutes as a line.

import { badErrorRatio, ratesOf } from "../../telemetry/rates.ts";
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

/** @param traffic undefined if nothing was measured yet */
export function TrafficCells({ traffic }: { traffic: Pick<TrafficMetrics, "recent" | "trend"> | undefined }) {
  const rates = ratesOf(traffic?.recent);
  return (
    <>
      <td class="number">{formatRate(rates.requestsPerSecond)}</td>
      <td class="number">
        <ErrorShare share={rates.errorRatio} />
      </td>
      {([rates.p50Ms, rates.p95Ms, rates.p99Ms] as const).map((ms) => (
        <td class="number">{formatLatency(ms)}</td>
      ))}
      <td>
        <Sparkline values={traffic?.trend ?? []} />
      </td>
    </>
  );
}

/** For an ended task: a rate of zero would look like a measurement. */
export function EmptyTrafficCells() {
  return <td colspan={6} />;
}

export function ErrorShare({ share }: { share: number }) {
  return <span class={isBadErrorShare(share) ? "is-bad-text" : ""}>{formatShare(share)}</span>;
}

/** One failed request in a hundred or more is highlighted. */
export function isBadErrorShare(share: number): boolean {
  return share >= badErrorRatio;
}

export function formatLatency(ms: number | null): string {
  return ms === null ? "–" : formatMilliseconds(ms);
}
