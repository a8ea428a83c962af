// The CSV of the statistics, byte for byte in HAProxy's shape: every column in order, every row of the same width.

import { statsColumns } from "./columns.ts";
import type { StatsReport, StatsRow } from "./report.ts";

/** HAProxy closes its fixed columns with one named `-`; those of its modules would follow. */
const endColumn = "-";

/** @see docs/spec.md Z1-Z3 */
export function statsCsv({ proxies }: StatsReport): string {
  const head = `# ${statsColumns.map(({ name }) => `${name},`).join("")}${endColumn},\n`;
  const rows = proxies.flatMap((proxy) => proxy.rows);
  return head + rows.map(csvRow).join("");
}

function csvRow({ kind, values }: StatsRow): string {
  let line = "";
  // A large mesh has a million fields, most of them empty.
  for (const { name, kinds } of statsColumns) {
    const value = values[name];
    line += value === undefined || !kinds.includes(kind) ? "," : `${quoteField(value)},`;
  }
  return `${line}${endColumn},\n`;
}

/** Quoted only where it has to be (RFC 4180 §2), and where a reader would take the row for a comment. */
function quoteField(value: number | string): string {
  if (typeof value === "number") return String(value);
  return /[",\r\n]|^#/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
