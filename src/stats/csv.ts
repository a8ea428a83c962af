// The CSV of the statistics, in HAProxy's exact format: every column in order, every row of the same width.

import { statsColumns } from "./columns.ts";
import type { StatsReport, StatsRow } from "./report.ts";

/** HAProxy ends its fixed columns with one named `-`, before those of its modules. */
const endColumn = "-";

/** @see docs/spec.md Z1-Z3 */
export function statsCsv({ proxies }: StatsReport): string {
  const head = `# ${statsColumns.map(({ name }) => `${name},`).join("")}${endColumn},\n`;
  const rows = proxies.flatMap((proxy) => proxy.rows);
  return head + rows.map(csvRow).join("");
}

function csvRow({ kind, values }: StatsRow): string {
  let line = "";
  // String concatenation: a large mesh has a million fields, most of them empty.
  for (const { name, kinds } of statsColumns) {
    const value = values[name];
    line += value === undefined || !kinds.includes(kind) ? "," : `${quoteField(value)},`;
  }
  return `${line}${endColumn},\n`;
}

/** Quotes a field only if RFC 4180 §2 requires it, or if `#` would make the row a comment. */
function quoteField(value: number | string): string {
  if (typeof value === "number") return String(value);
  return /[",\r\n]|^#/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
