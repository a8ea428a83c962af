// Table cells with current traffic: request rate, error share, latency, and the last ten minutes as a line.

import { ratesOf } from "../../telemetry/rates.ts";
import type { TrafficMetrics } from "../../telemetry/snapshot.ts";
import { isFailing } from "../../telemetry/traffic-problems.ts";
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

/**
 * @param traffic undefined if nothing was measured yet
 * @param isPassedOn of a node: the requests fail elsewhere, so that its share of errors is no alarm
 */
export function TrafficCells({
  traffic,
  isPassedOn = false,
}: {
  traffic: Pick<TrafficMetrics, "recent" | "trend"> | undefined;
  isPassedOn?: boolean;
}) {
  const rates = ratesOf(traffic?.recent);
  return (
    <>
      <td class="number">{formatRate(rates.requestsPerSecond)}</td>
      <td class="number">
        <ErrorShare share={rates.errorRatio} isBad={!isPassedOn && isFailing(traffic?.recent)} />
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

/** @param isBad a sustained share fails: one error of two requests is no alarm */
export function ErrorShare({ share, isBad }: { share: number; isBad: boolean }) {
  return <span class={isBad ? "is-bad-text" : ""}>{formatShare(share)}</span>;
}

export function formatLatency(ms: number | null): string {
  return ms === null ? "–" : formatMilliseconds(ms);
}
