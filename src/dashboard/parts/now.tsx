// How it goes now, in the cells of a table: requests a second, errors, latency, and the last minutes as a line.

import { type Now, nowOf } from "../../telemetry/now.ts";
import type { Traffic } from "../../telemetry/snapshot.ts";
import { figure, milliseconds, percent } from "../text.ts";
import { Sparkline } from "./drawing.tsx";

export function NowHeadings() {
  return (
    <>
      <th scope="col" class="number">
        Req/s
      </th>
      <th scope="col" class="number">
        Errors
      </th>
      <th scope="col" class="number">
        p50
      </th>
      <th scope="col" class="number">
        p95
      </th>
      <th scope="col" class="number">
        p99
      </th>
      <th scope="col">10 min</th>
    </>
  );
}

/** @param traffic undefined: nothing was measured of it yet */
export function NowCells({ traffic }: { traffic: Pick<Traffic, "recent" | "trend"> | undefined }) {
  const now = nowOf(traffic?.recent);
  return (
    <>
      <td class="number">{figure(now.requests)}</td>
      <td class="number">
        <Errors share={now.errors} />
      </td>
      {([now.p50Ms, now.p95Ms, now.p99Ms] as const).map((ms) => (
        <td class="number">{latency(ms)}</td>
      ))}
      <td>
        <Sparkline values={traffic?.trend ?? []} />
      </td>
    </>
  );
}

/** The cells of what has ended: nothing comes to it any more, and that is no measure of it. */
export function NoNowCells() {
  return <td colspan={6} />;
}

/** Stands out from one request in a hundred on. */
export function Errors({ share }: { share: number }) {
  const isBad = share >= 0.01;
  return <span class={isBad ? "is-bad-text" : ""}>{percent(share)}</span>;
}

/** `12.3/s, 0.5 % fail`. */
export function nowText({ requests, errors }: Now): string {
  return errors === 0 ? `${figure(requests)}/s` : `${figure(requests)}/s, ${percent(errors)} fail`;
}

export function latency(ms: number | null): string {
  return ms === null ? "–" : milliseconds(ms);
}
