// Tables as releases print them, recorded: a later release still reads them. A fixture is never changed; a release
// that prints another format adds one.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { applyTableChange } from "../../../../src/domain/table/apply-change.ts";
import {
  printedTableFormat,
  printTable,
  readableTableFormats,
  readTable,
} from "../../../../src/domain/table/text.ts";
import { formatRefusal } from "../../../../src/registry/table-formats.ts";

function fixture(name: string): string {
  return readFileSync(new URL(`../../../fixtures/tables/${name}.txt`, import.meta.url), "utf8");
}

test("[R16] the tables of all formats that this release reads are read as releases printed them", () => {
  for (const format of readableTableFormats) {
    const text = fixture(`format-${format}`);
    expect(text.split("\n")[0]).toBe(`waggle-table ${format}`);
    expect(readTable(text).services.length).toBeGreaterThan(0);
  }
  const text = fixture(`format-${printedTableFormat}`);
  expect(printTable(readTable(text))).toBe(text);
});

test("[R16] a change is read as the release of its format printed it", () => {
  const before = readTable(fixture(`format-${printedTableFormat}`));
  const after = applyTableChange(before, fixture(`format-${printedTableFormat}-change`));
  expect(printTable(after)).toBe(fixture(`format-${printedTableFormat}-after`));
});

test("[R17] a word or line that this release does not know is refused with its line, wherever a later one adds it", () => {
  const text = fixture(`format-${printedTableFormat}`);
  const change = fixture(`format-${printedTableFormat}-change`);
  const held = readTable(text);
  const read = (lines: readonly string[], isChange: boolean) => () =>
    isChange ? applyTableChange(held, lines.join("\n")) : readTable(lines.join("\n"));
  for (const [lines, isChange] of [
    [text.split("\n"), false],
    [change.split("\n"), true],
  ] as const) {
    for (const [at, line] of lines.slice(0, -1).entries()) {
      const longer = lines.with(at, `${line} zone=a`);
      expect(read(longer, isChange), line).toThrow(/routing table, line \d+: read /);
      for (const added of ["zone a", "  zone a", "  option zone a"]) {
        expect(read(lines.toSpliced(at + 1, 0, added), isChange), `after ${line}`).toThrow(
          /routing table, line \d+: read /,
        );
      }
    }
  }
});

test("[R17] a table or change of a later format is refused by its first line", () => {
  const later = `waggle-table ${printedTableFormat + 1}\nversion 1\n`;
  expect(() => readTable(later)).toThrow(
    `routing table, line 1: read "waggle-table ${printedTableFormat + 1}", expected "waggle-table ${printedTableFormat}"`,
  );
  const held = readTable(fixture(`format-${printedTableFormat}`));
  const change = fixture(`format-${printedTableFormat}-change`).replace(
    /\d+/,
    String(printedTableFormat + 1),
  );
  expect(() => applyTableChange(held, change)).toThrow(`expected "waggle-change ${printedTableFormat}"`);
});

test("[R12] a router that also reads later formats gets the newest that the registry prints", () => {
  expect(formatRefusal([printedTableFormat + 1, printedTableFormat])).toBeNull();
  expect(formatRefusal(readableTableFormats)).toBeNull();
  expect(formatRefusal([printedTableFormat - 1])).toBe(
    `the registry prints routing tables of format ${printedTableFormat}, and this router reads ${printedTableFormat - 1}: deploy the same release to both`,
  );
  expect(formatRefusal([])).toContain("this router reads none");
});
