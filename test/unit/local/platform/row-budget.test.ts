import { expect, test } from "vitest";
import { RowBudget } from "../../../../src/local/platform/row-budget.ts";

const dayMs = 86_400_000;
const writes = [
  "INSERT INTO a VALUES (1)",
  "  replace into a values (1)",
  "UPDATE a SET b = 1",
  "delete from a",
  "CREATE TABLE a (b)",
  "WITH c AS (SELECT 1) INSERT INTO a SELECT * FROM c",
];

test("[U438] when the written rows of a day are spent, writes and alarms fail and reads do not", () => {
  const rows = new RowBudget({ read: 100, written: 10 });
  rows.count({ read: 1, written: 10 }, 0);
  for (const sql of writes) expect(rows.refusal(sql, 1), sql).toMatch(/^Exceeded allowed rows written/);
  expect(rows.alarmRefusal(1)).toMatch(/^Exceeded allowed rows written/);
  expect(rows.refusal("SELECT * FROM a", 1)).toBeNull();
});

test("[U438] when the read rows are spent, every statement fails", () => {
  const rows = new RowBudget({ read: 10, written: 10 });
  rows.count({ read: 10, written: 0 }, 0);
  expect(rows.refusal("SELECT * FROM a", 1)).toMatch(/^Exceeded allowed rows read/);
});

test("[U438] the day ends at midnight UTC, and the totals go on", () => {
  const rows = new RowBudget({ read: 10, written: 10 });
  rows.count({ read: 4, written: 10 }, dayMs - 1);
  expect(rows.alarmRefusal(dayMs - 1)).not.toBeNull();
  expect(rows.alarmRefusal(dayMs)).toBeNull();
  rows.count({ read: 1, written: 2 }, dayMs);
  expect(rows.total).toEqual({ read: 5, written: 12 });
});
