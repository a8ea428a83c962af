// The documents: links lead to files, named paths exist, and decision records have one form and are in the index.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const read = (path: string) => readFileSync(join(root, path), "utf8");
const filesOf = (folder: string) =>
  readdirSync(join(root, folder), { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length));

const pages = [...readdirSync(root), ...filesOf("docs")].filter((path) => path.endsWith(".md"));
const records = filesOf("docs/decisions").filter((path) => /\/\d{4}-[^/]*\.md$/.test(path));

test("every relative link of a document leads to a file", () => {
  const broken = pages.flatMap((page) =>
    [...read(page).matchAll(/\]\((?!\w+:|#)([^)#\s]+)/g)]
      .map((link) => link[1] ?? "")
      .filter((link) => !existsSync(join(root, dirname(page), link)))
      .map((link) => `${page}: ${link}`),
  );
  expect(broken).toEqual([]);
});

test("every source path that a document names exists", () => {
  const missing = pages.flatMap((page) =>
    [...read(page).matchAll(/`((?:src|workers|infra|test)\/[\w./-]*)`/g)]
      .map((named) => named[1] ?? "")
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${page}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test("every document that a comment points to exists", () => {
  const missing = ["src", "workers"].flatMap(filesOf).flatMap((file) =>
    [...read(file).matchAll(/\bdocs\/[\w./-]+\.md/g)]
      .map((named) => named[0])
      .filter((path) => !existsSync(join(root, path)))
      .map((path) => `${file}: ${path}`),
  );
  expect(missing).toEqual([]);
});

test.each(records)("%s has the form of a decision record and is in the index", (path) => {
  const [title = "", blank, date, status] = read(path).split("\n");
  const [, number, text = ""] = /^# (\d+)\. (.+)$/.exec(title) ?? [];
  expect(path.slice("docs/decisions/".length, "docs/decisions/".length + 4)).toBe(number?.padStart(4, "0"));
  expect(text.length).toBeLessThanOrEqual(80);
  expect([blank, date, status]).toEqual([
    "",
    expect.stringMatching(/^- Date: \d{4}-\d{2}-\d{2}/),
    expect.stringMatching(/^- Status: (accepted|superseded by )/),
  ]);
  const sections = [...read(path).matchAll(/^## (.+)$/gm)].map((heading) => heading[1]);
  expect(sections.filter((name) => name !== "Consequences")).toEqual(["Decision", "Why", "Rejected"]);
  const link = path.slice("docs/decisions/".length);
  expect(read("docs/decisions/README.md")).toContain(`| ${number} | [${text}](${link}) |`);
});

test("the index of decisions has each number once, in order", () => {
  const numbers = [...read("docs/decisions/README.md").matchAll(/^\| (\d+) \|/gm)].map(([, number]) =>
    Number(number),
  );
  expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
  expect(numbers).toHaveLength(records.length);
});

test("every claim of docs/security.md names the rules that hold it", () => {
  const text = read("docs/security.md");
  const claims = text.slice(text.indexOf("## Claims"), text.indexOf("## What Waggle does not do"));
  const rules = new Set(
    [...read("docs/spec.md").matchAll(/^- \*\*([A-Z]\d+)\*\* /gm)].map(([, rule]) => rule),
  );
  const lines = claims.split("\n").filter((line) => line.startsWith("- "));
  const unheld = lines.filter((line) => {
    const marks = [...line.matchAll(/\[([A-Z]\d+(?:, [A-Z]\d+)*)\]/g)].flatMap(([, list = ""]) =>
      list.split(", "),
    );
    return marks.length === 0 || marks.some((mark) => !rules.has(mark));
  });
  expect(lines.length).toBeGreaterThan(20);
  expect(unheld).toEqual([]);
  // Every other line is a heading: a claim in a paragraph would not be checked.
  expect(claims.split("\n").filter((line) => !/^(?:$|- |## |\*\*[^*]+\*\*$)/.test(line))).toEqual([]);
  expect(new Set(lines).size).toBe(lines.length);
});

test("the rules are in order of letter and number, and the legend has every letter", () => {
  const text = read("docs/spec.md");
  const rules = [...text.matchAll(/^- \*\*([A-Z])(\d+)\*\* /gm)].map(([, letter = "", number]) => ({
    letter,
    number: Number(number),
  }));
  expect(rules).toEqual(rules.toSorted((a, b) => a.letter.localeCompare(b.letter) || a.number - b.number));
  const legend = [...text.matchAll(/^\| ([A-Z]) \| \[/gm)].map(([, letter]) => letter);
  expect(legend).toEqual([...new Set(rules.map(({ letter }) => letter))]);
});
