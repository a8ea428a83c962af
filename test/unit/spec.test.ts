// The rules of docs/spec.md and the tests that hold them name each other.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));

const rules = readFileSync(join(root, "docs/spec.md"), "utf8")
  .split("\n")
  .flatMap((line) => /^- \*\*([A-Z]\d+)\*\* /.exec(line)?.[1] ?? []);

const titles = readdirSync(join(root, "test"), { withFileTypes: true, recursive: true })
  .filter((entry) => entry.isFile() && entry.name.endsWith(".ts"))
  .flatMap((entry) => {
    const text = readFileSync(join(entry.parentPath, entry.name), "utf8");
    return [...text.matchAll(/["'`]((?:\[[A-Z]\d+\])+)/g)].flatMap((found) => found[1] ?? []);
  })
  .flatMap((marks) => [...marks.matchAll(/[A-Z]\d+/g)].map((mark) => mark[0]));

test("[U22] every rule that a test names is in docs/spec.md", () => {
  expect([...new Set(titles)].filter((mark) => !rules.includes(mark)).sort()).toEqual([]);
});

test("[U22] every rule in docs/spec.md occurs once and is named by a test", () => {
  expect(rules.filter((rule) => !titles.includes(rule))).toEqual([]);
  expect(rules.filter((rule, index) => rules.indexOf(rule) !== index)).toEqual([]);
});
