// A figure: one number large enough to be read across a room, with its name, and how it came to it.

import { Sparkline } from "./svg-charts.tsx";

export function Stat({
  label,
  value,
  note,
  trend,
  bad = false,
}: {
  label: string;
  value: string;
  note?: string;
  trend?: readonly number[];
  /** Told by weight and colour, and by the number itself. */
  bad?: boolean;
}) {
  return (
    <div>
      <dt>{label}</dt>
      <dd class={bad ? "is-bad-text" : ""}>
        {value}
        {note !== undefined && <span class="note">{note}</span>}
        {trend !== undefined && <Sparkline values={trend} />}
      </dd>
    </div>
  );
}
