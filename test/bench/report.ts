// Results of repeated rounds, and the tables they are printed in.

/** Median, minimum and maximum of repeated measurements. */
export type Spread = { readonly median: number; readonly min: number; readonly max: number };

export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const median =
    sorted.length % 2 === 1
      ? (sorted[middle] ?? Number.NaN)
      : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
  return { median, min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** `2830 (2710–2901)`: the median with minimum and maximum. */
export function formatSpread({ median, min, max }: Spread, decimals = 0): string {
  return `${median.toFixed(decimals)} (${min.toFixed(decimals)}–${max.toFixed(decimals)})`;
}

/** Prints rows in aligned columns; the first row is the heading. */
export function printRows(title: string, rows: readonly (readonly string[])[]): void {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  console.log(`\n${title}`);
  for (const row of rows) {
    console.log(`  ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join("  ")}`.trimEnd());
  }
}

/** Milliseconds of each of `times` runs, after a warm-up run. */
export async function timed(times: number, work: () => unknown): Promise<number[]> {
  await work();
  const elapsed: number[] = [];
  for (let i = 0; i < times; i += 1) {
    const startedMs = performance.now();
    await work();
    elapsed.push(performance.now() - startedMs);
  }
  return elapsed;
}
