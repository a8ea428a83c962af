import fc from "fast-check";
import { test } from "vitest";
import { statsColumns } from "../../../src/stats/columns.ts";
import { statsCsv } from "../../../src/stats/csv.ts";
import type { StatsRow } from "../../../src/stats/report.ts";
import { readCsv } from "../../support/haproxy-csv.ts";
import { aReport } from "../../unit/stats/support.ts";

const value = fc.oneof(
  fc.string(),
  fc.string({ unit: "grapheme" }),
  fc.nat(),
  fc.constantFrom('"', ",", "\n", "#"),
);

const rows: fc.Arbitrary<StatsRow> = fc.record({
  kind: fc.constantFrom("frontend", "backend", "server"),
  values: fc.dictionary(fc.constantFrom(...statsColumns.map(({ name }) => name)), value),
});

test("[Z2][Z3] every row reads back with its fields in order, whatever their values", () => {
  fc.assert(
    fc.property(fc.array(rows, { maxLength: 5 }), (rowList) => {
      const proxies = [{ name: "p", iid: 2, what: "", rows: rowList }];
      const { rows: read, widths } = readCsv(statsCsv({ ...aReport(), proxies }));
      const expected = rowList.map(({ kind, values }) =>
        statsColumns.map(({ name, kinds }) => (kinds.includes(kind) ? String(values[name] ?? "") : "")),
      );
      const got = read.map((row) => statsColumns.map(({ name }) => row[name]));
      return (
        JSON.stringify(got) === JSON.stringify(expected) &&
        widths.every((width) => width === statsColumns.length + 2)
      );
    }),
  );
});
