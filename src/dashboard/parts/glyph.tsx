// Glyphs: a shape for each condition of a task or node. Each is told by its form alone; the colour only helps.

import { type DisplayStatus, displayStatuses, statusMeanings } from "../display-status.ts";
import { formatInteger } from "../text.ts";

/** The shapes, once a page; glyphs refer to them. */
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
      <symbol id="g-leaving" viewBox="0 0 16 16">
        <path d="M8 1.8 14.2 8 8 14.2 1.8 8z" fill="none" stroke="currentColor" stroke-width="1.7" />
      </symbol>
      <symbol id="g-held" viewBox="0 0 16 16">
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

/** The shape alone, for beside its word. */
export function Glyph({ look }: { look: DisplayStatus }) {
  return (
    <svg class={`glyph is-${look}`} aria-hidden="true">
      <use href={`#g-${look}`} />
    </svg>
  );
}

/** What the shapes mean. */
export function StatusLegend({ shown }: { shown: readonly DisplayStatus[] }) {
  return (
    <ul class="legend" aria-label="Legend">
      {shown.map((look) => (
        <li>
          <Glyph look={look} /> {statusMeanings[look]}
        </li>
      ))}
    </ul>
  );
}

/** `● 1,200 ▲ 3`: how many tasks look how. */
export function StatusCounts({ counts }: { counts: ReadonlyMap<DisplayStatus, number> }) {
  return (
    <span class="counts">
      {displayStatuses
        .toReversed()
        .filter((look) => counts.has(look))
        .map((look) => (
          <span title={statusMeanings[look]}>
            <Glyph look={look} /> {formatInteger(counts.get(look) ?? 0)}{" "}
            <span class="unseen">{statusMeanings[look]}</span>
          </span>
        ))}
    </span>
  );
}
