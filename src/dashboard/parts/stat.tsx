// One number in large type, with a label and an optional note or sparkline. A child of `<dl class="stats">`.

import { Sparkline } from "./svg-charts.tsx";

export function Stat({
  label,
  value,
  note,
  trend,
  isBad = false,
}: {
  label: string;
  value: string;
  note?: string;
  trend?: readonly number[];
  isBad?: boolean;
}) {
  return (
    <div>
      <dt>{label}</dt>
      <dd class={isBad ? "is-bad-text" : ""}>
        {value}
        {note !== undefined && <span class="note">{note}</span>}
        {trend !== undefined && <Sparkline values={trend} />}
      </dd>
    </div>
  );
}
