// The JSON of the statistics in HAProxy's typed format: a list of rows, each a list of fields with values.

import { type RowKind, statsColumns, tagsForKind } from "./columns.ts";
import type { StatsReport, StatsRow } from "./report.ts";

const objectTypes: Readonly<Record<RowKind, string>> = {
  frontend: "Frontend",
  backend: "Backend",
  server: "Server",
};

/** @see docs/spec.md Z4 */
export function statsJson({ proxies }: StatsReport): string {
  return `${JSON.stringify(proxies.flatMap((proxy) => proxy.rows).map(fieldsOf))}\n`;
}

function fieldsOf({ kind, values }: StatsRow) {
  return statsColumns.flatMap((column) => {
    const { name, pos, kinds, type } = column;
    const value = values[name];
    if (value === undefined || !kinds.includes(kind)) return [];
    return {
      objType: objectTypes[kind],
      proxyId: values.iid,
      id: values.sid,
      field: { pos, name },
      processNum: 1,
      tags: tagsForKind(column, kind),
      value: { type, value },
    };
  });
}
