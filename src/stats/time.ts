// Durations in HAProxy's format.

/** Whole seconds; 0 for a negative duration, which a clock that jumps back causes. */
export function seconds(ms: number): number {
  return Math.max(0, Math.floor(ms / 1_000));
}

const units = [
  ["d", 86_400],
  ["h", 3_600],
  ["m", 60],
  ["s", 1],
] as const;

/** The two largest units: `26s`, `5m12s`, `1h0m`, `3d4h`. */
export function humanTime(totalS: number): string {
  const first = units.findIndex(([, unitS]) => totalS >= unitS);
  if (first === -1) return "0s";
  return units
    .slice(first, first + 2)
    .map(([unit, unitS], index) => {
      const remainingS = index === 0 ? totalS : totalS % (units[first]?.[1] ?? 1);
      return `${Math.floor(remainingS / unitS)}${unit}`;
    })
    .join("");
}
