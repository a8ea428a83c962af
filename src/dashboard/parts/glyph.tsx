// Glyphs: one shape for each display status. The shape alone identifies the status; color is redundant.

import { type DisplayStatus, displayStatuses, statusMeanings } from "../display-status.ts";
import { formatInteger } from "../text.ts";

/** Defines the shapes, once on each page; `Glyph` refers to them. */
export function GlyphShapes() {
  return (
    <svg class="shapes" width="0" height="0" aria-hidden="true">
      <symbol id="g-running" viewBox="0 0 16 16">
        <circle cx="8" cy="8" r="6.5" fill="currentColor" />
      </symbol>
      <symbol id="g-starting" viewBox="0 0 16 16">
        <circle cx="8" cy="8" r="5.75" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M8 2.25a5.75 5.75 0 0 1 0 11.5z" fill="currentColor" />
      </symbol>
      <symbol id="g-unhealthy" viewBox="0 0 16 16">
        <path d="M8 1.2 15.4 14.4H.6z" fill="currentColor" />
        <path d="M8 6v4.2M8 11.4v1.5" stroke="var(--surface)" stroke-width="1.7" />
      </symbol>
      <symbol id="g-failing" viewBox="0 0 16 16">
        <path d="M5 1.5h6L14.5 5v6L11 14.5H5L1.5 11V5z" fill="currentColor" />
        <path d="M8 4.2v4.6M8 10.2v1.7" stroke="var(--surface)" stroke-width="1.8" />
      </symbol>
      <symbol id="g-leaving" viewBox="0 0 16 16">
        <path d="M8 1.8 14.2 8 8 14.2 1.8 8z" fill="none" stroke="currentColor" stroke-width="1.7" />
      </symbol>
      <symbol id="g-out-of-service" viewBox="0 0 16 16">
        <circle cx="8" cy="8" r="5.75" fill="none" stroke="currentColor" stroke-width="1.5" />
        <path d="M6.3 5.4v5.2M9.7 5.4v5.2" stroke="currentColor" stroke-width="1.5" />
      </symbol>
      <symbol id="g-waiting" viewBox="0 0 16 16">
        <circle
          cx="8"
          cy="8"
          r="5.75"
          fill="none"
          stroke="currentColor"
          stroke-width="1.7"
          stroke-dasharray="2.6 2"
        />
      </symbol>
      <symbol id="g-unknown" viewBox="0 0 16 16">
        <rect
          x="2.2"
          y="2.2"
          width="11.6"
          height="11.6"
          rx="2"
          fill="none"
          stroke="currentColor"
          stroke-width="1.5"
        />
        <path
          d="M6 6.4a2 2 0 1 1 2.7 1.9c-.5.2-.7.5-.7 1M8 10.8v1.4"
          fill="none"
          stroke="currentColor"
          stroke-width="1.4"
        />
      </symbol>
      <symbol id="g-failed" viewBox="0 0 16 16">
        <rect x="1.8" y="1.8" width="12.4" height="12.4" rx="2" fill="currentColor" />
        <path d="m5 5 6 6m0-6-6 6" stroke="var(--surface)" stroke-width="1.7" />
      </symbol>
      <symbol id="g-ended" viewBox="0 0 16 16">
        <path d="M3 8h10" stroke="currentColor" stroke-width="2" />
      </symbol>
    </svg>
  );
}

/** The shape without its text. */
export function Glyph({ status }: { status: DisplayStatus }) {
  return (
    <svg class={`glyph is-${status}`} aria-hidden="true">
      <use href={`#g-${status}`} />
    </svg>
  );
}

export function StatusLegend({ statuses }: { statuses: readonly DisplayStatus[] }) {
  return (
    <ul class="legend" aria-label="Legend">
      {statuses.map((status) => (
        <li>
          <Glyph status={status} /> {statusMeanings[status]}
        </li>
      ))}
    </ul>
  );
}

/** `● 1,200 ▲ 3`: the number of targets in each status. */
export function StatusCounts({ counts }: { counts: ReadonlyMap<DisplayStatus, number> }) {
  return (
    <span class="counts">
      {displayStatuses
        .toReversed()
        .filter((status) => counts.has(status))
        .map((status) => (
          <span title={statusMeanings[status]}>
            <Glyph status={status} /> {formatInteger(counts.get(status) ?? 0)}{" "}
            <span class="visually-hidden">{statusMeanings[status]}</span>
          </span>
        ))}
    </span>
  );
}
